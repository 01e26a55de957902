"""MNIST: handwritten digits, 60,000 for training and 10,000 for testing."""

from __future__ import annotations

from typing import ClassVar

from toolkit.datasets._download import Download
from toolkit.datasets._idx import IdxSource


class Mnist(IdxSource):
    """LeCun, Cortes, Burges: the MNIST database of handwritten digits (1998)."""

    name: ClassVar[str] = "mnist"
    summary: ClassVar[str] = "handwritten digits, 60,000 + 10,000 images of 28x28"
    labels: ClassVar[tuple[str, ...]] = tuple("0123456789")
    fit: ClassVar[str] = "center-of-mass"
    train_counts: ClassVar[tuple[int, ...]] = (
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    )  # fmt: skip
    test_counts: ClassVar[tuple[int, ...]] = (
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    )  # fmt: skip
    downloads: ClassVar[tuple[Download, ...]] = (
        Download(
            url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
            path="mnist.npz",
        ),
    )
