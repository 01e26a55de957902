"""A user's own images."""

import shutil

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets.base import image_hashes


@pytest.fixture
def paint(rng):
    def _paint(folder, count=5, size=(32, 32), mode="L", kind="png"):
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.{kind}")

    return _paint


@pytest.fixture
def folder(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / "pets" / label)
    return tmp_path / "pets"


def load(path, **options):
    return load_dataset(DataOptions(name="folder", path=path, **options))


def test_classes_alone_are_split_and_stratified(folder):
    dataset = load(folder)
    assert dataset.labels == ("cat", "dog")
    assert np.bincount(dataset.y_train).tolist() == [4, 4]
    assert np.bincount(dataset.y_test).tolist() == [1, 1]
    assert (dataset.name, dataset.spec.shape) == ("pets", (32, 32, 1))
    assert load(folder).checksum == dataset.checksum


def test_train_and_test_folders_are_kept_apart(tmp_path, paint):
    for part, count in (("train", 4), ("test", 2)):
        for label in ("cat", "dog"):
            paint(tmp_path / part / label, count)
    dataset = load(tmp_path)
    assert (len(dataset.x_train), len(dataset.x_test)) == (8, 4)


def test_a_train_folder_without_test_is_split(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / "train" / label, 10)
    dataset = load(tmp_path)
    assert (len(dataset.x_train), len(dataset.x_test)) == (16, 4)


def test_the_class_follows_the_folder(tmp_path):
    for value, label in ((50, "dark"), (200, "light")):
        (tmp_path / label).mkdir()
        for number in range(5):
            Image.fromarray(np.full((28, 28), value + number, np.uint8)).save(
                tmp_path / label / f"{number}.png"
            )
    dataset = load(tmp_path)
    means = dataset.x_train.mean(axis=(1, 2, 3))
    assert np.array_equal(means > 128, dataset.y_train == 1)


def test_numbers_are_sorted_as_numbers(tmp_path, paint):
    for label in ("10", "9", "other"):
        paint(tmp_path / label)
    assert load(tmp_path).labels == ("9", "10", "other")


def test_images_of_mixed_sizes_and_kinds_get_one_size(tmp_path, paint):
    paint(tmp_path / "a", 3, (40, 30))
    paint(tmp_path / "a", 5, (64, 64), kind="jpg")
    paint(tmp_path / "b", 5, (20, 90), mode="RGB", kind="bmp")
    dataset = load(tmp_path)
    assert dataset.spec.channels == 3
    height, width, _ = dataset.spec.shape
    assert height == width
    assert 28 <= height <= 96
    assert dataset.x_train.shape[1:] == dataset.spec.shape


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"image_size": (20, 24)}, (20, 24, 1)),
        ({"channels": 3}, (32, 32, 3)),
        ({"image_size": (8, 8), "channels": 3, "fit": "stretch"}, (8, 8, 3)),
    ],
)
def test_size_and_channels_can_be_chosen(folder, options, shape):
    assert load(folder, **options).spec.shape == shape


def test_files_that_are_no_images_are_ignored(folder):
    (folder / "cat" / "notes.txt").write_text("hello")
    (folder / ".cache").mkdir()
    (folder / "labels.csv").write_text("a,b")
    dataset = load(folder)
    assert dataset.labels == ("cat", "dog")
    assert len(dataset.x_train) + len(dataset.x_test) == 10


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_broken_image_is_named(folder, content):
    file = folder / "dog" / "2.png"
    file.write_bytes(file.read_bytes()[:200] if content is None else content)
    with pytest.raises(DataError, match=r"dog.2\.png.*fix or remove it"):
        load(folder)


def test_a_broken_image_after_the_probed_ones_is_named(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / label, 60)
        for file in sorted((tmp_path / label).iterdir()):
            if int(file.stem) >= 1:
                continue
            file.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"0\.png"):
        load(tmp_path)


def test_one_class_only_is_refused(folder):
    shutil.rmtree(folder / "dog")
    with pytest.raises(DataError, match="one sub-folder per class, found 1"):
        load(folder)


def test_a_class_without_images_is_named(folder):
    (folder / "emu").mkdir()
    with pytest.raises(DataError, match="no images of class emu"):
        load(folder)


def test_an_unknown_class_in_test_is_named(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / "train" / label)
        paint(tmp_path / "test" / label)
    paint(tmp_path / "test" / "emu")
    with pytest.raises(DataError, match="class emu has no training images"):
        load(tmp_path)


def test_a_class_may_be_missing_in_test(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / "train" / label)
    paint(tmp_path / "test" / "dog")
    assert set(load(tmp_path).y_test) == {1}


@pytest.mark.parametrize("make", [False, True])
def test_an_empty_test_folder_is_refused(tmp_path, paint, make):
    for label in ("cat", "dog"):
        paint(tmp_path / "train" / label)
    (tmp_path / "test").mkdir()
    if make:
        (tmp_path / "test" / "cat").mkdir()
    with pytest.raises(DataError, match="no images"):
        load(tmp_path)


def test_too_few_images_for_a_test_part_are_refused(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / label, 1)
    with pytest.raises(DataError, match="too few images"):
        load(tmp_path)


def test_an_image_on_which_the_framing_fails_is_named(folder):
    Image.new("L", (32, 32), 0).save(folder / "cat" / "0.png")
    with pytest.raises(DataError, match=r"pets.*\.png: "):
        load(folder, fit="center-of-mass")


@pytest.mark.parametrize("path", [None, "file"])
def test_without_a_folder_it_says_what_is_needed(tmp_path, path):
    if path:
        path = tmp_path / path
        path.write_text("")
    with pytest.raises(DataError, match="--dataset folder needs --data FOLDER"):
        load(path)


def test_copies_of_test_images_are_left_out_of_training(tmp_path, paint):
    for label in ("cat", "dog"):
        paint(tmp_path / label, 10)
        for number in range(10, 20):
            shutil.copy(tmp_path / label / f"{number - 10}.png", tmp_path / label / f"{number}.png")
    dataset = load(tmp_path)
    assert not np.isin(image_hashes(dataset.x_train), image_hashes(dataset.x_test)).any()
    assert dataset.notes


def test_the_folders_of_a_split_are_no_classes(tmp_path):
    for name in ("training", "test"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="'test' is no class"):
        load_dataset(DataOptions(path=tmp_path))
