"""Checks of the content of a dataset before the first epoch."""

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

_CHUNK = 4096  # images read together: bounds the memory if they are on disk
_LIGHT = 127.5  # a border lighter than this is a light background
_HALF = 0.5  # of the images: more is neither an exception nor chance
_DIM = 64  # of 255: if no image of a part is brighter, its scale is another one
_RATIO = 2  # times brighter: training and test images were scaled differently
_UNEVEN = 10  # times as many images as the rarest class has
_LISTED = 5  # classes or images that a finding lists


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in the data.

    Attributes:
        kind: ``missing-class``, ``uneven-classes``, ``constant-image``, ``inverted``,
            ``unscaled``, ``differing-parts`` or ``one-color``.
        text: the problem and how to fix it, in one line.
        fatal: no model can be trained on such data.

    Example:
        >>> Finding("one-color", "each of the training images has one colour", fatal=True).fatal
        True
    """

    kind: str
    text: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Pixel statistics of one part of a dataset.

    Attributes:
        name: ``training`` or ``test``.
        images: number of images.
        darkest: the lowest pixel of all images, 0…255.
        brightest: the highest.
        constant: int64, indices of the images in which all pixels of a channel are equal.
        light: share of the images with a light border, 0…1; constant ones do not count.

    Example:
        >>> summarize("test", np.full((3, 8, 8, 1), 200, np.uint8)).constant
        array([0, 1, 2])
    """

    name: str
    images: int
    darkest: int
    brightest: int
    constant: NDArray[np.int64]
    light: float


def checked(dataset: Dataset) -> Dataset:
    """Return the dataset with a note for each finding.

    Raises:
        DataError: no model can be trained on it.

    Example::

        for note in checked(load_dataset(options)).notes:
            print(note)
    """
    found = findings(dataset)
    for finding in found:
        if finding.fatal:
            raise DataError(f"{dataset.name}: {finding.text}")
    notes = tuple(f"Warning: {finding.text}" for finding in found)
    return replace(dataset, notes=(*dataset.notes, *notes)) if notes else dataset


def findings(dataset: Dataset) -> list[Finding]:
    """Check a dataset: classes without images, pixels in another scale, and so on.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> from toolkit.datasets import Dataset
        >>> x = np.random.default_rng(0).integers(0, 40, (4, 8, 8, 1), np.uint8)
        >>> y = np.array([0, 1, 0, 1])
        >>> dim = Dataset("dim", x, y, x, y, ("off", "on"), PreprocessSpec(8, 8))
        >>> [finding.kind for finding in findings(dim)]
        ['unscaled', 'unscaled']
    """
    training, test = summarize("training", dataset.x_train), summarize("test", dataset.x_test)
    return [
        *classes("training", dataset.y_train, dataset.labels),
        *classes("test", dataset.y_test, dataset.labels),
        *pixels(training),
        *pixels(test),
        *background(training, dataset.spec),
        *differing(training, test),
    ]


def summarize(name: str, images: NDArray[np.uint8]) -> Part:
    """Compute the pixel statistics of a part in one pass.

    Args:
        name: of the part.
        images: uint8 (n, height, width, channels), at least one; may be on disk.

    Example:
        >>> part = summarize("training", np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1))
        >>> part.darkest, part.brightest
        (0, 63)
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
    """Find classes without images, and classes with far more images than others.

    Args:
        part: ``training`` or ``test``.
        y: (n,), indices into ``labels``.
        labels: the class names.

    Example:
        >>> [finding.kind for finding in classes("test", np.array([0, 0]), ("off", "on"))]
        ['missing-class']
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
    """Find images of one colour, and a part whose pixels do not use the range 0…255.

    Example:
        >>> images = np.zeros((1, 8, 8, 1), np.uint8)
        >>> pixels(summarize("test", images))[0].text
        'each of the test images has one colour'
    """
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
    """Find a light background where preprocessing makes the background dark.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> background(Part("training", 9, 0, 255, np.array([]), 0.9), PreprocessSpec(8, 8))
        []
    """
    dark = spec.polarity != "as-is" or spec.fit == "center-of-mass"
    if not dark or training.light <= _HALF:
        return []
    text = (
        f"{training.light:.0%} of the training images have a light background: they look "
        f"inverted, because with polarity {spec.polarity} and fit {spec.fit} a photo becomes light "
        "on dark. Store 255 minus the pixels, or train with --polarity as-is --fit pad"
    )
    return [Finding("inverted", text)]


def differing(training: Part, test: Part) -> list[Finding]:
    """Find test images that were made in another way than the training images.

    Example:
        >>> training, test = (Part("training", 9, 0, 255, np.array([]), share) for share in (0, 1))
        >>> [finding.kind for finding in differing(training, test)]
        ['differing-parts']
    """
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
    """Return the first few items as text."""
    more = f" and {len(items) - _LISTED:,} more" if len(items) > _LISTED else ""
    return ", ".join(map(str, items[:_LISTED])) + more
