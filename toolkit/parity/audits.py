"""What outputs alone may not show: weights, input range, preprocessing, label names."""

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
_ARRAYS = 16  # that are turned into pictures
_SAME_PIXELS = 1e-3  # of the range; a quarter of an int8 step


def read_graph(artifact: Artifact) -> GraphView | None:
    """Read the graph of a model file; None if it is of a kind that cannot be read.

    Example::

        graph = read_graph(artifacts.read("mnist-cnn.int8.tflite"))
    """
    try:
        return view(artifact.data, artifact.suffix)
    except (ArtifactError, ExportError):
        return None


def weights(graph: GraphView, artifact: Artifact, reference: Reference) -> tuple[str, ...]:
    """Return a text for each layer whose weights, biases or scales are not the model's.

    A file of another tool in which most layers differ is judged by its outputs only: that
    tool may choose its weights in another way.

    Example::

        for text in weights(read_graph(artifact), artifact, reference):
            print(text)  # layer conv2d: 1 of 72 weights is not the Keras model's; …
    """
    try:
        original = reference.float_view(artifact.suffix)
        foreign = artifact.manifest is None
        return changed(graph, original, allow_foreign=foreign) if original else ()
    except (ArtifactError, ExportError):
        return ()  # another network: its outputs show it


def pixels(
    ours: PreprocessSpec, theirs: PreprocessSpec, images: NDArray[np.uint8], evidence: str = ""
) -> tuple[str, ...]:
    """Return a text if a file turns pixels into other numbers than the model expects.

    Args:
        ours: the model's own preprocessing.
        theirs: that of the file.
        images: uint8 (n, height, width, channels).
        evidence: what else is known of it; the text starts with it.

    Example:
        >>> ours, theirs = PreprocessSpec(1, 1), PreprocessSpec(1, 1, scale=1.0)
        >>> print(*pixels(ours, theirs, np.full((1, 1, 1, 1), 255, np.uint8)))
        preprocessing mismatch: the file reads pixels with scale 1, mean 0, std 1, fit stretch,
        polarity as-is, the model's own preprocessing is scale 0.00392157, mean 0, ...
    """
    expected, actual = ours.apply(images), theirs.apply(images)
    if np.abs(expected - actual).max() <= _SAME_PIXELS * max(float(np.ptp(expected)), 1e-6):
        return ()
    return (
        (
            f"preprocessing mismatch: {evidence}the file reads pixels with {in_words(theirs)}, the "
            f"model's own preprocessing is {in_words(ours)}"
        ),
    )


def input_range(graph: GraphView, batch: NDArray[np.float32]) -> tuple[str, ...]:
    """Return a text if the quantized input does not fit the values of real images.

    Args:
        graph: of the file.
        batch: float32 real images in model units.

    Example::

        for text in input_range(graph, spec.apply(dataset.x_test)):
            print(text)  # real images use only 10% of the quantized input's range: …
    """
    held = graph.input_range()
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

    Example:
        >>> print(*label_names(("cat", "dog"), ("dog", "cat")))
        its labels are in another order than Keras's: output 0 is 'dog', in Keras 'cat', ...
        >>> label_names(("cat", "dog"), ("Katze", "Hund"))  # names in another language
        ()
    """
    pairs = enumerate(zip(ours, theirs, strict=True))
    moved = [(i, a, b) for i, (a, b) in pairs if a != b and b in ours]
    if not moved:
        return ()
    shown = ", ".join(f"output {i} is '{b}', in Keras '{a}'" for i, a, b in moved[:3])
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    return (f"its labels are in another order than Keras's: {shown}{more}",)


def pictures(
    classifier: Classifier,
    reference: Reference,
    images: NDArray[np.uint8],
    budget: ParityBudget,
) -> tuple[str, ...]:
    """Return a text if image files are preprocessed differently than for Keras.

    Framing and polarity do not apply to arrays of the model's size; to pictures they do.
    The same pictures go through both preprocessings: unchanged, wider by half, inverted,
    and inside a picture of twice the size.

    Example::

        for text in pictures(classifier, reference, images, budget):
            print(text)  # preprocessing mismatch: other label than Keras, or none, on …
    """
    if _framing(classifier.spec) == _framing(reference.spec):
        return ()
    ours, theirs, unread = _read(images, reference.spec, classifier.spec)
    flips = unread
    if len(ours):
        outputs = classifier.predict_batch(theirs)
        found = agreement(reference.predict_images(ours), outputs, budget.tie_margin)
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
    """Return the parts of a preprocessing in words.

    Example:
        >>> in_words(PreprocessSpec(28, 28, scale=0.5, polarity="auto"))
        'scale 0.5, mean 0, std 1, fit stretch, polarity auto'
    """
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
    """Return pictures as each of the two reads them, and how many only ours can read."""
    from PIL import Image

    read: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    unread = 0
    for array in images[:_ARRAYS]:
        picture = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        for variant in _variants(picture):
            try:
                expected = ours.prepare(variant).pixels
            except InputError:  # blank, for example
                continue
            try:
                read.append((expected, theirs.prepare(variant).pixels))
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
