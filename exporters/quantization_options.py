"""Quantization options: granularity, calibration method, layers in float."""

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
    """Options of post-training quantization; the defaults are those of the format.

    Attributes:
        per_channel: quantize weights per channel; False quantizes them per tensor.
        method: calibration method, a key of :data:`METHODS`.
        float_layers: layers that stay in float32. TFLite: the name of the operator's
            output tensor in the float file. ONNX: the name of the node in the prepared
            float graph (:func:`exporters.onnx.quantize.prepare`).

    Example:
        >>> QuantizationOptions(method="percentile").per_channel
        True
        >>> QuantizationOptions(method="entropi")
        Traceback (most recent call last):
        runtime.errors.UnknownNameError: unknown calibration method 'entropi'. Did you mean ...
    """

    per_channel: bool = True
    method: str = MIN_MAX
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Validate the fields.

        Raises:
            UnknownNameError: there is no such method.
        """
        if self.method not in METHODS:
            raise UnknownNameError("calibration method", self.method, METHODS)
