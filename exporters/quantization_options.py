"""How a model is quantized, where a format leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import UnknownNameError

MIN_MAX, PERCENTILE, ENTROPY, MSE = "min-max", "percentile", "entropy", "mse"
METHODS = {
    MIN_MAX: "lowest and highest value",
    PERCENTILE: "all but the outermost 0.01 % of the values",
    ENTROPY: "the range whose histogram changes least (Kullback-Leibler)",
    MSE: "the range with the least mean squared error",
}
KEPT_PERCENT = 99.99  # of the values, by the method "percentile"


@dataclass(frozen=True, slots=True)
class QuantizationOptions:
    """The choices; the defaults are what the format does by itself.

    Attributes:
        per_channel: whether each output channel's weights have a scale of their own.
        method: how ranges are taken from activations, a key of :data:`METHODS`.
        float_layers: layers that stay in float. TFLite: the name of the operator's output
            tensor in the float file. ONNX: the name of the node in the prepared float
            graph (:func:`exporters.onnx.quantize.prepare`).
    """

    per_channel: bool = True
    method: str = MIN_MAX
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such method.
        """
        if self.method not in METHODS:
            raise UnknownNameError("calibration method", self.method, METHODS)
