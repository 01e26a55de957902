"""``runtime predict`` as a person or a script uses it: output, options, exit codes."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image


@pytest.fixture
def model(exports):
    return exports["tflite-int8"]


def lines(result):
    """The JSON objects on stdout, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def wrong_images(tmp_path):
    """One file of each bad kind."""
    (tmp_path / "text.png").write_text("I am no image")
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:800])
    np.save(tmp_path / "wide.npy", np.zeros((1, 28, 28, 5), np.uint8))
    np.save(tmp_path / "ints.npy", np.zeros((28, 28), np.int64))
    return [tmp_path / n for n in ("text.png", "cut.png", "wide.npy", "ints.npy", "missing.png")]


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "onnx", "onnx-int8"])
def test_real_digits_are_predicted_as_keras_does(
    runtime_cli, exports, trained, digits, digit_files, name
):
    result = runtime_cli("predict", exports[name], *digit_files, "--json")
    assert result.exit_code == 0
    reference = trained.source.predict(trained.spec.apply(digits.x_test[: len(digit_files)]))
    found = lines(result)
    assert [record["file"] for record in found] == list(map(str, digit_files))
    sure = [i for i, row in enumerate(reference) if row.max() > 0.6]
    assert len(sure) > 10
    for i in sure:
        assert found[i]["index"] == reference[i].argmax()
        assert found[i]["label"] == digits.labels[found[i]["index"]]


def test_json_is_one_object_a_line_with_stable_keys(runtime_cli, model, digit_files):
    result = runtime_cli("predict", model, digit_files[0], digit_files[1], "--json", "--top", "4")
    for record in lines(result):
        keys = ["file", "label", "index", "confidence", "top", "backend", "device"]
        assert list(record) == keys
        assert record["device"] == "cpu"
        assert len(record["top"]) == 4
        assert record["top"][0] == {"label": record["label"], "confidence": record["confidence"]}
        assert 0 < record["confidence"] <= 1


def test_text_has_one_row_an_image_under_a_heading(runtime_cli, model, digit_files):
    result = runtime_cli("predict", model, *digit_files[:3], "--top", "2")
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["file", "label", "confidence"]
    assert len(rows) == 3
    assert all(row.count("%") == 2 for row in rows)
    assert max(map(len, rows)) <= 100
    assert model.name in result.stderr


def test_quiet_prints_the_data_only(runtime_cli, model, digit_files):
    loud = runtime_cli("predict", model, digit_files[0])
    quiet = runtime_cli("predict", model, digit_files[0], "--quiet")
    assert quiet.stdout == loud.stdout
    assert quiet.stderr == ""


@pytest.mark.parametrize("top", [1, 10, 99])
def test_top_says_how_many_classes(runtime_cli, model, digit_files, top):
    (record,) = lines(runtime_cli("predict", model, digit_files[0], "--json", "--top", top))
    assert len(record["top"]) == min(top, 10)


def test_explain_tells_what_was_done(runtime_cli, model, digits, tmp_path):
    photo = np.pad(255 - digits.x_test[0, ..., 0], 40, constant_values=255)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    result = runtime_cli("predict", model, tmp_path / "photo.png", "--explain")
    assert len([row for row in result.stdout.splitlines() if row.startswith("    ")]) >= 2
    (record,) = lines(runtime_cli("predict", model, tmp_path / "photo.png", "--explain", "--json"))
    assert list(record)[-1] == "steps"
    assert len(record["steps"]) >= 2


def test_folders_globs_arrays_and_stdin(model, digits, digit_files, tmp_path):
    from runtime.cli import main

    np.save(tmp_path / "batch.npy", digits.x_test[:3])
    np.save(tmp_path / "one.npy", digits.x_test[0] / 255)
    folder = digit_files[0].parent
    inputs = [folder, folder / "?-0*.png", tmp_path / "batch.npy", tmp_path / "one.npy", "-"]
    arguments = ["predict", "--json", *map(str, [model, *inputs])]
    result = CliRunner().invoke(main, arguments, input=digit_files[0].read_bytes())
    assert result.exit_code == 0
    found = {record["file"]: record["label"] for record in lines(result)}
    names = sorted(map(str, digit_files))
    assert set(names) < set(found)
    assert [n for n in found if "batch" in n] == [f"{tmp_path}/batch.npy[{i}]" for i in range(3)]
    assert len(lines(result)) == 20 + 10 + 3 + 1 + 1
    same = ["-", str(digit_files[0]), f"{tmp_path}/batch.npy[0]", f"{tmp_path}/one.npy"]
    assert len({found[name] for name in same}) == 1


