"""From a trained run to a smaller one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.errors import ExportError, InputError, ParityError
from toolkit.compression import CompressOptions, Compressor
from toolkit.compression.search import Search, Target
from toolkit.datasets import DataOptions
from toolkit.progress import SILENT
from toolkit.report.commands import commands
from toolkit.runs.run import open_run
from toolkit.trained_model import resolve

pytest.importorskip("tensorflow", reason="the workstation side is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(digits_run, tmp_path_factory, request):
    """The run of the digits, compressed by the command as a user types it."""
    from click.testing import CliRunner

    from toolkit.cli import main

    out = tmp_path_factory.mktemp("small") / "runs"
    options = [
        "--target-speedup",
        "2.5",
        "--target-shrink",
        "4",
        "--epochs",
        "12",
        "--copies",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(
        main, ["compress", str(digits_run.path), *options, "--out", str(out)]
    )
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), open_run(out)


def test_the_small_network_is_faster_smaller_and_nearly_as_good(small):
    record, run = small
    assert record["run"] == str(run.path)
    assert record["speedup"] >= 2.5
    assert record["shrink"] >= 4
    assert record["parameters"] < record["teacher_parameters"] / 2
    assert record["accuracy"] > record["teacher_accuracy"] - 0.05
    low, high = record["accuracy_interval"]
    assert low <= record["accuracy"] - record["teacher_accuracy"] <= high


def test_the_run_folder_is_like_any_other_and_tells_its_teacher(small, digits_run):
    _, run = small
    lineage = run.config["lineage"]
    assert lineage["teacher"] == digits_run.name
    assert lineage["widths"]
    assert run.config["data"] == digits_run.config["data"]
    found = resolve(run.path, DataOptions())
    assert (found.training == resolve(digits_run.path, DataOptions()).training).all()


def info(runtime_cli, path):
    return json.loads(runtime_cli("info", path, "--json").stdout)


def test_it_is_exported_and_passes_the_gate(small, toolkit_cli, runtime_cli, digit_files):
    record, run = small
    (path,) = record["artifacts"]
    result = toolkit_cli("verify", path, "--against", run.path, "--json")
    report = json.loads(result.stdout)
    assert report["verdict"] == "pass"
    teacher = report["artifacts"][0]["teacher"]
    assert teacher["accuracy"] == record["teacher_accuracy"]
    assert teacher["agreement"] > 0.9
    manifest = runtime.Manifest.loads(json.dumps(info(runtime_cli, path)).encode())
    assert manifest.created.lineage["teacher_sha256"] == run.config["lineage"]["teacher_sha256"]
    with runtime.load(path) as classifier:
        read = [classifier.predict(path).label == path.name[0] for path in digit_files]
    assert sum(read) > 0.8 * len(read)


def test_a_file_far_below_its_teacher_fails_and_a_lost_teacher_is_told(small, toolkit_cli):
    """The student itself is spoilt, and its files answer just as it does."""
    import keras

    _, run = small
    spoilt = run.path.with_name("spoilt")
    shutil.copytree(run.path, spoilt, ignore=shutil.ignore_patterns("exports"))
    model = keras.models.load_model(spoilt / "model.keras", compile=False)
    model.layers[0].kernel.assign(0 * model.layers[0].kernel)
    model.save(spoilt / "model.keras")
    assert toolkit_cli("export", spoilt, "--format", "tflite").exit_code == 0
    result = toolkit_cli("verify", "--against", spoilt, "--json")
    (entry,) = json.loads(result.stdout)["artifacts"]
    assert entry["verdict"] == "fail"
    assert "against its teacher" in entry["reasons"][0]
    config = json.loads((spoilt / "config.json").read_text())
    config["lineage"]["teacher_model"] = "/gone.keras"
    (spoilt / "config.json").write_text(json.dumps(config))
    result = toolkit_cli("verify", "--against", spoilt, "--json")
    report = json.loads(result.stdout)
    assert report["verdict"] == "pass"
    assert any("not compared with its teacher" in note for note in report["notes"])


def test_a_bare_teacher_with_pictures_of_another_size_and_scale(
    toolkit_cli, runtime_cli, rgb_model, tmp_path
):
    """The student was run with the default scale, and its export asked for other sizes."""
    arrays, rng = np.load(rgb_model / "colors.npz"), np.random.default_rng(0)
    wide(arrays).save(tmp_path / "wide.keras")
    for image, label in zip(arrays["x_train"], arrays["y_train"], strict=True):
        folder = tmp_path / "data" / str(arrays["labels"][label])
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{rng.integers(1 << 30)}.png"
        Image.fromarray(image).resize((48, 40)).save(folder / name)
    said = ("--scale", 1, "--labels", "red,green,blue", "--data", tmp_path / "data")
    options = ("--target-speedup", 1.3, "--epochs", 12, "--copies", 1, "--json")
    runs = tmp_path / "runs"
    result = toolkit_cli("compress", tmp_path / "wide.keras", *said, *options, "--out", runs)
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["accuracy"] > 0.9
    found = info(runtime_cli, record["artifacts"][0])
    assert found["preprocess"]["scale"] == 1.0
    assert found["labels"] == ["red", "green", "blue"]
    assert found["accuracy"]["reference"] > 0.9
    assert "Warning" not in result.stderr
    again = commands(resolve(Path(record["run"]), DataOptions()), {})[0]
    assert f"wide.keras --data {tmp_path / 'data'} --labels red,green,blue --scale 1.0" in again


def wide(arrays):
    """A teacher of the colours with channels to spare; it scales its pixels itself."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    convolutions = [layers.Conv2D(32, 3, strides=2, activation="relu") for _ in range(2)]
    head = [layers.Flatten(), layers.Dense(3)]
    image = [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255)]
    model = keras.Sequential([*image, *convolutions, *head], name="wide")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(arrays["x_train"].astype("float32"), arrays["y_train"], epochs=8, verbose=0)
    return model


