"""Fashion-MNIST: ten kinds of clothing in the format of MNIST."""

from __future__ import annotations

from typing import ClassVar

from toolkit.datasets._download import Download
from toolkit.datasets._idx import IdxSource

_BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_FILES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}


class FashionMnist(IdxSource):
    """Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv:1708.07747 (2017)."""

    name: ClassVar[str] = "fashion-mnist"
    summary: ClassVar[str] = "ten kinds of clothing, 60,000 + 10,000 images of 28x28"
    labels: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    fit: ClassVar[str] = "pad"
    train_counts: ClassVar[tuple[int, ...]] = (6000,) * 10
    test_counts: ClassVar[tuple[int, ...]] = (1000,) * 10
    downloads: ClassVar[tuple[Download, ...]] = tuple(
        Download(url=_BASE + file, sha256=digest, path=f"fashion-mnist/{file}")
        for file, digest in _FILES.items()
    )
