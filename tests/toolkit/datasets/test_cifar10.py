"""CIFAR-10 from files of its format, made here: 40 training and 10 test images stand for all."""

import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets._download import Download
from toolkit.datasets.cifar10 import Cifar10

NAMES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Let few images pass for all, and hide the data of this machine."""
    monkeypatch.setattr(Cifar10, "train_counts", (5,) * 10)
    monkeypatch.setattr(Cifar10, "test_counts", (1,) * 10)
    monkeypatch.delenv("EDGE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def images(rng):
    """uint8 (60, 32, 32, 3): ten for each of the six files."""
    return rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def files(images):
    """The bytes of the six files by name, as the page of CIFAR-10 describes them."""
    found = {}
    for number, name in enumerate(NAMES):
        records = [
            bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for label, image in enumerate(images[10 * number : 10 * number + 10])
        ]
        found[name] = b"".join(records)
    return found


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """Write an archive and let its SHA-256 be the right one."""

    def write(files, path=None):
        path = path or tmp_path / "cifar-10-binary.tar.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz") as archive:
            for name, data in ({"batches.meta.txt": b"airplane\n"} | files).items():
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        bless(path)
        return path

    def bless(path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        download = Download("http://127.0.0.1:9/nothing", digest, path.name)
        monkeypatch.setattr(Cifar10, "download", download)

    write.bless = bless
    return write


def unpack(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def load(path=None):
    return load_dataset(DataOptions(name="cifar10", path=path))


def test_the_archive_gives_images_and_classes_in_their_order(pack, files, images):
    dataset = load(pack(files))
    assert np.array_equal(dataset.x_train, images[:50])
    assert np.array_equal(dataset.x_test, images[50:])
    assert dataset.y_train.tolist() == list(range(10)) * 5
    assert dataset.y_test.tolist() == list(range(10))
    assert dataset.spec.shape == (32, 32, 3)
    assert (dataset.labels[0], dataset.labels[9]) == ("airplane", "truck")


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_an_unpacked_folder_is_the_same(tmp_path, pack, files, inner):
    folder = unpack(tmp_path / "own" / inner, files)
    root = tmp_path / "own"
    assert load(root).checksum == load(pack(files)).checksum
    assert load_dataset(DataOptions(path=root)).name == "cifar10"
    assert folder.is_dir()


def test_the_archive_is_recognised_from_its_path(pack, files):
    assert load_dataset(DataOptions(path=pack(files))).name == "cifar10"


@pytest.mark.parametrize("place", ["cifar-10-binary.tar.gz", "cifar10", "cifar-10-batches-bin"])
def test_it_is_found_in_edge_data_dir(tmp_path, monkeypatch, pack, files, place):
    monkeypatch.setenv("EDGE_DATA_DIR", str(tmp_path))
    path = tmp_path / place
    pack(files) if place.endswith(".gz") else unpack(path, files)
    assert load().origin == str(path)


def test_it_is_taken_from_the_cache_of_keras_without_a_network(tmp_path, pack, files):
    path = pack(files, tmp_path / "keras" / "datasets" / "cifar-10-binary.tar.gz")
    assert load().origin == str(path)


def test_without_file_and_network_the_ways_out_are_named(pack, files):
    pack(files).unlink()
    with pytest.raises(DataError, match=r"cannot download cifar10.*--data PATH"):
        load()


def test_other_bytes_are_refused_by_their_checksum(pack, files):
    path = pack(files)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="SHA-256 is not that of the official file"):
        load(path)


def test_the_pinned_checksum_is_that_of_the_official_file():
    assert Cifar10.download.sha256.startswith("c4a38c50a1bc5f3a")
    assert Cifar10.download.url.startswith("https://www.cs.toronto.edu/~kriz/")


@pytest.mark.parametrize("kept", [0, 50, 5000])
def test_a_truncated_archive_is_named(pack, files, kept):
    path = pack(files)
    path.write_bytes(path.read_bytes()[:kept])
    pack.bless(path)
    with pytest.raises(DataError, match=r"tar\.gz is not the binary version of CIFAR-10"):
        load(path)


def test_an_archive_of_something_else_is_named(pack, tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(gzip.compress(b"no archive"))
    pack.bless(path)
    with pytest.raises(DataError, match="is not the binary version"):
        load(path)


def test_a_missing_file_is_named(tmp_path, pack, files):
    del files["data_batch_4.bin"]
    with pytest.raises(DataError, match=r"no data_batch_4\.bin in it"):
        load(pack(files))
    with pytest.raises(DataError, match=r"data_batch_4\.bin: no such file"):
        load(unpack(tmp_path / "own", files))


@pytest.mark.parametrize("data", [b"", b"x" * 3072, b"\0" * 3073 * 10 + b"x"])
def test_a_file_of_another_length_is_named(pack, files, data):
    with pytest.raises(DataError, match=r"data_batch_2\.bin has .* bytes, no multiple of 3,073"):
        load(pack(files | {"data_batch_2.bin": data}))


@pytest.mark.parametrize("label", [3, 10, 255])
def test_wrong_labels_are_refused(pack, files, label):
    wrong = bytes([label]) + files["test_batch.bin"][1:]
    with pytest.raises(DataError, match="the test labels are not those of cifar10"):
        load(pack(files | {"test_batch.bin": wrong}))


def test_an_image_folder_of_the_same_pictures_gives_the_same_images(tmp_path, pack, files, images):
    for part, pictures in (("train", images[:50]), ("test", images[50:])):
        for number, image in enumerate(pictures):
            folder = tmp_path / "pictures" / part / Cifar10.labels[number % 10]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:02}.png")
    dataset = load_dataset(DataOptions(path=tmp_path / "pictures"))
    official = load(pack(files))
    assert dataset.spec.shape == official.spec.shape
    assert dataset.labels == official.labels

    def rows(x):
        return sorted(image.tobytes() for image in x)

    assert rows(dataset.x_train) == rows(official.x_train)
    assert rows(dataset.x_test) == rows(official.x_test)
