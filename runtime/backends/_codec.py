"""Encoding of images into the input tensor of a model, and decoding of its output tensor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends.quantization import dequantize, quantize
from runtime.backends.tensors import image_shape
from runtime.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.modelfile.manifest import TensorSpec
    from runtime.preprocessing.spec import PreprocessSpec

_LEVELS = 256  # values of a pixel, and of an 8-bit output
_FEW = 1 << 16  # pixels: up to so many, a table beats arithmetic also for float32 inputs


class Codec:
    """Encodes inputs and decodes outputs of one model; tables are computed once.

    A uint8 pixel has 256 values per channel, and so has an 8-bit output. Both are looked up in
    tables filled by the exact steps (``PreprocessSpec.apply``, ``quantize``, ``dequantize``):
    the result is the same, bit for bit. Returned arrays are never written to again.

    Attributes:
        image_shape: height, width and channels of one input image.
        raw_pixels: whether the input holds integers without a scale, which are pixels 0…255.

    Example:
        >>> from runtime.modelfile.manifest import TensorSpec
        >>> image = TensorSpec("image", (1, 2, 2, 1), "int8", "NHWC", 1 / 255, -128)
        >>> codec = Codec(image, TensorSpec("scores", (1, 2), "int8", "NC", 1 / 256, -128))
        >>> codec.encode(np.full((1, 2, 2, 1), 1.0, np.float32)).ravel()
        array([127, 127, 127, 127], dtype=int8)
        >>> codec.decode(np.array([[-128, 0]], np.int8))
        array([[0. , 0.5]], dtype=float32)
    """

    def __init__(self, input_tensor: TensorSpec, output_tensor: TensorSpec) -> None:
        """Prepare for the input and the output tensor of a model."""
        self._input, self._output = input_tensor, output_tensor
        self.image_shape = image_shape(input_tensor)
        self._integer = np.issubdtype(np.dtype(input_tensor.dtype), np.integer)
        self.raw_pixels = input_tensor.scale is None and bool(self._integer)
        self._scores: NDArray[np.float32] | None = None
        self._spec: PreprocessSpec | None = None
        self._tables: NDArray[Any] = np.empty(0)
        dtype = np.dtype(output_tensor.dtype)
        if output_tensor.scale is not None and dtype.itemsize == 1:
            self._scores = self._dequantize(np.arange(_LEVELS).astype(np.uint8).view(dtype))

    def takes(self, images: NDArray[Any], spec: PreprocessSpec) -> bool:
        """Whether :meth:`encode_images` accepts these images and is faster."""
        if images.dtype != np.uint8 or not (self._integer or images.size <= _FEW):
            return False
        return (spec is self._spec or spec.shape == self.image_shape) and len(images) > 0

    def encode_images(self, images: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[Any]:
        """Encode pixels; the same as ``encode(spec.apply(images))``.

        Args:
            images: uint8 (n, height, width) or (n, height, width, channels), 0…255.
            spec: preprocessing, for images of the model's size.

        Returns:
            (n, height, width, channels), or (n, channels, height, width) if the layout of
            the model is ``NCHW``, in the dtype of the input tensor.

        Raises:
            InputError: another shape.
        """
        spec.check(images)
        if spec is not self._spec:
            self._tables, self._spec = self._pixel_tables(spec), spec
        images = images.reshape(len(images), *spec.shape)
        if self._input.layout == "NCHW":
            images = images.transpose(0, 3, 1, 2)
        if len(self._tables) == 1:
            encoded: NDArray[Any] = self._tables[0].take(images)
            return encoded
        encoded = np.empty(images.shape, self._input.dtype)
        axis = 1 if self._input.layout == "NCHW" else 3
        targets, sources = np.moveaxis(encoded, axis, 0), np.moveaxis(images, axis, 0)
        for channel, pixels, table in zip(targets, sources, self._tables, strict=True):
            channel[...] = table.take(pixels)
        return encoded

    def encode(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Encode values in model units, float32 (n, height, width, channels)."""
        if self._input.layout == "NCHW":
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        return self._quantize(batch)

    def decode(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Convert the output of the model to float32 of the same shape."""
        if self._scores is not None:
            return self._scores.take(scores.view(np.uint8))
        if self._output.scale is None:
            return scores.astype(np.float32, copy=False)
        return self._dequantize(scores)

    def _quantize(self, values: NDArray[np.float32]) -> NDArray[Any]:
        tensor = self._input
        if self.raw_pixels:
            return quantize(values, 1.0, 0, tensor.dtype)
        if tensor.scale is None:
            return values.astype(tensor.dtype, copy=False)
        return quantize(values, tensor.scale, tensor.zero_point or 0, tensor.dtype)

    def _dequantize(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        tensor = self._output
        return dequantize(scores, tensor.scale or 1.0, tensor.zero_point or 0)

    def _pixel_tables(self, spec: PreprocessSpec) -> NDArray[Any]:
        """Return the code of each pixel value: (channels, 256), or (1, 256) if all are equal."""
        levels = np.arange(_LEVELS, dtype=np.uint8).reshape(-1, 1, 1, 1)
        pixels = np.repeat(levels, spec.channels, axis=3)
        values = replace(spec, height=1, width=1).apply(pixels)
        tables = np.ascontiguousarray(self._quantize(values)[:, 0, 0].T)
        return tables[:1] if (tables == tables[0]).all() else tables


def check_batch(name: str, batch: NDArray[Any], shape: tuple[int, int, int]) -> None:
    """Refuse a batch that is not float32 (n, height, width, channels).

    Raises:
        InputError: another shape or dtype.

    Example:
        >>> check_batch("litert", np.zeros((8, 28, 28, 1), np.float32), (28, 28, 1))
    """
    if batch.dtype != np.float32 or batch.shape[1:] != shape:
        raise InputError(
            f"{name} expects float32 (n, {', '.join(map(str, shape))}), "
            f"got {batch.dtype} {tuple(batch.shape)}"
        )