def test_bad_images_in_a_batch_do_not_stop_the_others(
    runtime_cli, model, digit_files, wrong_images
):
    mixed = [wrong_images[0], digit_files[0], *wrong_images[1:], digit_files[1]]
    result = runtime_cli("predict", model, *mixed, "--json")
    assert result.exit_code == 1
    found = lines(result)
    assert [record["file"] for record in found] == list(map(str, mixed))
    for record, path in zip(found, mixed, strict=True):
        assert ("error" in record) == (path in wrong_images)
        if path in wrong_images:
            assert list(record) == ["file", "error"]
    assert "not an image of a known format" in found[0]["error"]
    plain = runtime_cli("predict", model, *mixed)
    assert plain.exit_code == 1
    assert len(plain.stdout.splitlines()) == 3
    for path in wrong_images:
        assert f"{path}: " in plain.stderr


def test_one_bad_image_of_two_ends_with_exit_code_1(runtime_cli, tiny, files, wrong_images):
    result = runtime_cli("predict", tiny.path, files[0], wrong_images[0])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2


def test_only_bad_images_is_bad_input(runtime_cli, model, wrong_images):
    for options in ([], ["--json"]):
        result = runtime_cli("predict", model, *wrong_images, *options)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
    assert len(lines(result)) == len(wrong_images)


def test_an_empty_folder_is_bad_input(runtime_cli, model, tmp_path):
    result = runtime_cli("predict", model, tmp_path)
    assert (result.exit_code, "contains no images" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--backend", "litrt"], "unknown backend 'litrt'. Did you mean 'litert'?"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--threads", "0"], "threads must be at least 1, not 0"),
        (["--threads", "99999"], "threads must be at most 256, not 99999"),
        (["--top", "0"], "--top"),
        (["--fit", "crop"], "unknown fit 'crop'. Known: center-of-mass, pad, stretch."),
        (["--fit", "center"], "Did you mean 'center-of-mass'?"),
        (["--polarity", "dark"], "unknown polarity 'dark'"),
        (["--scale", "0"], "not zero"),
        (["--scale", "x"], "--scale"),
        (["--mean", "a"], "--mean takes one number or one per channel, not 'a'"),
        (["--mean", "1,2"], "mean needs 1 or 3 values, not 2"),
        (["--std", "0"], "not zero"),
        (["--labels", "a,b"], "2 labels for a model of 10 classes"),
        (["--labels", "no-such-file"], "--labels takes a,b,c or a text file"),
        (["--labels", ","], "holds no label"),
        (["--labels", "a,b,a"], "names 'a' twice"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_wrong_options_are_usage_errors(runtime_cli, model, digit_files, options, words):
    result = runtime_cli("predict", model, digit_files[0], *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_wrong_usage(runtime_cli, model):
    assert runtime_cli("predict").exit_code == 2
    assert runtime_cli("predict", model).exit_code == 2
    mistyped = runtime_cli("predct", model)
    assert (mistyped.exit_code, "Did you mean 'predict'?" in mistyped.stderr) == (2, True)


def test_the_gpu_is_refused_not_silently_replaced(runtime_cli, exports, digit_files):
    for name in ("tflite-int8", "onnx"):
        result = runtime_cli("predict", exports[name], digit_files[0], "--device", "gpu")
        assert result.exit_code == 3
        assert "no GPU support" in result.stderr
        assert "--device cpu" in result.stderr


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "copy it again"),
        (lambda data: data[:-1], "copy it again"),
        (lambda data: data[:9999] + bytes([data[9999] ^ 1]) + data[10000:], "SHA-256 does not"),
        (lambda data: b"", "empty"),
        (lambda data: b"hello", "not a"),
    ],
    ids=["half", "one byte short", "one bit", "empty", "text"],
)
@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_damaged_models_end_in_one_line(
    runtime_cli, exports, digit_files, tmp_path, name, damage, words
):
    path = tmp_path / exports[name].name
    path.write_bytes(damage(exports[name].read_bytes()))
    result = runtime_cli("predict", path, digit_files[0])
    assert result.exit_code == 2
    assert words in result.stderr
    assert str(path) in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_files_that_are_no_models(runtime_cli, trained, digit_files, tmp_path):
    keras = runtime_cli("predict", trained.source.path, digit_files[0])
    assert (keras.exit_code, "toolkit export" in keras.stderr) == (2, True)
    image = runtime_cli("predict", digit_files[0], digit_files[0])
    assert (image.exit_code, "ends in .onnx or .tflite" in image.stderr) == (2, True)
    missing = runtime_cli("predict", tmp_path / "missing.tflite", digit_files[0])
    assert (missing.exit_code, "no such file" in missing.stderr) == (2, True)


