"""Run folders and the latest one."""

import pytest

from runtime.errors import InputError
from toolkit.datasets import DataOptions
from toolkit.runs import run
from toolkit.runs.files import write_json


def finished(parent, name="digits-cnn"):
    partial = run.start(parent, name)
    (partial / run.MODEL).write_bytes(b"")
    write_json(partial / run.CONFIG, {"name": name})
    return run.finish(partial)


def test_a_new_run_is_marked_as_unfinished(tmp_path):
    path = run.start(tmp_path / "runs", "digits-cnn")
    assert path.is_dir()
    assert path.name.endswith("-digits-cnn.partial")


def test_two_runs_in_one_second_get_two_folders(tmp_path):
    assert len({run.start(tmp_path, "x") for _ in range(5)}) == 5


def test_a_finished_run_loses_the_mark_and_becomes_the_latest(tmp_path):
    first, second = finished(tmp_path), finished(tmp_path)
    assert first != second
    assert run.PARTIAL not in second.name
    assert (tmp_path / "latest").resolve() == second.resolve()
    assert run.latest_run(tmp_path).path == second


def test_the_link_is_relative_so_that_the_folder_can_be_moved(tmp_path):
    final = finished(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert run.latest_run(tmp_path / "there").path == tmp_path / "there" / final.name


def test_a_folder_of_runs_opens_its_latest(tmp_path):
    final = finished(tmp_path)
    assert run.open_run(tmp_path).path.resolve() == final.resolve()
    assert run.open_run(tmp_path / "latest").path.resolve() == final.resolve()


def test_without_a_run_it_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"no run in .* train a model first: toolkit train"):
        run.latest_run(tmp_path)


def test_a_latest_that_points_nowhere_counts_as_no_run(tmp_path):
    (tmp_path / "latest").symlink_to("gone")
    with pytest.raises(InputError, match="no run in"):
        run.latest_run(tmp_path)


def test_an_unfinished_run_says_how_to_go_on(tmp_path):
    partial = run.start(tmp_path, "x")
    with pytest.raises(InputError, match=r"not a finished run folder; go on with: .*--resume"):
        run.open_run(partial)


def test_any_other_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is not a finished run folder$"):
        run.open_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2"])
def test_a_broken_configuration_is_named(tmp_path, text):
    path = finished(tmp_path)
    (path / run.CONFIG).write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        run.open_run(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make"):
        run.start(tmp_path / "file" / "runs", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mnist", "mnist"), ("my photos (2)", "my-photos-2"), ("äöü", "model"), ("..", "model")],
)
def test_slugs_are_file_names(text, expected):
    assert run.slug(text) == expected


def test_data_options_survive_the_configuration(tmp_path):
    given = DataOptions("folder", tmp_path, (20, 24), 3, "pad", "auto")
    record = {
        "options": {
            "name": "folder",
            "path": str(tmp_path),
            "image_size": [20, 24],
            "channels": 3,
            "fit": "pad",
            "polarity": "auto",
        }
    }
    assert run.data_options(record) == given
    assert run.data_options(record, tmp_path / "moved").path == tmp_path / "moved"


def test_a_run_knows_its_parts(digits_run):
    assert digits_run.name == "digits-cnn"
    assert digits_run.labels == tuple("0123456789")
    assert digits_run.spec.shape == (28, 28, 1)
    assert digits_run.model.is_file()
    assert digits_run.dataset().checksum == digits_run.config["data"]["sha256"]
