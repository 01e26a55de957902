"""Datasets by name, or recognised from a path."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError, UnknownNameError
from toolkit.datasets import DataOptions, load_dataset, registry

STEMS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def test_the_names_are_those_of_the_documentation():
    assert set(registry()) == {"digits", "mnist", "fashion-mnist", "cifar10", "npz", "folder"}
    assert all(source.summary for source in registry().values())


def test_a_mistyped_name_suggests_the_right_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'mnist'"):
        load_dataset(DataOptions(name="mnits"))


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no such file or folder: .*nowhere"):
        load_dataset(DataOptions(path=tmp_path / "nowhere"))


def test_an_npz_with_counts_of_its_own_is_recognised_as_npz(tmp_path, rng):
    x, y = rng.integers(0, 256, (8, 10, 10), dtype=np.uint8), np.arange(8) % 2
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=255 - x, y_test=y)
    dataset = load_dataset(DataOptions(path=tmp_path / "mine.npz"))
    assert (dataset.name, dataset.spec.shape) == ("mine", (10, 10, 1))


def test_a_folder_of_images_is_recognised(tmp_path, rng):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(5):
            pixels = rng.integers(0, 256, (30, 30), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    assert load_dataset(DataOptions(path=tmp_path)).labels == ("cat", "dog")


def test_idx_files_of_an_unknown_set_are_refused(tmp_path):
    for stem in STEMS:
        shape = (2, 28, 28) if "images" in stem else (2,)
        header = bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)
        body = header + bytes(int(np.prod(shape)))
        (tmp_path / f"{stem}-ubyte.gz").write_bytes(gzip.compress(body))
    with pytest.raises(DataError, match="neither those of MNIST nor of Fashion-MNIST"):
        load_dataset(DataOptions(path=tmp_path))


@pytest.mark.mnist
def test_mnist_is_recognised_from_its_file(data_dir):
    dataset = load_dataset(DataOptions(path=data_dir / "mnist.npz"))
    assert (dataset.name, dataset.spec.fit) == ("mnist", "center-of-mass")


@pytest.mark.mnist
def test_fashion_mnist_is_recognised_from_its_folder(data_dir):
    dataset = load_dataset(DataOptions(path=data_dir / "fashion-mnist"))
    assert dataset.name == "fashion-mnist"
    assert dataset.labels[9] == "Ankle boot"
