"""The handwritten digits that scikit-learn ships: real, small, and offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import Image

from runtime.errors import MissingDependencyError
from runtime.preprocess import PreprocessSpec
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource
from toolkit.splits import stratified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Reporter

_TEST_FRACTION = 0.2
_SPLIT_SEED = 0
_INK_MAX = 16  # the 8x8 images count set pixels in 4x4 blocks: 0…16


class Digits(DatasetSource):
    """Alpaydin, Kaynak: Optical Recognition of Handwritten Digits (UCI, 1998), test part.

    The 8x8 images are enlarged to 28x28 in the framing of MNIST.
    """

    name: ClassVar[str] = "digits"
    shape: ClassVar[tuple[int, int, int] | None] = (28, 28, 1)
    summary: ClassVar[str] = "1,797 real handwritten digits that come with scikit-learn; offline"

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        del reporter
        small, y = _bundled()
        spec = PreprocessSpec(
            height=28,
            width=28,
            channels=1,
            fit=options.fit or "center-of-mass",
            polarity=options.polarity or "auto",
        )
        x = np.stack([_enlarge(image, spec) for image in small])
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
    pixels = np.round(bunch.images * (255 / _INK_MAX)).astype(np.uint8)
    return pixels, bunch.target.astype(np.int64)


def _enlarge(image: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    from runtime.ink import center_ink

    return center_ink(Image.fromarray(image), spec.height, spec.width).pixels[..., None]
