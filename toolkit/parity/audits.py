"""What answers alone may not show: weights, input range, preprocessing, label names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exporters.check import agreement
from runtime.errors import ArtifactError, ExportError, InputError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.diagnosis.constants import changed
from toolkit.inspection import GraphView, view

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from exporters.budget import ParityBudget
    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact
    from toolkit.parity.reference import Reference

_CLIPPED = 0.01  # share of input values beyond what the quantized input holds
_LEAST_USED = 1 / 3  # of the quantized input's range; good calibration uses nearly all
_ARRAYS = 16  # that are made into pictures
_SAME_PIXELS = 1e-3  # of the range; a quarter of an int8 step


def look_inside(artifact: Artifact) -> GraphView | None:
    """Open the graph of a model file; None where it is of a kind that cannot be read."""
    try:
        return view(artifact.data, artifact.suffix)
    except (ArtifactError, ExportError):
        return None


def weights(inside: GraphView, artifact: Artifact, reference: Reference) -> tuple[str, ...]:
    """Return a text for each layer whose weights, biases or scales are not the model's.

    A file of another tool in which most layers differ is left to its answers: that tool
    may choose its weights in another way.
    """
    try:
        original = reference.float_view(artifact.suffix)
        elsewhere = artifact.manifest is None
        return changed(inside, original, allow_foreign=elsewhere) if original else ()
    except (ArtifactError, ExportError):
        return ()  # another network: the answers tell


def pixels(
    ours: PreprocessSpec, theirs: PreprocessSpec, images: NDArray[np.uint8], told: str = ""
) -> tuple[str, ...]:
    """Return a text if a file turns pixels into other numbers than the model expects.

    Args:
        ours: the model's own preprocessing.
        theirs: that of the file.
        images: uint8 (n, height, width, channels).
        told: what else is known of it; stands first in the text.
    """
    wanted, given = ours.apply(images), theirs.apply(images)
    if np.abs(wanted - given).max() <= _SAME_PIXELS * max(float(np.ptp(wanted)), 1e-6):
        return ()
    return (
        (
            f"preprocessing mismatch: {told}the file reads pixels with {in_words(theirs)}, the "
            f"model's own preprocessing is {in_words(ours)}"
        ),
    )


def input_range(inside: GraphView, batch: NDArray[np.float32]) -> tuple[str, ...]:
    """Return a text if the quantized input does not fit the values of real images.

    Args:
        inside: the graph.
        batch: float32 real images in model units.
    """
    held = inside.input_range()
    if held is None:
        return ()
    low, high = float(batch.min()), float(batch.max())
    clipped = float(((batch < held.low - held.step) | (batch > held.high + held.step)).mean())
    used = (min(high, held.high) - max(low, held.low)) / (held.high - held.low)
    fact = f"its input holds {held.low:.4g} … {held.high:.4g}, real images {low:.4g} … {high:.4g}"
    if clipped > _CLIPPED:
        return (
            (
                f"{clipped:.1%} of the input values are cut off: {fact}; the zero point or the "
                "scale of the input is wrong, or the calibration images were not like real ones"
            ),
        )
    if used < _LEAST_USED:
        return (
            (
                f"real images use only {max(used, 0):.0%} of the quantized input's range: {fact}; "
                "the calibration images were not like real ones"
            ),
        )
    return ()


def label_names(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Return a text if a file uses Keras's class names for other outputs.

    Args:
        ours: Keras's class names.
        theirs: those of the file.
    """
    pairs = enumerate(zip(ours, theirs, strict=True))
    moved = [(i, a, b) for i, (a, b) in pairs if a != b and b in ours]
    if not moved:
        return ()
    shown = ", ".join(f"output {i} is '{b}', in Keras '{a}'" for i, a, b in moved[:3])
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    return (f"its labels stand in another order than Keras's: {shown}{more}",)


def pictures(
    classifier: Classifier,
    reference: Reference,
    images: NDArray[np.uint8],
    budget: ParityBudget,
) -> tuple[str, ...]:
    """Return a text if image files are read otherwise than for Keras.

    Arrays of the model's size go past framing and polarity; pictures do not. The same
    pictures go through both preprocessings: as they are, a half wider, as a negative, and
    small in a corner of a larger one.
    """
    if _framing(classifier.spec) == _framing(reference.spec):
        return ()
    ours, theirs, unread = _read(images, reference.spec, classifier.spec)
    flips = unread
    if len(ours):
        answers = classifier.predict_batch(theirs)
        found = agreement(reference.answer(ours), answers, budget.tie_margin)
        flips += found.flips(len(ours))
    total = len(ours) + unread
    if total == 0 or flips <= budget.allowed_flips(total):
        return ()
    return (
        (
            f"preprocessing mismatch: other label than Keras, or none, on {flips} of {total} "
            f"pictures; the file's is {in_words(classifier.spec)}, the model's own "
            f"{in_words(reference.spec)}"
        ),
    )


def in_words(spec: PreprocessSpec) -> str:
    """Return the parts of a preprocessing in words."""
    numbers = "/".join(f"{v:g}" for v in spec.mean), "/".join(f"{v:g}" for v in spec.std)
    return (
        f"scale {spec.scale:.6g}, mean {numbers[0]}, std {numbers[1]}, fit {spec.fit}, "
        f"polarity {spec.polarity}"
    )


def _framing(spec: PreprocessSpec) -> tuple[str, str]:
    return spec.fit, spec.polarity


def _read(
    images: NDArray[np.uint8], ours: PreprocessSpec, theirs: PreprocessSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """Return pictures as both read them, and how many only ours can read."""
    from PIL import Image

    read: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    unread = 0
    for array in images[:_ARRAYS]:
        picture = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        for shown in _variants(picture):
            try:
                wanted = ours.prepare(shown).pixels
            except InputError:  # blank, for example
                continue
            try:
                read.append((wanted, theirs.prepare(shown).pixels))
            except InputError:
                unread += 1
    if not read:
        return images[:0], images[:0], unread
    first, second = zip(*read, strict=True)
    return np.stack(first), np.stack(second), unread


def _variants(picture: Image.Image) -> list[Image.Image]:
    from PIL import Image, ImageOps

    width, height = picture.size
    larger = Image.new(picture.mode, (2 * width, 2 * height), picture.getpixel((0, 0)))
    larger.paste(picture, (width // 4, height // 4))
    wider = picture.resize((width * 3 // 2, height))
    return [picture, wider, ImageOps.invert(picture), larger]
