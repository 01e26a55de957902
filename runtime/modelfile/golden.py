"""Golden inputs: a few images with the Keras model's predictions, stored in a model file.

The record is part of the manifest; :mod:`runtime.selftest` replays it on the device.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LIMIT = 4 << 20  # bytes of a PNG that are accepted; the toolkit writes 256 KiB at most
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8s4x4sIIBB")  # signature, length, IHDR, width, height, depth, colour
_COLOUR = {1: 0, 3: 2}  # channels of the model: colour type of a PNG (RFC 2083, 4.1.1)
_HIGHEST_RATIO = 1100  # deflate packs at most 1032 bytes into one: more pixels are forged


@dataclass(frozen=True, slots=True)
class Golden:
    """A few inputs with the Keras model's predictions.

    The images come from the test data of the model, and everyone who gets the file can view
    them.

    Attributes:
        images: PNG file in base64: all images below each other in one strip, 8-bit grey
            or RGB, each of the model's size, in the polarity of training.
        answers: the Keras model's probabilities, one row per image, rounded to 6 decimals.
        truth: the true class of each image.
        labels: the class names in the order of the probabilities.
        tolerance: largest accepted difference of a probability, 0…1.
        tie_margin: an image whose two best classes are closer than that in Keras's
            prediction may get the other label, 0…1.
        dataset: description of the images.

    Example:
        >>> strip = to_strip(np.zeros((2, 8, 8, 1), np.uint8))
        >>> golden = Golden(
        ...     images=base64.b64encode(strip).decode(),
        ...     answers=((0.9, 0.1), (0.2, 0.8)),
        ...     truth=(0, 1),
        ...     labels=("no", "yes"),
        ...     tolerance=0.01,
        ...     tie_margin=0.05,
        ...     dataset="2 blank images",
        ... )
        >>> len(golden), golden.pixels((8, 8, 1)).shape
        (2, (2, 8, 8, 1))
    """

    images: str
    answers: tuple[tuple[float, ...], ...]
    truth: tuple[int, ...]
    labels: tuple[str, ...]
    tolerance: float
    tie_margin: float
    dataset: str

    def __post_init__(self) -> None:
        """Check everything that needs no image library.

        Raises:
            InputError: names the first wrong field.
        """
        self._check_texts()
        if not self.answers or len(self.truth) != len(self.answers):
            raise InputError(
                f"{len(self.answers)} golden predictions, {len(self.truth)} true classes"
            )
        for row in self.answers:
            if len(row) != len(self.labels) or not all(map(_is_share, row)):
                raise InputError(
                    f"a golden prediction is not {len(self.labels)} probabilities: {row}"
                )
        if not all(_is_class(index, len(self.labels)) for index in self.truth):
            raise InputError(f"golden truth is not class indices: {self.truth}")
        if not (_is_share(self.tolerance) and _is_share(self.tie_margin)):
            raise InputError(f"golden limits lie in 0…1: {self.tolerance}, {self.tie_margin}")

    def _check_texts(self) -> None:
        for text in (self.images, self.dataset, *self.labels):
            if not isinstance(text, str):
                raise InputError(f"expected text in the golden record, got {text!r}")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.answers)

    @property
    def expected(self) -> NDArray[np.float32]:
        """The Keras model's probabilities, float32 (images, classes)."""
        return np.array(self.answers, np.float32)

    @property
    def summary(self) -> str:
        """A summary, for example ``20 images of 10 of 10 classes, 5,123 bytes``."""
        classes = len({row.index(max(row)) for row in self.answers})
        size = len(self.images) * 3 // 4
        return f"{len(self)} images of {classes} of {len(self.labels)} classes, {size:,} bytes"

    def check_fits(self, shape: tuple[int, int, int], classes: int) -> None:
        """Check that images and predictions have a model's size, without decoding the images.

        Args:
            shape: height, width and channels of the model's input.
            classes: number of classes of the model.

        Raises:
            InputError: they do not, or the images are not a PNG file.

        Example::

            golden.check_fits(manifest.preprocess.shape, len(manifest.labels))
        """
        if len(self.labels) != classes:
            raise InputError(
                f"golden predictions of {len(self.labels)} classes, model of {classes}"
            )
        self._png(shape)

    def pixels(self, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Decode the images.

        Args:
            shape: height, width and channels of the model's input.

        Returns:
            uint8 (images, height, width, channels).

        Raises:
            ArtifactError: they cannot be decoded, or have another size.

        Example::

            images = golden.pixels(manifest.preprocess.shape)
        """
        from runtime.preprocessing.decode import decode

        try:
            strip = np.asarray(decode(self._png(shape)))
        except InputError as error:
            raise ArtifactError(f"the golden images cannot be used: {error}") from error
        height, width, channels = shape
        if strip.shape != (len(self) * height, width, *((3,) if channels == 3 else ())):
            raise ArtifactError(f"the golden images decode to {strip.shape}, not to {shape} each")
        return strip.reshape(len(self), *shape)

    def _png(self, shape: tuple[int, int, int]) -> bytes:
        """Return the PNG file if its header states exactly the images of this model."""
        height, width, channels = shape
        if len(self.images) > _LIMIT:
            raise InputError(f"golden images of more than {_LIMIT >> 20} MiB")
        try:
            png = base64.b64decode(self.images, validate=True)
            signature, kind, *found = _HEADER.unpack_from(png)
        except (binascii.Error, ValueError, struct.error) as error:
            raise InputError("the golden images are not a PNG file in base64") from error
        if (signature, kind) != (_SIGNATURE, b"IHDR"):
            raise InputError("the golden images are not a PNG file in base64")
        if found != [width, len(self) * height, 8, _COLOUR[channels]]:
            raise InputError(f"the golden images are not {len(self)} of {width}x{height}")
        if len(self) * math.prod(shape) > _HIGHEST_RATIO * len(png):
            raise InputError(f"{len(png):,} bytes cannot hold {len(self)} golden images")
        return png

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Golden:
        """Build a record from JSON values; keys of later versions are ignored.

        Args:
            values: the fields by name.

        Raises:
            InputError: a field is wrong.
            LookupError: a field is missing.
        """
        return cls(
            images=values["images"],
            answers=tuple(tuple(row) for row in values["answers"]),
            truth=tuple(values["truth"]),
            labels=tuple(values["labels"]),
            tolerance=values["tolerance"],
            tie_margin=values["tie_margin"],
            dataset=values["dataset"],
        )


def to_strip(images: NDArray[np.uint8]) -> bytes:
    """Return images as one PNG file, below each other.

    Args:
        images: uint8 (n, height, width, 1 or 3).

    Example:
        >>> to_strip(np.zeros((2, 8, 8, 1), np.uint8))[1:4]
        b'PNG'
    """
    import io

    from PIL import Image

    count, height, width, channels = images.shape
    rows = images.reshape(count * height, width, channels)
    stream = io.BytesIO()
    Image.fromarray(rows[..., 0] if channels == 1 else rows).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _is_share(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0.0 <= value <= 1.0  # NaN is not


def _is_class(value: object, classes: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < classes