def test_a_speed_that_cannot_be_reached_names_the_one_that_can(trained, tmp_path):
    options = CompressOptions(target_speedup=900, copies=0, epochs=1)
    compressor = Compressor(trained, options, SILENT)
    with pytest.raises(ExportError, match=r"the fastest is .* --target-speedup"):
        compressor.compress(tmp_path / "runs")
    options = CompressOptions(target_speedup=1.01, target_shrink=900, copies=0, epochs=1)
    compressor = Compressor(trained, options, SILENT)
    with pytest.raises(ExportError, match=r"900 times smaller here; .* --target-shrink"):
        compressor.compress(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_with_a_drop_alone_the_fastest_speed_within_reach_is_taken(trained, tmp_path, monkeypatch):
    options = CompressOptions(max_drop=100, copies=0, epochs=1)
    compressor = Compressor(trained, options, SILENT)
    asked = []

    def students(self, target):
        asked.append(target.speedup)
        if target.speedup > 8:
            raise ExportError("no narrower one is 16 times as fast here")
        return find_students(self, Target(1.5, 1.2))

    find_students = Search.students
    monkeypatch.setattr(Search, "students", students)
    compressor.compress(tmp_path)
    assert asked == [16, 8]


def test_a_student_that_loses_too_much_is_an_error_and_stays(trained, tmp_path):
    options = CompressOptions(target_speedup=3, max_drop=0, copies=0, epochs=1, learning_rate=1e-9)
    compressor = Compressor(trained, options, SILENT)
    with pytest.raises(ParityError, match="no student stays within 0 points"):
        compressor.compress(tmp_path)
    assert open_run(tmp_path).config["lineage"]


@pytest.mark.parametrize(
    "options",
    [
        {"target_speedup": 1.0},
        {"target_speedup": float("nan")},
        {"target_shrink": 0.5},
        {"max_drop": -1},
        {"epochs": 0},
        {"copies": -1},
        {"learning_rate": 0},
        {"truth": 1.5},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError):
        CompressOptions(**options)
