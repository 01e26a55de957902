"""Chooses golden inputs for a model file and puts them into it.

``toolkit verify --golden`` does so for every file that passed the gate, and
``runtime verify`` replays them on the device. They are test images of the user, and
everyone who has the file can view them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import ArtifactError, InputError, ParityError
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.files import write_atomically
from runtime.modelfile.golden import Golden, to_strip
from runtime.selftest import judge
from runtime.tasks.classification import margins
from toolkit.parity import budget_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import Accuracy

MAX_IMAGES = 40
MAX_BYTES = 256 * 1024  # of the PNG file
_MAX_NUMBERS = 20_000  # probabilities in all: about 200 kB of JSON
_DIGITS = 6  # of a probability


@dataclass(frozen=True, slots=True)
class GoldenRule:
    """Limits on a choice of golden inputs.

    Attributes:
        rounding: how far the arithmetic of another machine may move a probability, 0…1.
        limit: the tolerance is never larger than this, 0…1.
        dataset: which images are chosen from, in words.
        max_images: how many at most.
        max_bytes: of the PNG file that holds them.

    Example:
        >>> GoldenRule(rounding=0.1, limit=0.5, dataset="mnist test images").max_images
        40
    """

    rounding: float
    limit: float
    dataset: str
    max_images: int = MAX_IMAGES
    max_bytes: int = MAX_BYTES

    @classmethod
    def of(cls, format_name: str, budget: ParityBudget, dataset: str) -> GoldenRule:
        """Return the rule for a format.

        Rounding may move a probability by the format's tie margin: 0.1 for int8, where
        one step of the logits made up to 0.098 between XNNPACK and the reference kernels
        (10,000 MNIST images), and 1e-4 for float32, where machines differed by 5e-6.

        Args:
            format_name: for example ``tflite-int8``.
            budget: what the file was judged by.
            dataset: which images, in words.

        Example:
            >>> from exporters.budget import INTEGER
            >>> rule = GoldenRule.of("tflite-int8", INTEGER, "mnist test images")
            >>> rule.rounding, rule.limit
            (0.1, 0.5)
        """
        return cls(budget_for(format_name).tie_margin, budget.max_abs_error, dataset)


def add_golden(
    artifact: Artifact,
    outputs: NDArray[np.float32],
    expected: NDArray[np.float32],
    images: NDArray[np.uint8],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    accuracy: Accuracy,
    budget: ParityBudget,
) -> Artifact:
    """Choose golden inputs for a file that passed the gate, and write it with them.

    Args:
        artifact: the file; made by this toolkit.
        outputs: its probabilities, (n, classes).
        expected: the Keras model's probabilities, (n, classes).
        images: uint8 (n, height, width, channels), of the model's size.
        truth: (n,), the true classes.
        labels: the class names, in the order of the Keras model's output.
        accuracy: what was measured on all images; replaces the record in the file, if these
            are images of the data that the model was trained on.
        budget: what the file was judged by.

    Returns:
        The file as it was read back from disk.

    Raises:
        ArtifactError: another tool made the file.
        ParityError: its class names are not the model's, or it is too far from Keras.
        InputError: no image can be used.

    Example::

        file = add_golden(file, outputs, expected, images, truth, labels, accuracy, budget)
    """
    if artifact.manifest is None:
        raise ArtifactError(
            f"{artifact.path} has no manifest that could hold golden inputs; export it with "
            "this toolkit: toolkit export"
        )
    rule = GoldenRule.of(artifact.manifest.format, budget, accuracy.dataset)
    if artifact.manifest.labels != tuple(labels):
        raise ParityError(
            f"{artifact.path} names its classes {', '.join(artifact.manifest.labels)}, the Keras "
            f"model {', '.join(labels)}; export it again: toolkit export"
        )
    golden = choose(images, truth, expected, outputs, labels, rule)
    return seal(artifact, golden, accuracy)


def seal(artifact: Artifact, golden: Golden, accuracy: Accuracy) -> Artifact:
    """Write a file again, atomically, with golden inputs and accuracy in its manifest.

    Returns:
        The file as it was read back from disk.

    Raises:
        ArtifactError: another tool made the file.
        InputError: the golden inputs are not of the model's size.
        OSError: it cannot be written.

    Example::

        file = seal(file, golden, found.as_accuracy("mnist test images"))
    """
    if artifact.manifest is None:
        raise ArtifactError(f"{artifact.path} has no manifest; export it: toolkit export")
    golden.check_fits(artifact.manifest.preprocess.shape, len(artifact.manifest.labels))
    own = accuracy.dataset.startswith(artifact.manifest.created.dataset)
    if artifact.manifest.accuracy and not own:
        accuracy = artifact.manifest.accuracy  # other data proves less than the model's own
    manifest = replace(artifact.manifest, golden=golden, accuracy=accuracy)
    write_atomically(artifact.path, artifacts.restate(artifact, manifest).data)
    return artifacts.read(artifact.path)


def choose(
    images: NDArray[np.uint8],
    truth: NDArray[np.int64],
    expected: NDArray[np.float32],
    outputs: NDArray[np.float32],
    labels: Sequence[str],
    rule: GoldenRule,
) -> Golden:
    """Choose images near the decision boundary and far from it, of every class.

    The choice is deterministic: the same arguments give the same record.

    Args:
        images: uint8 (n, height, width, channels).
        truth: (n,), the true classes.
        expected: the Keras model's probabilities, (n, classes).
        outputs: the file's probabilities, (n, classes).
        labels: the class names.
        rule: sizes and limits.

    Returns:
        The record. Its tolerance is the file's own error on these images plus what
        another machine may add.

    Raises:
        InputError: no image can be used.
        ParityError: the file is further from Keras than the limit allows.

    Example:
        >>> images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
        >>> outputs = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]], np.float32)
        >>> rule = GoldenRule(rounding=0.05, limit=0.5, dataset="four pixels")
        >>> golden = choose(
        ...     images, np.array([0, 0, 1, 1]), outputs, outputs, ("dark", "light"), rule
        ... )
        >>> golden.truth, golden.tolerance
        ((0, 1, 0, 1), 0.05)
    """
    first, second = _ranked(expected, outputs, rule.rounding)
    chosen, png = _fit(first, second, images, rule, expected.shape[1])
    error = float(np.abs(expected[chosen] - outputs[chosen]).max())
    golden = _record(png, truth[chosen], expected[chosen], labels, error, rule)
    if reasons := judge(golden, outputs[chosen], labels):
        raise ParityError(f"the file would fail its own golden inputs: {'; '.join(reasons)}")
    return golden


def _record(
    png: bytes,
    truth: NDArray[np.int64],
    expected: NDArray[np.float32],
    labels: Sequence[str],
    error: float,
    rule: GoldenRule,
) -> Golden:
    return Golden(
        images=base64.b64encode(png).decode("ascii"),
        answers=tuple(_rounded(row) for row in expected),
        truth=tuple(int(index) for index in truth),
        labels=tuple(labels),
        tolerance=round(min(error + rule.rounding, rule.limit), _DIGITS),
        tie_margin=round(2 * rule.rounding, _DIGITS),
        dataset=rule.dataset,
    )


def _ranked(
    expected: NDArray[np.float32], outputs: NDArray[np.float32], rounding: float
) -> tuple[list[int], list[int]]:
    """Return the indices to take first, one per class, and those to take after them.

    Classes are those that Keras predicts. Of each, one image is taken on which Keras is
    nearly undecided, but sure enough that rounding on another machine cannot change the
    label, and then one on which both are as sure as possible. The first kind shows small
    damage, the second kind is right on any machine that works.

    Raises:
        InputError: no image can be used.
    """
    first: list[int] = []
    second: list[int] = []
    margin = margins(expected)
    errors = np.abs(expected - outputs).max(axis=1)
    # Both of the two best may move, towards each other, by the error and the rounding.
    safety = margin - 2 * (errors + rounding)
    keras = expected.argmax(axis=1)
    usable = (keras == outputs.argmax(axis=1)) & ((safety >= 0) | (margin < 2 * rounding))
    for index in range(expected.shape[1]):
        own = np.flatnonzero(usable & (keras == index))
        if len(own) == 0:
            continue  # Keras never predicts it, or the file never agrees
        safe = own[safety[own] >= 0]
        near = safe[margin[safe].argmin()] if len(safe) else own[safety[own].argmax()]
        first.append(int(near))
        others = own[own != near]
        second += [int(others[safety[others].argmax()])] if len(others) else []
    if not first:
        raise InputError(
            "no image can be a golden input: on each the file gives another label than Keras, "
            "or is too near to it"
        )
    return first, second


def _fit(
    first: list[int], second: list[int], images: NDArray[np.uint8], rule: GoldenRule, classes: int
) -> tuple[list[int], bytes]:
    """Take as many as the limits allow; return their indices and their PNG file.

    If not all fit, every class gets its first image before any gets two; if not even
    these fit, classes are taken evenly.
    """
    count = max(1, min(rule.max_images, _MAX_NUMBERS // classes))
    while True:
        chosen = _take(first, second, count)
        png = to_strip(images[chosen])
        if len(png) <= rule.max_bytes:
            return chosen, png
        if len(chosen) == 1:
            raise InputError(
                f"one image of {images.shape[2]}x{images.shape[1]} takes {len(png):,} bytes as "
                f"PNG, golden inputs may take {rule.max_bytes:,}"
            )
        fitting = len(chosen) * rule.max_bytes // len(png)
        count = max(1, min(len(chosen) - 1, fitting))


def _take(first: list[int], second: list[int], count: int) -> list[int]:
    if count < len(first):
        return _evenly(first, count)
    return first + _evenly(second, count - len(first))


def _evenly(items: list[int], count: int) -> list[int]:
    if count >= len(items):
        return items
    return [items[step * len(items) // count] for step in range(count)]


def _rounded(row: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(min(max(float(value), 0.0), 1.0), _DIGITS) for value in row)
