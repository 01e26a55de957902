"""Many image files: decoded in parallel, kept on disk where they do not fit into memory."""

import os

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from toolkit.datasets import DataOptions, _decoding, load_dataset
from toolkit.datasets.base import rows
from toolkit.progress import Silent


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def on_disk(monkeypatch):
    """Let everything be too large for the memory."""
    monkeypatch.setattr(_decoding, "IN_MEMORY", 0)


@pytest.fixture
def folder(tmp_path, digits):
    """Two hundred real digits as PNG files, in folders by class."""
    root = tmp_path / "digits"
    for number in range(200):
        place = root / str(digits.y_train[number])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.x_train[number, ..., 0]).save(place / f"{number}.png")
    return root


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded to fill the rows, in a list."""
    seen = []
    real = _decoding.decode_one

    def spy(file, spec):
        seen.append(file)
        return real(file, spec)

    monkeypatch.setattr(_decoding, "decode_one", spy)
    return seen


def load(path):
    return load_dataset(DataOptions(path=path))


def test_from_disk_the_data_are_the_same_as_in_memory(folder, monkeypatch, cache):
    memory = load(folder)
    assert not isinstance(memory.x_train, np.memmap)
    assert not cache.exists()
    monkeypatch.setattr(_decoding, "IN_MEMORY", 0)
    disk = load(folder)
    assert isinstance(disk.x_train, np.memmap)
    assert isinstance(disk.x_test, np.memmap)
    assert disk.checksum == memory.checksum
    assert disk.labels == memory.labels
    (file,) = cache.iterdir()
    assert file.stat().st_size == 200 * 28 * 28


@pytest.mark.usefixtures("on_disk")
def test_the_second_load_decodes_nothing(folder, decoded):
    first = load(folder).checksum
    assert len(decoded) == 200
    assert load(folder).checksum == first
    assert len(decoded) == 200


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("change", ["content", "time", "new", "gone", "renamed", "truncated"])
def test_a_change_is_noticed_and_the_old_file_goes(folder, cache, decoded, change):
    before = load(folder)
    expected = len(before.y_train) + len(before.y_test)
    file = next(folder.rglob("*.png"))
    if change == "content":
        Image.new("L", (28, 28), 7).save(file)
    elif change == "time":
        os.utime(file, (1, 1))
    elif change == "new":
        Image.new("L", (28, 28), 7).save(file.with_name("new.png"))
        expected += 1
    elif change == "gone":
        file.unlink()
        expected -= 1
    elif change == "renamed":
        file.rename(file.with_name("zzz.png"))
    else:
        (kept,) = cache.iterdir()
        os.truncate(kept, 1000)
    decoded.clear()
    after = load(folder)
    assert len(decoded) == expected == len(after.y_train) + len(after.y_test)
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("on_disk")
def test_another_size_has_a_file_of_its_own(folder, cache):
    load(folder)
    load_dataset(DataOptions(path=folder, image_size=(16, 16)))
    assert len(list(cache.iterdir())) == 2


@pytest.mark.usefixtures("on_disk")
def test_a_damaged_image_is_named_and_leaves_no_file(folder, cache):
    file = sorted(folder.rglob("*.png"))[150]
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{file.name}.*fix or remove it"):
        load(folder)
    assert not list(cache.iterdir())


@pytest.mark.usefixtures("on_disk")
def test_a_full_disk_is_an_error_that_names_the_way_out(folder, monkeypatch, cache):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"No space left on device.*EDGE_CACHE_DIR"):
        load(folder)
    assert not list(cache.iterdir())


@pytest.mark.usefixtures("on_disk")
def test_copies_are_left_out_on_disk_as_in_memory(folder, monkeypatch, cache):
    for file in sorted(folder.rglob("*.png"))[:60]:
        file.with_name(f"copy-{file.name}").write_bytes(file.read_bytes())
    disk = load(folder)
    monkeypatch.setattr(_decoding, "IN_MEMORY", 10**9)
    memory = load(folder)
    assert "were left out" in disk.notes[0]
    assert disk.notes == memory.notes
    assert disk.checksum == memory.checksum
    assert isinstance(disk.x_train, np.memmap)
    assert len(list(cache.iterdir())) == 1


def test_rows_of_an_array_in_memory_are_an_array_in_memory(rng):
    images = rng.integers(0, 255, (5, 2, 2, 1), dtype=np.uint8)
    keep = np.array([True, False, True, True, False])
    assert np.array_equal(rows(images, keep), images[keep])


def test_progress_counts_all_images(folder):
    steps = []

    class Recorder(Silent):
        def task(self, title, total):
            steps.append(total)
            return _Tick(steps)

    load_dataset(DataOptions(path=folder), Recorder())
    assert steps[0] == 200 == sum(steps[1:])


class _Tick:
    def __init__(self, steps):
        self.steps = steps

    def __enter__(self):
        return self.steps.append

    def __exit__(self, *error):
        return None


@pytest.mark.parametrize("variable", ["EDGE_CACHE_DIR", "XDG_CACHE_HOME", "HOME"])
def test_where_the_cache_lies(monkeypatch, tmp_path, variable):
    for name in ("EDGE_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    inner = {"EDGE_CACHE_DIR": "pixels", "XDG_CACHE_HOME": "edge-toolkit/pixels"}
    assert _decoding.cache_folder() == tmp_path / inner.get(variable, ".cache/edge-toolkit/pixels")
