"""The handwritten digits that scikit-learn ships: real, small, and offline."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import Image

from runtime.errors import MissingDependencyError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource
from toolkit.datasets.splits import stratified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Reporter

_TEST_FRACTION = 0.2
_SPLIT_SEED = 0
_MAX_COUNT = 16  # the 8x8 images count set pixels in 4x4 blocks: 0…16


class Digits(DatasetSource):
    """Alpaydin, Kaynak: Optical Recognition of Handwritten Digits (UCI, 1998), test part.

    The 8x8 images are enlarged to 28x28 in the framing of MNIST.

    Example::

        digits = load_dataset(DataOptions(name="digits"))
    """

    name: ClassVar[str] = "digits"
    shape: ClassVar[tuple[int, int, int] | None] = (28, 28, 1)
    summary: ClassVar[str] = "1,797 real handwritten digits that come with scikit-learn; offline"

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        del reporter
        spec = PreprocessSpec(
            height=28,
            width=28,
            channels=1,
            fit=options.fit or "center-of-mass",
            polarity=options.polarity or "auto",
        )
        x, y = _enlarged(spec.height, spec.width)
        train, test = stratified(y, _TEST_FRACTION, _SPLIT_SEED)
        return Dataset(
            name=self.name,
            x_train=x[train],
            y_train=y[train],
            x_test=x[test],
            y_test=y[test],
            labels=tuple("0123456789"),
            spec=spec,
            origin="scikit-learn",
        )


def _bundled() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("scikit-learn", "train", "load the digits") from error
    bunch = load_digits()
    pixels = np.round(bunch.images * (255 / _MAX_COUNT)).astype(np.uint8)
    return pixels, bunch.target.astype(np.int64)


@cache  # most of the loading time; callers get copies of its rows
def _enlarged(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from runtime.preprocessing.digits.framing import center_by_mass

    small, y = _bundled()
    x = [center_by_mass(Image.fromarray(image), height, width).pixels[..., None] for image in small]
    return np.stack(x), y
