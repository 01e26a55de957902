"""What may be named on the command line, and that bad inputs do not stop good ones."""

from __future__ import annotations

import io
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from runtime.errors import InputError
from runtime.preprocessing.inputs import Inputs


def names(*arguments):
    return [source.name for source in Inputs(tuple(map(str, arguments)))]


def reads(*arguments):
    return [np.asarray(source.read()) for source in Inputs(tuple(map(str, arguments)))]


def count(*arguments, most=100):
    return Inputs(tuple(map(str, arguments))).count(most)


def error_of(argument):
    (source,) = Inputs((str(argument),))
    with pytest.raises(InputError) as caught:
        source.read()
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    for index, name in enumerate(("b.png", "a.PNG", "c.jpg", "d.bmp", "e.webp", "f.tif")):
        Image.new("RGB", (3, 2), (index, 0, 0)).save(tmp_path / name)
    np.save(tmp_path / "g.npy", np.zeros((2, 3, 4), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "deeper").mkdir()
    Image.new("L", (3, 2)).save(tmp_path / "deeper" / "h.png")
    return tmp_path


def test_files_come_in_the_order_given(folder):
    given = [folder / "b.png", folder / "a.PNG", folder / "b.png"]
    assert names(*given) == [str(path) for path in given]


def test_a_folder_gives_its_images_by_name(folder):
    wanted = ["a.PNG", "b.png", "c.jpg", "d.bmp", "e.webp", "f.tif", "g.npy[0]", "g.npy[1]"]
    assert names(folder) == [str(folder / name) for name in wanted]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.png", ["b.png"]),
        ("?.[bw]*", ["d.bmp", "e.webp"]),
        ("**/*.png", ["b.png", "deeper/h.png"]),
    ],
)
def test_globs_are_expanded_sorted_and_may_be_recursive(folder, pattern, wanted):
    assert names(folder / pattern) == [str(folder / name) for name in wanted]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "a[1].png")
    assert names(tmp_path / "a[1].png") == [str(tmp_path / "a[1].png")]


def test_standard_input_is_an_image(monkeypatch):
    stream = io.BytesIO()
    Image.new("L", (3, 2), 77).save(stream, "PNG")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stream.getvalue())))
    (source,) = Inputs(("-",))
    assert source.name == "-"
    assert np.asarray(source.read()).tolist() == [[77] * 3] * 2


def test_closed_standard_input_is_told(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert error_of("-") == "standard input is closed"


def test_empty_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO()))
    assert "not an image" in error_of("-")


@pytest.mark.parametrize(
    ("shape", "count", "each"),
    [
        ((28, 28), 1, (28, 28)),
        ((28, 28, 1), 1, (28, 28, 1)),
        ((28, 28, 3), 1, (28, 28, 3)),
        ((5, 28, 28), 5, (28, 28)),
        ((5, 28, 28, 1), 5, (28, 28, 1)),
        ((1, 28, 28, 3), 1, (28, 28, 3)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_npy_files_are_one_image_or_a_batch(tmp_path, rng, shape, count, each, dtype):
    array = rng.random(shape).astype(dtype)
    path = tmp_path / "a.npy"
    np.save(path, array)
    found = reads(path)
    assert [image.shape for image in found] == [each] * count
    assert found[0].dtype == dtype
    np.testing.assert_array_equal(np.stack(found).reshape(shape), array)
    assert names(path) == [str(path)] if count == 1 else [f"{path}[{i}]" for i in range(count)]


@pytest.mark.parametrize("shape", [(28,), (), (2, 28, 28, 4), (1, 1, 2, 3, 3)])
def test_arrays_of_other_shapes_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    assert "expected one image (h, w[, 1 or 3])" in error_of(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(0, 28, 28), (3, 0, 28), (28, 0)])
def test_an_array_without_pixels_is_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    whole = shape if len(shape) == 3 else (1, *shape)
    assert error_of(tmp_path / "a.npy") == f"contains no image: shape {whole}"


def test_an_array_without_images_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 28, 28), np.uint8))
    assert "contains no image: shape (0, 28, 28)" in error_of(tmp_path / "a.npy")


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("code from a file was run",))

    trap = np.empty(1, object)
    trap[0] = Trap()
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npy", "b.npy"):
        assert "not a readable .npy file of numbers" in error_of(tmp_path / name)


