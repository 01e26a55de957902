"""Arrays as images of the model's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.prepared import Prepared
from runtime.preprocessing.spec import CHANNELS, check_float_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec


def prepare_array(image: NDArray[Any], spec: PreprocessSpec) -> Prepared:
    """Bring an array to the model's size; one that has this size is returned unchanged.

    Args:
        image: (h, w), (h, w, 1) or (h, w, 3); uint8 0…255 or float 0…1.
        spec: the preprocessing.

    Raises:
        InputError: wrong shape, dtype or range.

    Example:
        >>> import numpy as np
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> spec = PreprocessSpec(height=8, width=8)
        >>> prepare_array(np.zeros((4, 4), np.uint8), spec).steps
        ('4x4 grey', 'stretch to 8x8')
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in CHANNELS):
        raise InputError(f"expected (h, w), (h, w, 1) or (h, w, 3), got shape {image.shape}")
    if image.size == 0:
        raise InputError(f"the image is empty: shape {image.shape}")
    if image.dtype != np.uint8:
        check_float_pixels(image)
    if spec.matches(image[None]):
        return Prepared(image, ("an array of the model's size, taken as it is",))
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.round(image * 255.0).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    return spec.prepare(Image.fromarray(np.ascontiguousarray(image)))
