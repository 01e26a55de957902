"""Why a layer differs from float, if its weights or ranges show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.inspection.rounding import unexplained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.inspection import Kernel, TensorRange

_BIAS = 0.1  # of an output step: a shift that small is rounded away
_BIAS_STEP = 1.01  # of its own step: some quantizers cut off instead of rounding
_BIAS_FLOAT = 2e-3  # relative to the largest bias or weight, where the output is float
_SAME = 0.02  # relative: TFLite's own tolerance for the scale of a bias
_CLIPPED = 0.001  # share of values; percentile calibration clips less than that on purpose
_LITTLE = 0.25  # of the range
_APART = 8.0  # times; three of eight bits are lost
_FIXED = "softmax"  # its range is 0…1 in both formats, whatever the values
_NOISY_DB = 40.0  # above this no cause is needed


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a layer.

    Attributes:
        remark: in words; empty if nothing is.
        wrong: whether weights or biases are not those of the Keras model.

    Example:
        >>> Finding("1 of 72 weights is not the Keras model's", wrong=True).wrong
        True
    """

    remark: str = ""
    wrong: bool = False


def find(
    kind: str,
    kernels: tuple[Kernel, Kernel] | None,
    held: TensorRange | None,
    saturated: float,
    use: float,
    own_sqnr: float,
) -> Finding:
    """Return the likeliest cause for the error of a layer.

    Args:
        kind: its operator.
        kernels: its weights in the file and in float; None if it has none.
        held: what its output can hold; None in float.
        saturated: share of real values beyond that range.
        use: share of that range which real values use.
        own_sqnr: dB, of the layer alone.

    Example:
        >>> from toolkit.inspection import TensorRange
        >>> held = TensorRange(-1.0, 1.0, 2 / 255)
        >>> find("Conv", None, held, saturated=0.2, use=1.0, own_sqnr=5.0).remark
        '20% of its values are clipped: calibration'
    """
    texts = constants(*kernels, held) if kernels else []
    wrong = bool(texts)
    if held is not None and saturated > _CLIPPED:
        texts.append(f"{_percent(saturated)} of its values are clipped: calibration")
    if own_sqnr < _NOISY_DB and not wrong:
        spread = _spread(kernels[0]) if kernels else 1.0
        if spread > _APART:
            texts.append(
                f"weights of its channels differ by a factor of {spread:.0f} and share one scale"
            )
        if held is not None and use < _LITTLE and kind.lower() != _FIXED:
            texts.append(f"its values use only {use:.0%} of its range: calibration")
    return Finding("; ".join(texts), wrong)


def wrong_weights(stored: Kernel, model: Kernel) -> int:
    """Return how many weights neither rounding nor clipping explains.

    Args:
        stored: in the file.
        model: in the float graph of the same format.

    Example::

        count = wrong_weights(quantized.kernels()[0], original.kernels()[0])
    """
    return int(unexplained(stored.matrix, model.matrix, stored.step).sum())


def expected_step(stored: Kernel, model: Kernel) -> float | None:
    """Return the step that a layer's input had when it was converted.

    The bias is stored in steps of the input times steps of the weights.

    Returns:
        None if the bias or the weights are float, or the weights are not the model's.

    Example::

        step = expected_step(quantized.kernels()[0], original.kernels()[0])
    """
    if stored.bias_step is None or not stored.bias_step.all() or not stored.step.all():
        return None
    if stored.values.shape != model.values.shape or wrong_weights(stored, model):
        return None
    return float(np.median(stored.bias_step / stored.step))


def differs(step: float, expected: float) -> bool:
    """Whether two steps differ by more than formats allow.

    Example:
        >>> differs(0.0101, 0.01), differs(0.02, 0.01)
        (False, True)
    """
    return abs(step - expected) > _SAME * expected


def constants(stored: Kernel, model: Kernel, held: TensorRange | None) -> list[str]:
    """Return what is wrong with the weights and biases of a layer, in words.

    Args:
        stored: in the file.
        model: in the float graph of the same format.
        held: what the layer's output can hold; None in float.

    Example::

        texts = constants(stored, model, quantized.output_range(layer))
    """
    if stored.values.shape != model.values.shape:
        return ["its weights have another shape than those of the Keras model"]
    texts = []
    if count := wrong_weights(stored, model):
        texts.append(_not_theirs(count, stored.values.size, "weight"))
    if count := _wrong_biases(stored, model, held):
        texts.append(_not_theirs(count, len(stored.step), "bias"))
    return texts


def _wrong_biases(stored: Kernel, model: Kernel, held: TensorRange | None) -> int:
    zero: NDArray[np.float32] = np.zeros(len(stored.step), np.float32)
    actual = zero if stored.bias is None else stored.bias
    expected = zero if model.bias is None else model.bias
    largest = float(np.abs(expected).max(initial=0.0))
    allowed = _BIAS * held.step if held else _BIAS_FLOAT * (largest or 1.0)
    rounding = 0.0 if stored.bias_step is None else _BIAS_STEP * stored.bias_step
    return int((np.abs(actual - expected) > np.maximum(allowed, rounding)).sum())


def _not_theirs(count: int, total: int, what: str) -> str:
    plural = {"weight": "weights", "bias": "biases"}[what]
    verb = "is" if count == 1 else "are"
    return f"{count:,} of {total:,} {plural} {verb} not the Keras model's"


def _spread(kernel: Kernel) -> float:
    """Return the ratio of the largest weights of two channels that share one scale."""
    if len(kernel.step) < 2 or kernel.step[0] == 0 or np.ptp(kernel.step) > 0:
        return 1.0
    largest = np.abs(kernel.matrix).max(axis=0)
    least = float(kernel.step[0]) / 2  # what is smaller became zero
    return float(largest.max() / max(largest.min(), least))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