def damaged_header(data):
    return data.replace(b"'descr'", b"\xb1'desc")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"text",
        lambda data: data[:60],
        lambda data: data[:-1],
        damaged_header,
    ],
    ids=["empty", "text", "cut header", "cut data", "damaged header"],
)
def test_broken_npy_files_are_refused(tmp_path, damage):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((28, 28), np.uint8))
    path.write_bytes(damage(path.read_bytes()))
    assert "not a readable .npy file of numbers" in error_of(path)


def test_an_archive_of_arrays_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))
    assert "numpy.save" in error_of(path)


@pytest.mark.parametrize("name", ["missing.png", "missing.npy"])
def test_missing_files_are_refused(tmp_path, name):
    assert "no such file" in error_of(tmp_path / name)


def test_an_empty_folder_is_refused(tmp_path):
    assert "contains no images" in error_of(tmp_path)


@pytest.mark.parametrize("pattern", ["*.png", "deep*"])
def test_a_pattern_that_matches_no_file_is_refused(tmp_path, pattern):
    (tmp_path / "deeper").mkdir()
    assert "no file matches" in error_of(tmp_path / pattern)


def test_nothing_is_read_before_it_is_its_turn(folder):
    sources = iter(Inputs((str(folder / "missing.png"), str(folder / "b.png"))))
    bad, good = next(sources), next(sources)
    assert good.read().size == (3, 2)
    with pytest.raises(InputError):
        bad.read()


def test_images_are_counted_without_being_read(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    missing, empty = folder / "missing.png", folder / "deeper" / "none"
    assert count(folder) == 8
    assert count(folder / "*.png", folder / "g.npy", "-") == 4
    assert count(missing) == 1  # it has a line of its own among the answers
    assert count(folder / "*.gif") == 0
    (folder / "g.npy").write_bytes(b"no array")
    assert count(folder / "g.npy") == 0
    empty.mkdir()
    assert count(empty) == 0


def test_no_more_images_are_counted_than_matter(folder, monkeypatch):
    assert count(folder, most=3) == 3
    monkeypatch.setattr(
        "runtime.preprocessing.inputs._load", lambda path: pytest.fail(f"looked at {path}")
    )
    assert count(folder / "a.PNG", folder / "g.npy", most=1) == 1


def test_a_pipe_is_not_opened_to_be_counted(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    assert count(tmp_path / "pipe.npy") == 1


def test_many_arrays_are_not_all_opened_to_be_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.preprocessing.inputs._COUNTED", 2)
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.zeros((5, 3, 4), np.uint8))
    assert count(tmp_path) == count(*sorted(tmp_path.iterdir())) == 5 + 5 + 1 + 1


def test_a_folder_is_listed_once(folder, monkeypatch):
    inputs = Inputs((str(folder),))
    assert inputs.count(100) == 8
    monkeypatch.setattr(
        "runtime.preprocessing.inputs.Path.iterdir", lambda path: pytest.fail(f"listed {path}")
    )
    assert len(list(inputs)) == 8


@pytest.mark.parametrize(("dtype", "how"), [(np.int64, "'uint8'"), (np.bool_, "'float32'")])
def test_a_dtype_that_is_no_pixel_is_told_once_for_the_file(tmp_path, dtype, how):
    np.save(tmp_path / "wrong.npy", np.zeros((50, 3, 4), dtype))
    assert f"convert with array.astype({how})" in error_of(tmp_path / "wrong.npy")


def test_what_a_folder_holds_besides_images_is_logged(folder, caplog):
    with caplog.at_level("DEBUG", "runtime"):
        names(folder)
    assert f"{folder}: 7 images, 2 entries skipped" in caplog.messages
