"""What is odd about the content of a dataset, found before the first epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec
    from toolkit.datasets.base import Dataset

_CHUNK = 4096  # images looked at together: bounds the memory where they lie on disk
_LIGHT = 127.5  # a border lighter than this is a light background
_HALF = 0.5  # of the images: more than that is no exception, nor chance
_DIM = 64  # of 255: no picture in a whole part is brighter, so the scale is another one
_RATIO = 2  # times brighter: training and test images were scaled differently
_UNEVEN = 10  # times as many images as the rarest class has
_NAMED = 5  # classes or images that a remark lists


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is odd.

    Attributes:
        kind: ``missing-class``, ``uneven-classes``, ``constant-image``, ``inverted``,
            ``unscaled``, ``differing-parts`` or ``one-color``.
        text: what it is, and how to mend it, in one line.
        fatal: nothing can be learnt from such data.
    """

    kind: str
    text: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What was seen in the pixels of one part of a dataset.

    Attributes:
        name: ``training`` or ``test``.
        images: how many there are.
        darkest: the lowest pixel of all, 0…255.
        brightest: the highest.
        constant: int64, indices of the images in which all pixels of a channel are equal.
        light: share of the images with a light border, 0…1; constant ones do not count.
    """

    name: str
    images: int
    darkest: int
    brightest: int
    constant: NDArray[np.int64]
    light: float


def checked(dataset: Dataset) -> Dataset:
    """Return the dataset with a note for each thing that is odd.

    Raises:
        DataError: nothing can be learnt from it.
    """
    found = findings(dataset)
    for finding in found:
        if finding.fatal:
            raise DataError(f"{dataset.name}: {finding.text}")
    notes = tuple(f"Warning: {finding.text}" for finding in found)
    return replace(dataset, notes=(*dataset.notes, *notes)) if notes else dataset


def findings(dataset: Dataset) -> list[Finding]:
    """Look for what is odd: a class without images, pixels in another scale, and so on."""
    training, test = look("training", dataset.x_train), look("test", dataset.x_test)
    return [
        *classes("training", dataset.y_train, dataset.labels),
        *classes("test", dataset.y_test, dataset.labels),
        *pixels(training),
        *pixels(test),
        *background(training, dataset.spec),
        *differing(training, test),
    ]


def look(name: str, images: NDArray[np.uint8]) -> Part:
    """Gather what the rules need, in one pass.

    Args:
        name: of the part.
        images: uint8 (n, height, width, channels), at least one; may lie on disk.
    """
    darkest, brightest, light, constant = 255, 0, 0, []
    for start, chunk in _chunks(images):
        low, high = chunk.min(axis=(1, 2)), chunk.max(axis=(1, 2))
        flat = (low == high).all(axis=1)
        constant.append(start + np.flatnonzero(flat))
        darkest, brightest = min(darkest, int(low.min())), max(brightest, int(high.max()))
        light += int((_borders(chunk)[~flat] > _LIGHT).sum())
    places = np.concatenate(constant)
    varied = len(images) - len(places)
    return Part(name, len(images), darkest, brightest, places, light / varied if varied else 0.0)


def classes(part: str, y: NDArray[np.int64], labels: Sequence[str]) -> list[Finding]:
    """Find classes without images, and classes with very many more than others.

    Args:
        part: ``training`` or ``test``.
        y: (n,), indices into ``labels``.
        labels: the class names.
    """
    counts = np.bincount(y, minlength=len(labels))
    found = []
    if missing := [labels[index] for index in np.flatnonzero(counts == 0)]:
        cannot = "cannot be learnt" if part == "training" else "cannot be judged"
        found.append(
            Finding(
                "missing-class",
                f"no {part} image of class {_some(missing)}: it {cannot}. Is a label wrong, "
                "or --limit too small?",
            )
        )
    most, least = int(counts.argmax()), int(np.where(counts, counts, counts.max()).argmin())
    if counts[most] > _UNEVEN * counts[least]:
        found.append(
            Finding(
                "uneven-classes",
                f"very uneven classes: {counts[most]:,} {part} images of {labels[most]}, "
                f"{counts[least]:,} of {labels[least]}; read precision and recall of each class "
                "(toolkit evaluate), the accuracy hides the rare ones",
            )
        )
    return found


def pixels(part: Part) -> list[Finding]:
    """Find images of one colour, and a part whose pixels do not use the range 0…255."""
    if len(part.constant) == part.images:
        return [Finding("one-color", f"each of the {part.name} images has one colour", fatal=True)]
    found = []
    if len(part.constant):
        found.append(
            Finding(
                "constant-image",
                f"{len(part.constant):,} of {part.images:,} {part.name} images have one colour "
                f"only: number {_some(part.constant.tolist())} (from 0); remove them",
            )
        )
    if part.brightest < _DIM:
        found.append(
            Finding(
                "unscaled",
                f"the {part.name} pixels run from {part.darkest} to {part.brightest} of 255: they "
                f"look unscaled. Multiply them by {255 / max(part.brightest, 1):.3g}, or store "
                "floats 0…1",
            )
        )
    return found


def background(training: Part, spec: PreprocessSpec) -> list[Finding]:
    """Find a light background where the device is told to make it dark."""
    dark = spec.polarity != "as-is" or spec.fit == "center-of-mass"
    if not dark or training.light <= _HALF:
        return []
    text = (
        f"{training.light:.0%} of the training images have a light background: they look "
        f"inverted, for with polarity {spec.polarity} and fit {spec.fit} a photo becomes light "
        "on dark. Store 255 minus the pixels, or train with --polarity as-is --fit pad"
    )
    return [Finding("inverted", text)]


def differing(training: Part, test: Part) -> list[Finding]:
    """Find test images that were made in another way than the training images."""
    found = []
    dark, light = sorted((training, test), key=lambda part: part.light)
    if light.light - dark.light > _HALF:
        share = f"{light.light:.0%} of the {light.name} images have a light background"
        other = f"but {dark.light:.0%} of the {dark.name} images: one part looks inverted"
        found.append(Finding("differing-parts", f"{share}, {other}"))
    low, high = sorted((training, test), key=lambda part: part.brightest)
    if high.brightest > _RATIO * low.brightest:
        found.append(
            Finding(
                "differing-parts",
                f"the brightest pixel of the {high.name} images is {high.brightest}, that of the "
                f"{low.name} images {low.brightest}: one part looks unscaled",
            )
        )
    return found


def _chunks(images: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for start in range(0, len(images), _CHUNK):
        yield start, images[start : start + _CHUNK]


def _borders(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the median pixel of each image's border, (n,)."""
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    median: NDArray[np.float64] = np.median(
        np.concatenate([edge.reshape(len(images), -1) for edge in edges], axis=1), axis=1
    )
    return median


def _some(items: Sequence[object]) -> str:
    """Return the first few of many, in words."""
    more = f" and {len(items) - _NAMED:,} more" if len(items) > _NAMED else ""
    return ", ".join(map(str, items[:_NAMED])) + more
