"""Slightly moved copies of training images, for the teacher to label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far an image may be moved, each way.

    Attributes:
        degrees: rotation.
        zoom: share of its size.
        shear: slant, as a tangent.
        shift: share of its side.
    """

    degrees: float = 12.0
    zoom: float = 0.1
    shear: float = 0.15
    shift: float = 0.09


def moved(
    images: NDArray[np.uint8], augmentation: Augmentation, seed: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Return a copy of images, each turned, zoomed, slanted and shifted at random.

    What comes in at the border repeats the nearest pixel.

    Args:
        images: uint8 (n, height, width, channels).
        augmentation: how far.
        seed: the same seed moves the same images alike.
    """
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    matrices = _matrices(rng, images, augmentation)
    parts = []
    for start in range(0, len(images), _BATCH):
        piece = slice(start, start + _BATCH)
        turned: Any = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(images[piece], tf.float32),
            transforms=matrices[piece],
            output_shape=images.shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
        parts.append(np.round(turned.numpy()).astype(np.uint8))
    return np.concatenate(parts)


def _matrices(
    rng: np.random.Generator, images: NDArray[np.uint8], augmentation: Augmentation
) -> NDArray[np.float32]:
    """Return (n, 8): what ImageProjectiveTransform takes, output pixel to input pixel."""
    count, *size = images.shape[:3]

    def draw(most: float) -> NDArray[np.float64]:
        return rng.uniform(-most, most, count)

    angle, slant = np.deg2rad(draw(augmentation.degrees)), draw(augmentation.shear)
    zoom = 1.0 / (1.0 + draw(augmentation.zoom))
    cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
    a, b = cosine, slant * cosine - sine
    c, d = sine, slant * sine + cosine
    y, x = ((side - 1) / 2 for side in size)
    shift_x = x - a * x - b * y + draw(augmentation.shift) * size[1]
    shift_y = y - c * x - d * y + draw(augmentation.shift) * size[0]
    nothing = np.zeros(count)
    rows = [a, b, shift_x, c, d, shift_y, nothing, nothing]
    result: NDArray[np.float32] = np.stack(rows, axis=1).astype(np.float32)
    return result
