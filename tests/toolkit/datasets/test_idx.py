"""MNIST and Fashion-MNIST: found, read and checked. Small counts stand in for the real ones."""

import gzip
import struct

import numpy as np
import pytest

from runtime.errors import DataError
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets._idx import class_counts, is_idx_folder, read_arrays, read_npz
from toolkit.datasets.fashion_mnist import FashionMnist
from toolkit.datasets.mnist import Mnist

KEYS = ("x_train", "y_train", "x_test", "y_test")
STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture(autouse=True)
def small_counts(monkeypatch):
    """Let 30 training and 20 test images pass for the whole dataset."""
    for source in (Mnist, FashionMnist):
        monkeypatch.setattr(source, "train_counts", (3,) * 10)
        monkeypatch.setattr(source, "test_counts", (2,) * 10)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """Hide the data of this machine."""
    monkeypatch.delenv("EDGE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def arrays(rng):
    found = {}
    for part, count in (("train", 30), ("test", 20)):
        found[f"x_{part}"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        found[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    return found


def idx(array):
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx(folder, arrays, *, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, key in zip(STEMS, KEYS, strict=True):
        data = idx(arrays[key])
        if packed:
            (folder / f"{stem}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / stem).write_bytes(data)
    return folder


def load(path=None, name="mnist"):
    return load_dataset(DataOptions(name=name, path=path))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_folders_are_read(tmp_path, arrays, name, packed):
    dataset = load(write_idx(tmp_path / "idx", arrays, packed=packed), name)
    assert np.array_equal(dataset.x_train[..., 0], arrays["x_train"])
    assert np.array_equal(dataset.y_test, arrays["y_test"])
    assert dataset.x_test.shape == (20, 28, 28, 1)
    assert dataset.name == name


def test_an_npz_of_the_same_arrays_is_the_same_dataset(tmp_path, arrays):
    np.savez_compressed(tmp_path / "mnist.npz", **arrays)
    folder = write_idx(tmp_path / "idx", arrays)
    assert load(tmp_path / "mnist.npz").checksum == load(folder).checksum


def test_a_folder_without_one_file_names_it(tmp_path, arrays):
    folder = write_idx(tmp_path / "idx", arrays)
    (folder / STEMS[3]).unlink()
    assert not is_idx_folder(folder)
    with pytest.raises(DataError, match="no t10k-labels-idx1-ubyte"):
        load(folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-5], "is truncated"),
        (lambda data: data[:6], "is truncated"),
        (lambda data: b"", "is not an IDX file"),
        (lambda data: bytes((0, 0, 0x0D)) + data[3:], "is not an IDX file of bytes"),
        (lambda data: data + b"x", "truncated|bytes for shape"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, arrays, damage, words):
    folder = write_idx(tmp_path / "idx", arrays)
    file = folder / STEMS[0]
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=words) as raised:
        load(folder)
    assert STEMS[0] in str(raised.value)


def test_a_truncated_gzip_file_is_named(tmp_path, arrays):
    folder = write_idx(tmp_path / "idx", arrays, packed=True)
    file = folder / f"{STEMS[2]}.gz"
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(DataError, match="cannot be read") as raised:
        load(folder)
    assert file.name in str(raised.value)


@pytest.mark.parametrize("kept", [0, 10, 3000])
def test_a_truncated_npz_is_refused(tmp_path, arrays, kept):
    np.savez(tmp_path / "mnist.npz", **arrays)
    whole = (tmp_path / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(whole[:kept])
    with pytest.raises(DataError, match=r"mnist\.npz is not a readable \.npz file"):
        load(tmp_path / "mnist.npz")


def test_a_flipped_bit_in_an_npz_is_found(tmp_path, arrays):
    np.savez_compressed(tmp_path / "mnist.npz", **arrays)
    data = bytearray((tmp_path / "mnist.npz").read_bytes())
    data[2000] ^= 1
    (tmp_path / "mnist.npz").write_bytes(data)
    with pytest.raises(DataError, match="not a readable"):
        load(tmp_path / "mnist.npz")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", **dict.fromkeys(KEYS, np.array([{"a": 1}], dtype=object)))
    with pytest.raises(DataError, match=r"evil\.npz is not a readable.*allow_pickle"):
        load(tmp_path / "evil.npz")


def test_a_plain_npy_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="4 named arrays"):
        read_npz(tmp_path / "one.npy")


def test_missing_arrays_are_named_with_those_found(tmp_path, arrays):
    del arrays["y_test"]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match="no array y_test; found x_train, y_train, x_test"):
        read_arrays(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("x_train", lambda x: x[:29], r"training images of mnist must be uint8 \(30, 28, 28\)"),
        ("x_test", lambda x: x.astype(np.float32), "test images of mnist must be uint8"),
        ("x_train", lambda x: x[:, :27], "training images of mnist must be uint8"),
        ("x_train", lambda x: x // 2, "training pixels of mnist must span 0…255"),
        ("x_test", lambda x: np.maximum(x, 1), "test pixels of mnist must span 0…255"),
        ("y_train", lambda y: y * 0, "training labels are not those of mnist"),
        ("y_train", lambda y: y[:-1], "training labels of mnist must be 30 integers"),
        ("y_test", lambda y: y + 1, "test labels are not those of mnist"),
        ("y_test", lambda y: y.astype(np.float32), "test labels of mnist must be 20 integers"),
        ("y_test", lambda y: y.astype(np.int64) - 1, "test labels of mnist must be 20 integers"),
        ("y_train", lambda y: y[:0], "training labels of mnist must be 30 integers"),
        ("y_train", lambda y: y[:, None], "training labels of mnist must be 30 integers"),
    ],
)
def test_wrong_content_is_named(tmp_path, arrays, key, change, words):
    arrays[key] = change(arrays[key])
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(DataError, match=words):
        load(tmp_path / "mnist.npz")


def test_data_is_looked_for_in_edge_data_dir_before_the_keras_cache(tmp_path, arrays, monkeypatch):
    cache, own = tmp_path / "keras" / "datasets", tmp_path / "own"
    cache.mkdir(parents=True)
    own.mkdir()
    np.savez(cache / "mnist.npz", **arrays)
    assert load().origin == str(cache / "mnist.npz")
    np.savez(own / "mnist.npz", **arrays)
    monkeypatch.setenv("EDGE_DATA_DIR", str(own))
    assert load().origin == str(own / "mnist.npz")
    folder = write_idx(tmp_path / "given", arrays)
    assert load(folder).origin == str(folder)


def test_an_idx_folder_in_edge_data_dir_is_found(tmp_path, arrays, monkeypatch):
    write_idx(tmp_path / "fashion-mnist", arrays, packed=True)
    monkeypatch.setenv("EDGE_DATA_DIR", str(tmp_path))
    assert load(name="fashion-mnist").origin == str(tmp_path / "fashion-mnist")


def test_an_edge_data_dir_without_the_dataset_falls_back_to_the_cache(
    tmp_path, arrays, monkeypatch
):
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    np.savez(cache / "mnist.npz", **arrays)
    monkeypatch.setenv("EDGE_DATA_DIR", str(tmp_path / "empty"))
    assert load().origin == str(cache / "mnist.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY no array"])
def test_class_counts_of_a_broken_file_are_unknown(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    assert class_counts(tmp_path / "x.npz") is None


@pytest.mark.mnist
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_data_passes_all_checks(data_dir, monkeypatch, name):
    monkeypatch.undo()
    monkeypatch.setenv("EDGE_DATA_DIR", str(data_dir))
    dataset = load(name=name)
    assert len(dataset.x_train) + sum(int(n.split()[0]) for n in dataset.notes) == 60_000
    assert len(dataset.x_test) == 10_000
    assert np.bincount(dataset.y_test).tolist() == list(
        (Mnist if name == "mnist" else FashionMnist).test_counts
    )