@pytest.mark.parametrize("name", ["tflite-int8", "onnx"])
def test_a_file_of_another_tool_runs_with_stated_guesses(
    runtime_cli, exports, stripped, digit_files, name
):
    own = runtime_cli("predict", exports[name], *digit_files, "--json")
    plain = runtime_cli("predict", stripped[name], *digit_files, "--json")
    assert plain.exit_code == 0
    assert lines(plain) == lines(own)
    assert "Note: no labels in the file" in plain.stderr
    assert "Note: no preprocessing in the file" in plain.stderr
    assert "Note" not in own.stderr


def test_labels_and_preprocessing_options_are_used(runtime_cli, stripped, digit_files, tmp_path):
    model, image = stripped["onnx"], digit_files[0]
    words = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    listing = tmp_path / "labels.txt"
    listing.write_text("\n".join(words) + "\n", encoding="utf-8")
    (number,) = lines(runtime_cli("predict", model, image, "--json"))
    for option in (",".join(words), listing):
        result = runtime_cli("predict", model, image, "--json", "--labels", option)
        assert lines(result)[0]["label"] == words[number["index"]]
        assert "no labels" not in result.stderr
    result = runtime_cli(
        *("predict", model, image, "--json", "--explain", "--fit", "stretch", "--scale", "1"),
        *("--polarity", "invert", "--mean", "127.5", "--std", "127.5"),
    )
    assert "scale 1, fit stretch, polarity invert" in result.stderr
    assert any("inverted" in step for step in lines(result)[0]["steps"])


def test_a_dynamic_range_file_is_too_new_for_tflite_runtime(runtime_cli, exports, digit_files):
    from runtime.backends.tflite_runtime import TfliteRuntime
    from runtime.errors import EdgeError

    try:
        TfliteRuntime.preload()
    except EdgeError as error:
        pytest.skip(str(error))
    model = exports["tflite-dynamic"]
    result = runtime_cli("predict", model, digit_files[0], "--backend", "tflite-runtime")
    assert result.exit_code == 3
    assert "too old for" in result.stderr
    assert "tflite-int8" in result.stderr
    assert 'pip install "edge-toolkit[litert]"' in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("surprise")])
def test_interrupts_and_surprises(runtime_cli, model, digit_files, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("runtime.session.Session.prepare", fail)
    result = runtime_cli("predict", model, digit_files[0])
    assert result.exit_code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "Traceback" not in result.stderr
    assert "Traceback" in runtime_cli("predict", model, digit_files[0], "--debug").stderr


def test_a_label_file_may_hold_commas(runtime_cli, exports, digit_files, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"digit {n}, written\n" for n in range(10)))
    result = runtime_cli("predict", exports["tflite"], digit_files[0], "--labels", path, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["label"].endswith(", written")


def test_a_name_that_is_too_long_is_one_bad_input(runtime_cli, exports, digit_files):
    result = runtime_cli("predict", exports["tflite"], "x" * 300 + ".png", digit_files[0], "--json")
    assert result.exit_code == 1
    assert "error" in json.loads(result.stdout.splitlines()[0])
    assert "label" in json.loads(result.stdout.splitlines()[1])
