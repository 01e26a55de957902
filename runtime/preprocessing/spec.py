"""The preprocessing specification: from an image to model input.

Training, calibration, parity and prediction all use :class:`PreprocessSpec`, and the spec is
part of the model file, so that workstation and device cannot differ.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import InputError, UnknownNameError
from runtime.preprocessing.fits import POLARITIES, fits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.preprocessing.prepared import Prepared

CHANNELS = (1, 3)  # grey or RGB
_PIXEL_MAX = 255.0
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """How an image becomes a float32 NHWC batch in model units.

    A pixel p (0…255) of channel c becomes ``(p * scale - mean[c]) / std[c]``.

    Attributes:
        height: rows of the model input, in pixels.
        width: columns of the model input, in pixels.
        channels: 1 (grey) or 3 (RGB).
        scale: factor on the pixel value; 1/255 maps to 0…1.
        mean: one value for all channels or one per channel, in scaled units.
        std: like ``mean``; not zero.
        fit: how an image of another size is brought to model size: ``stretch``
            (aspect ignored), ``pad`` (aspect kept, background added), or
            ``center-of-mass`` (the framing of MNIST: crop to the strokes, fit them into
            20/28 of the side, put their centre of mass in the middle).
        polarity: ``as-is``, ``invert``, or ``auto`` (an image that is dark on
            light is inverted, because the training images are light on dark).

    Example:
        >>> import numpy as np
        >>> spec = PreprocessSpec(height=2, width=2, mean=(0.5,), std=(0.5,))
        >>> spec.apply(np.array([[[0, 255], [255, 0]]], np.uint8))[0, ..., 0].tolist()
        [[-1.0, 1.0], [1.0, -1.0]]
    """

    height: int
    width: int
    channels: int = 1
    scale: float = 1.0 / _PIXEL_MAX
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    fit: str = "stretch"
    polarity: str = "as-is"

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            InputError: a field is out of its range.
        """
        if min(self.height, self.width) < 1:
            raise InputError(f"image size must be positive, not {self.height}x{self.width}")
        if self.channels not in CHANNELS:
            raise InputError(f"channels must be 1 (grey) or 3 (RGB), not {self.channels}")
        for kind, name, known in (
            ("fit", self.fit, fits()),
            ("polarity", self.polarity, POLARITIES),
        ):
            if name not in known:
                raise InputError(str(UnknownNameError(kind, name, known)))
        if self.channels not in fits()[self.fit].channels:
            raise InputError(f"fit '{self.fit}' works on grey images (channels 1) only")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise InputError(f"{name} needs 1 or {self.channels} values, not {len(values)}")
        numbers = (self.scale, *self.mean, *self.std)
        if not all(math.isfinite(n) for n in numbers) or self.scale == 0 or 0 in self.std:
            raise InputError("scale and std must be finite and not zero, mean finite")

    @classmethod
    def check_changes(cls, **changes: Any) -> None:
        """Check fields that are to replace those of a spec that is not known yet.

        Args:
            **changes: by the name of the field; None is no change.

        Raises:
            InputError: a field is out of its range whatever the spec is.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        several = any(len(given.get(name, ())) > 1 for name in ("mean", "std"))
        cls(**{"height": 1, "width": 1, "channels": 3 if several else 1} | given)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one input."""
        return (self.height, self.width, self.channels)

    def matches(self, images: NDArray[Any]) -> bool:
        """Whether a batch has the size of the model input.

        Args:
            images: (n, h, w) or (n, h, w, c).

        Example:
            >>> import numpy as np
            >>> PreprocessSpec(height=28, width=28).matches(np.zeros((5, 28, 28)))
            True
        """
        shape = images.shape[1:]
        return shape == self.shape or (self.channels == 1 and shape == self.shape[:2])

    def check(self, images: NDArray[Any]) -> None:
        """Check that a batch of images has the size of the model input.

        Args:
            images: (n, h, w) or (n, h, w, c).

        Raises:
            InputError: wrong shape.

        Example::

            spec.check(np.load("digits.npy"))
        """
        if not self.matches(images):
            raise InputError(
                f"expected images of shape (n, {', '.join(map(str, self.shape))}), "
                f"got {tuple(images.shape)}"
            )

    def apply(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Turn images of the model's size into model input.

        Args:
            images: (n, height, width) or (n, height, width, channels); uint8
                0…255, or floating point 0…1.

        Returns:
            float32 (n, height, width, channels) in model units.

        Raises:
            InputError: wrong shape or dtype, or float values outside 0…1.

        Example:
            >>> import numpy as np
            >>> batch = PreprocessSpec(height=1, width=2).apply(np.array([[[0, 51]]], np.uint8))
            >>> batch.shape, batch.dtype.name, round(float(batch.max()), 3)
            ((1, 1, 2, 1), 'float32', 0.2)
        """
        self.check(images)
        return self._apply(images.reshape(len(images), *self.shape))

    def _apply(self, images: NDArray[Any]) -> NDArray[np.float32]:
        factor = self.scale
        if images.dtype != np.uint8:
            check_float_pixels(images)
            factor = self.scale * _PIXEL_MAX
        batch = np.multiply(images, np.float32(factor), dtype=np.float32)
        if any(self.mean):
            batch -= np.asarray(self.mean, np.float32)
        if any(value != 1.0 for value in self.std):
            batch /= np.asarray(self.std, np.float32)
        return batch

    def prepare(self, image: Image.Image) -> Prepared:
        """Bring a decoded image to model size, polarity and framing.

        Args:
            image: mode ``L`` or ``RGB``, any size.

        Returns:
            The pixels at model size, with the steps that led to them.

        Raises:
            InputError: the image cannot be used (for example: it is blank).

        Example:
            >>> from PIL import Image
            >>> PreprocessSpec(height=8, width=8).prepare(Image.new("L", (20, 10))).steps
            ('20x10 grey', 'stretch to 8x8')
        """
        return fits()[self.fit]().fit(image, self.shape, self.polarity)

    def decode(self, source: Path | str | bytes) -> Image.Image:
        """Decode an image file, as large as :meth:`prepare` needs it.

        Args:
            source: a path, or the bytes of a file.

        Raises:
            InputError: the file cannot be read, or is no image.

        Example::

            image = spec.decode("seven.png")
        """
        from runtime.preprocessing.decode import decode

        return decode(source, fits()[self.fit].decoded_side)

    def from_file(self, path: Path) -> NDArray[np.uint8]:
        """Read an image file and bring it to model size.

        Args:
            path: the file.

        Returns:
            uint8 (height, width, channels).

        Raises:
            InputError: the file cannot be read, or is no image.

        Example:
            >>> from PIL import Image
            >>> Image.new("RGB", (20, 10), "teal").save("teal.png")
            >>> PreprocessSpec(height=4, width=4, channels=3).from_file("teal.png").shape
            (4, 4, 3)
        """
        return self.prepare(self.decode(path)).pixels

    @classmethod
    def assumed(cls, shape: tuple[int, int, int]) -> PreprocessSpec:
        """Return the spec that is assumed for a model file without a preprocessing record.

        28x28 grey is taken for a digit model and framed like MNIST; anything else is
        padded to size.

        Args:
            shape: height, width and channels of the model input.

        Example:
            >>> PreprocessSpec.assumed((28, 28, 1)).fit, PreprocessSpec.assumed((96, 96, 3)).fit
            ('center-of-mass', 'pad')
        """
        height, width, channels = shape
        if shape == (28, 28, 1):
            spec = cls(height, width, channels, fit="center-of-mass", polarity="auto")
        else:
            spec = cls(height, width, channels, fit="pad")
        _LOG.info("no preprocessing record for input %s: assumed %s", shape, spec)
        return spec

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values.

        Example:
            >>> PreprocessSpec(height=28, width=28).to_json()["fit"]
            'stretch'
        """
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PreprocessSpec:
        """Build a spec from the result of :meth:`to_json`.

        Args:
            values: the fields by name.

        Raises:
            InputError: a field is missing, unknown or of the wrong type.

        Example:
            >>> spec = PreprocessSpec(height=28, width=28)
            >>> PreprocessSpec.from_json(spec.to_json()) == spec
            True
        """
        try:
            fields = dict(values)
            fields["mean"] = tuple(float(v) for v in fields["mean"])
            fields["std"] = tuple(float(v) for v in fields["std"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"broken preprocessing record: {error}") from error


def check_float_pixels(images: NDArray[Any]) -> None:
    """Check that an array is uint8, or floating point in 0…1.

    Args:
        images: of any shape.

    Raises:
        InputError: another dtype, or a value outside 0…1 (NaN included).

    Example:
        >>> import numpy as np
        >>> check_float_pixels(np.array([0.0, 255.0]))
        Traceback (most recent call last):
        runtime.errors.InputError: float pixels must lie in 0…1, got 0…255; divide by 255, ...
    """
    check_pixel_type(images.dtype)
    if images.size and not (images.min() >= 0.0 and images.max() <= 1.0):
        if np.isnan(images).any():
            raise InputError("float pixels must lie in 0…1, some are not a number (NaN)")
        raise InputError(
            f"float pixels must lie in 0…1, got {images.min():g}…{images.max():g}; "
            "divide by 255, or pass uint8"
        )


def check_pixel_type(dtype: np.dtype[Any]) -> None:
    """Check that a type of pixels is uint8 or floating point.

    Args:
        dtype: the element type of an array.

    Raises:
        InputError: another dtype.

    Example:
        >>> import numpy as np
        >>> check_pixel_type(np.dtype(np.float16))
    """
    if dtype == np.uint8 or np.issubdtype(dtype, np.floating):
        return
    cast = "astype('float32')" if dtype == np.bool_ else "astype('uint8') or divide by its maximum"
    raise InputError(
        f"expected uint8 pixels (0…255) or floats (0…1), got dtype {dtype}; "
        f"convert with array.{cast}"
    )
