"""From images to the input tensor of a model, and from its output tensor to scores."""

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
_FEW = 1 << 16  # pixels up to which a table is faster than arithmetic in floating point, too


class Codec:
    """Translates for one open model; what does not depend on the image is done once.

    A uint8 pixel has 256 answers a channel, and an 8-bit score has 256 meanings. Both are
    looked up in tables that the exact steps (``PreprocessSpec.apply``, ``quantize``,
    ``dequantize``) filled: the result is theirs, bit for bit. No array that it returns is used
    again.

    Attributes:
        image_shape: height, width and channels of one input image.
        raw_pixels: whether the input holds integers that no scale gives a meaning: 0…255.
    """

    def __init__(self, given: TensorSpec, answered: TensorSpec) -> None:
        """Take the input and the output tensor of a model."""
        self._given, self._answered = given, answered
        self.image_shape = image_shape(given)
        self._integer = np.issubdtype(np.dtype(given.dtype), np.integer)
        self.raw_pixels = given.scale is None and bool(self._integer)
        self._scores: NDArray[np.float32] | None = None
        self._spec: PreprocessSpec | None = None
        self._tables: NDArray[Any] = np.empty(0)
        dtype = np.dtype(answered.dtype)
        if answered.scale is not None and dtype.itemsize == 1:
            self._scores = self._dequantize(np.arange(_LEVELS).astype(np.uint8).view(dtype))

    def takes(self, images: NDArray[Any], spec: PreprocessSpec) -> bool:
        """Whether :meth:`encode_images` is for these images, and gains."""
        if images.dtype != np.uint8 or not (self._integer or images.size <= _FEW):
            return False
        return (spec is self._spec or spec.shape == self.image_shape) and len(images) > 0

    def encode_images(self, images: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[Any]:
        """Turn pixels into input; the same as ``encode(spec.apply(images))``.

        Args:
            images: uint8 (n, height, width) or (n, height, width, channels), 0…255.
            spec: what is to be done to them; of the size of the model.

        Returns:
            (n, height, width, channels), or (n, channels, height, width) where the model's
            layout is ``NCHW``, in the dtype of the input tensor.

        Raises:
            InputError: another shape.
        """
        spec.check(images)
        if spec is not self._spec:
            self._tables, self._spec = self._pixel_tables(spec), spec
        images = images.reshape(len(images), *spec.shape)
        if self._given.layout == "NCHW":
            images = images.transpose(0, 3, 1, 2)
        if len(self._tables) == 1:
            encoded: NDArray[Any] = self._tables[0].take(images)
            return encoded
        encoded = np.empty(images.shape, self._given.dtype)
        axis = 1 if self._given.layout == "NCHW" else 3
        into, source = np.moveaxis(encoded, axis, 0), np.moveaxis(images, axis, 0)
        for plane, pixels, table in zip(into, source, self._tables, strict=True):
            plane[...] = table.take(pixels)
        return encoded

    def encode(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Turn values in model units, float32 (n, height, width, channels), into input."""
        if self._given.layout == "NCHW":
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        return self._quantize(batch)

    def decode(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Turn what the model answered into float32 scores of the same shape."""
        if self._scores is not None:
            return self._scores.take(scores.view(np.uint8))
        if self._answered.scale is None:
            return scores.astype(np.float32, copy=False)
        return self._dequantize(scores)

    def _quantize(self, values: NDArray[np.float32]) -> NDArray[Any]:
        given = self._given
        if self.raw_pixels:
            return quantize(values, 1.0, 0, given.dtype)
        if given.scale is None:
            return values.astype(given.dtype, copy=False)
        return quantize(values, given.scale, given.zero_point or 0, given.dtype)

    def _dequantize(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        answered = self._answered
        return dequantize(scores, answered.scale or 1.0, answered.zero_point or 0)

    def _pixel_tables(self, spec: PreprocessSpec) -> NDArray[Any]:
        """Return what each pixel value becomes: (channels, 256), or (1, 256) if all agree."""
        levels = np.arange(_LEVELS, dtype=np.uint8).reshape(-1, 1, 1, 1)
        pixels = np.repeat(levels, spec.channels, axis=3)
        values = replace(spec, height=1, width=1).apply(pixels)
        tables = np.ascontiguousarray(self._quantize(values)[:, 0, 0].T)
        return tables[:1] if (tables == tables[0]).all() else tables


def check_batch(name: str, batch: NDArray[Any], shape: tuple[int, int, int]) -> None:
    """Refuse what is not float32 (n, height, width, channels).

    Raises:
        InputError: names the engine and what it takes.
    """
    if batch.dtype != np.float32 or batch.shape[1:] != shape:
        raise InputError(
            f"{name} expects float32 (n, {', '.join(map(str, shape))}), "
            f"got {batch.dtype} {tuple(batch.shape)}"
        )
