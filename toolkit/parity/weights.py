"""The weight audit: are the weights in a file those of the Keras model?

The answers cannot show that one weight of a hundred thousand is wrong; the weights can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.inspection.rounding import unexplained

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    from numpy.typing import NDArray

    from toolkit.inspection import Kernel

_FEW = 0.01  # more weights than this share: not a damage but another way of quantizing


@dataclass(frozen=True, slots=True, eq=False)
class ModelKernel:
    """The weights of one Keras layer.

    Attributes:
        layer: its name.
        forms: float32 (inputs, outputs) matrices, one column an output channel: as they
            are, and with the batch normalisation behind the layer folded in.
    """

    layer: str
    forms: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class WeightFinding:
    """Weights of one layer that are not Keras's.

    Attributes:
        layer: its name.
        wrong: how many of its weights.
        total: how many it has.
        found: the value in the file that is farthest off.
        expected: Keras's.
    """

    layer: str
    wrong: int
    total: int
    found: float
    expected: float

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"layer {self.layer}: {self.wrong:,} of {self.total:,} weights "
            f"{'is' if self.wrong == 1 else 'are'} not Keras's (worst: {self.found:.4g} instead "
            f"of {self.expected:.4g}); the file was damaged or changed after conversion"
        )


def model_kernels(model: keras.Model) -> tuple[ModelKernel, ...]:
    """Return the weights of all convolutions and dense layers of a model, in order."""
    return tuple(_kernels(model))


def audit(stored: tuple[Kernel, ...], model: tuple[ModelKernel, ...]) -> tuple[WeightFinding, ...]:
    """Return the layers in which a few weights are not those of the Keras model.

    A layer in which many differ is left to the answers: another way of quantizing
    changes many weights a little, and many wrong ones change the answers.

    Args:
        stored: the weights in the file.
        model: the weights of the Keras model.
    """
    rest = list(model)
    findings = []
    for kernel in stored:
        matrix = kernel.matrix
        match = _partner(kernel.layer, matrix, rest)
        if match is None:
            continue
        rest.remove(match)
        finding = _compare(kernel, matrix, match)
        if finding and finding.wrong <= max(1, _FEW * finding.total):
            findings.append(finding)
    return tuple(findings)


def _partner(name: str, matrix: NDArray[np.float32], rest: list[ModelKernel]) -> ModelKernel | None:
    """Find the Keras layer: by name, else the first one of that shape."""
    fitting = [kernel for kernel in rest if kernel.forms[0].shape == matrix.shape]
    named = [kernel for kernel in fitting if kernel.layer == name]
    return next(iter(named or fitting), None)


def _compare(
    kernel: Kernel, matrix: NDArray[np.float32], model: ModelKernel
) -> WeightFinding | None:
    """Compare in place; a layer that is stored in another order, sorted."""
    findings = []
    for form in model.forms:
        stored, wanted = matrix, form
        if not kernel.keras_order:
            stored, wanted = np.sort(matrix, axis=0), np.sort(form, axis=0)
        off = unexplained(stored, wanted, kernel.step)
        if not off.any():
            return None
        worst = np.unravel_index(np.argmax(np.abs(stored - wanted) * off), off.shape)
        found, expected = float(stored[worst]), float(wanted[worst])
        findings.append(WeightFinding(model.layer, int(off.sum()), off.size, found, expected))
    return min(findings, key=lambda finding: finding.wrong)


def _kernels(model: keras.Model) -> Iterator[ModelKernel]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _kernels(layer)
            continue
        for name in ("depthwise_kernel", "pointwise_kernel", "kernel"):
            weight = getattr(layer, name, None)
            if weight is not None:
                depthwise = name == "depthwise_kernel" or "Depthwise" in type(layer).__name__
                yield _kernel(layer, np.asarray(weight, np.float32), depthwise=depthwise)


def _kernel(layer: Any, weights: NDArray[np.float32], *, depthwise: bool) -> ModelKernel:
    if depthwise:
        matrix = weights.reshape(weights.shape[0] * weights.shape[1], -1)
    else:
        matrix = weights.reshape(-1, weights.shape[-1])
    factor = _folded_factor(layer)
    if factor is None or len(factor) != matrix.shape[1]:
        return ModelKernel(layer.name, (matrix,))
    return ModelKernel(layer.name, (matrix, matrix * factor))


def _folded_factor(layer: Any) -> NDArray[np.float32] | None:
    """Return what a converter multiplies the weights with for the batch norm behind them."""
    # One call of a model inside another adds a node, so the same layer may follow twice.
    followers = list({id(n.operation): n.operation for n in layer._outbound_nodes}.values())  # noqa: SLF001 - no other way
    if len(followers) != 1 or type(followers[0]).__name__ != "BatchNormalization":
        return None
    norm = followers[0]
    scale = np.asarray(norm.gamma, np.float64) if norm.scale else 1.0
    variance = np.asarray(norm.moving_variance, np.float64)
    factor: NDArray[np.float32] = (scale / np.sqrt(variance + norm.epsilon)).astype(np.float32)
    return factor
