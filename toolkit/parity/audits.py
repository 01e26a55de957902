"""What answers alone may not show: weights, input range, preprocessing, label names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exporters.check import agreement
from runtime.errors import ArtifactError, ExportError, InputError
from runtime.preprocess import PreprocessSpec
from toolkit.inspection import GraphView, view
from toolkit.parity.weights import audit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.artifact import Artifact
    from runtime.classifier import Classifier
    from toolkit.parity.reference import Reference

_CLIPPED = 0.01  # share of input values beyond what the quantized input holds
_LEAST_USED = 1 / 3  # of the quantized input's range; good calibration uses nearly all
_PICTURES = 64


def look_inside(artifact: Artifact) -> GraphView | None:
    """Open the graph of a model file; None where it is of a kind that cannot be read."""
    try:
        return view(artifact.data, artifact.suffix)
    except (ArtifactError, ExportError):
        return None


def weights(inside: GraphView, reference: Reference) -> tuple[str, ...]:
    """Return a text for each layer in which single weights are not those of Keras."""
    return tuple(map(str, audit(inside.kernels(), reference.kernels)))


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
    if ours == theirs or sorted(ours) != sorted(theirs):
        return ()
    moved = [(i, a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
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
    pictures, as they are and a half wider, go through both preprocessings.
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
    for array in images[: _PICTURES // 2]:
        picture = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        for shown in (picture, picture.resize((picture.width * 3 // 2, picture.height))):
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
