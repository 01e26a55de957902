"""``toolkit verify`` as a user types it."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from exporters.formats import registry
from runtime.modelfile import artifact as artifacts
from toolkit.datasets import DataOptions
from toolkit.export.request import ExportOptions, build_request
from toolkit.parity.report import ArtifactParity, ParityReport
from toolkit.trained_model import resolve

KERAS = str(Path(__file__).parents[3] / "examples" / "models" / "mnist-cnn.keras")


@pytest.fixture(scope="module")
def stranger(digits_run, tmp_path_factory):
    """An export under the same name of the same network with other weights."""
    import keras

    folder = tmp_path_factory.mktemp("stranger")
    keras.utils.set_random_seed(99)
    model = keras.models.clone_model(keras.models.load_model(digits_run.model))
    model.save(folder / "digits-cnn.keras")
    other = resolve(folder / "digits-cnn.keras", DataOptions(name="digits"))
    options = ExportOptions((), folder)
    request = build_request(other, options, calibrate=False)
    return registry()["tflite"]().export(request).path


def test_correct_exports_pass(toolkit_cli, digits_run, exports):
    files = (exports["tflite"], exports["onnx"])
    result = toolkit_cli("verify", *files, "--against", digits_run.path, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["verdict"] == "pass"
    assert record["images"] == 360 or record["images"] > 350
    assert record["reference"]["accuracy"] > 0.85
    assert [entry["path"] for entry in record["artifacts"]] == [str(file) for file in files]
    assert all(entry["verdict"] == "pass" for entry in record["artifacts"])


def test_all_exports_of_the_latest_run_are_the_default(
    toolkit_cli, digits_run, exports, monkeypatch
):
    monkeypatch.chdir(digits_run.path.parent.parent)
    result = toolkit_cli("verify", "--limit", 40, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert [entry["format"] for entry in record["artifacts"]] == list(exports)
    assert record["images"] == 40


def test_all_engines_and_one_that_refuses(toolkit_cli, digits_run, exports):
    """tflite-runtime refuses dynamic-range files; that is shown and is no failure."""
    files = (exports["tflite-dynamic"], exports["onnx-int8"])
    options = ("--backend", "all", "--limit", 40)
    result = toolkit_cli("verify", *files, "--against", digits_run.path, *options, "--json")
    assert result.exit_code == 0
    entries = json.loads(result.stdout)["artifacts"]
    verdicts = {(e["format"], e["backend"]): e["verdict"] for e in entries}
    assert verdicts[("tflite-dynamic", "litert")] == "pass"
    assert verdicts[("onnx-int8", "onnxruntime")] == "pass"
    if ("tflite-dynamic", "tflite-runtime") in verdicts:
        assert verdicts[("tflite-dynamic", "tflite-runtime")] == "refused"
        (refused,) = [e for e in entries if e["verdict"] == "refused"]
        assert "tflite-runtime" in refused["reasons"][0]


def test_the_table_names_engine_verdict_and_reason(toolkit_cli, digits_run, exports):
    options = ("--against", digits_run.path, "--limit", 40, "--backend", "onnxruntime")
    result = toolkit_cli("verify", exports["onnx"], exports["tflite"], *options)
    assert result.exit_code == 1
    assert "onnxruntime" in result.stdout
    assert "refused" in result.stdout
    assert "runs .onnx files" in " ".join(result.stdout.split())
    assert result.stdout.rstrip().endswith("Verdict: fail")


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1)])
def test_the_exit_code_is_that_of_the_verdict(toolkit_cli, monkeypatch, verdict, code):
    entry = ArtifactParity("tflite", "a.tflite", "litert", verdict)
    report = ParityReport(verdict, 0.9, 10, (entry,))
    found = SimpleNamespace(exports=None, load=lambda reporter: None)
    monkeypatch.setattr("toolkit.trained_model.locate", lambda *_: found)
    monkeypatch.setattr("toolkit.parity.verify.find_files", lambda *_: ())
    job = SimpleNamespace(compare=lambda reporter: report)
    monkeypatch.setattr("toolkit.parity.verify.prepare", lambda *_: job)
    result = toolkit_cli("verify", "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (code, verdict)


def test_another_model_under_the_same_name_fails(toolkit_cli, digits_run, stranger):
    result = toolkit_cli("verify", stranger, "--against", digits_run.path, "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    (entry,) = record["artifacts"]
    assert record["verdict"] == entry["verdict"] == "fail"
    assert any("accuracy fell by" in reason for reason in entry["reasons"])
    assert any("other label than Keras" in reason for reason in entry["reasons"])
    assert entry["mcnemar_p"] < 0.001


def test_weights_damaged_and_sealed_again_fail(toolkit_cli, digits_run, exports, tmp_path):
    """What the digest cannot see, the comparison does."""
    file = artifacts.read(exports["tflite"])
    payload = bytearray(artifacts.payload(file))
    start = len(payload) // 2 // 4 * 4
    noise = np.random.default_rng(0).normal(size=200_000).astype(np.float32).tobytes()
    payload[start : start + len(noise)] = noise
    path = tmp_path / "digits-cnn.float32.tflite"
    path.write_bytes(artifacts.pack(path, bytes(payload), file.manifest).data)
    result = toolkit_cli("verify", path, "--against", digits_run.path)
    assert result.exit_code == 1
    assert "Verdict: fail" in result.stdout


def test_labels_in_another_order_fail_with_the_cause(toolkit_cli, digits_run, exports, tmp_path):
    file = artifacts.read(exports["onnx"])
    manifest = replace(file.manifest, labels=file.manifest.labels[::-1])
    path = tmp_path / "digits-cnn.float32.onnx"
    path.write_bytes(artifacts.restate(file, manifest).data)
    result = toolkit_cli("verify", path, "--against", digits_run.path, "--limit", 40)
    assert result.exit_code == 1
    assert "labels are in another order" in " ".join(result.stdout.split())


def test_half_the_scale_is_a_mismatch_although_most_labels_stay(
    toolkit_cli, digits_run, exports, tmp_path
):
    file = artifacts.read(exports["tflite-int8"])
    spec = replace(file.manifest.preprocess, scale=file.manifest.preprocess.scale * 0.9)
    path = tmp_path / "digits-cnn.int8.tflite"
    path.write_bytes(artifacts.restate(file, replace(file.manifest, preprocess=spec)).data)
    result = toolkit_cli("verify", path, "--against", digits_run.path, "--limit", 100, "--json")
    assert result.exit_code == 1
    (entry,) = json.loads(result.stdout)["artifacts"]
    assert any(cause.startswith("preprocessing mismatch") for cause in entry["causes"])


def test_flips_into_a_folder_that_cannot_be_are_told_before_the_comparison(
    toolkit_cli, digits_run, exports, tmp_path
):
    (tmp_path / "taken").write_text("a file")
    options = ("--against", digits_run.path, "--flips", tmp_path / "taken")
    result = toolkit_cli("verify", exports["tflite"], *options)
    assert result.exit_code == 2
    assert f"--flips {tmp_path / 'taken'} is no folder" in result.stderr


def test_other_names_are_taken_in_their_order_and_said(toolkit_cli, digits_run, exports, tmp_path):
    file = artifacts.read(exports["onnx"])
    manifest = replace(file.manifest, labels=tuple("abcdefghij"))
    path = tmp_path / "digits-cnn.float32.onnx"
    path.write_bytes(artifacts.restate(file, manifest).data)
    result = toolkit_cli("verify", path, "--against", digits_run.path, "--limit", 40)
    assert result.exit_code == 0, result.stdout
    assert "taken in their order: a = 0" in " ".join(result.stdout.split())


def test_limits_come_from_options_and_from_a_table(toolkit_cli, digits_run, exports, tmp_path):
    file, against = exports["tflite-int8"], ("--against", digits_run.path, "--limit", 60)
    result = toolkit_cli("verify", file, *against, "--max-abs-error", 1e-5, "--json")
    assert result.exit_code == 1
    (entry,) = json.loads(result.stdout)["artifacts"]
    assert entry["budget"]["max_abs_error"] == 1e-5
    assert "limit 1e-05" in entry["reasons"][0]
    table = tmp_path / "limits.toml"
    table.write_text("[tool.edge-toolkit.parity.tflite-int8]\nmin-sqnr = 150\n")
    result = toolkit_cli("verify", file, *against, "--config", table)
    assert result.exit_code == 1
    assert "signal to noise ratio (dB)" in " ".join(result.stdout.split())
    assert f"Limits are taken from {table}" in " ".join(result.stderr.split())
    result = toolkit_cli("verify", file, *against, "--config", table, "--min-sqnr", 5)
    assert result.exit_code == 0


def test_what_is_said_of_several_files_is_said_once(toolkit_cli, digits_run, exports):
    files = (exports["tflite"], exports["onnx"])
    result = toolkit_cli("verify", *files, "--against", digits_run.path)
    said = " ".join(result.stdout.split())
    assert "tflite (litert), onnx (onnxruntime): each gives Keras's label on all 359" in said
    assert said.count("gives Keras's label") == 1


def test_the_verdict_is_a_sentence_and_too_few_images_are_said(toolkit_cli, digits_run, exports):
    result = toolkit_cli(
        "verify", exports["tflite-int8"], "--against", digits_run.path, "--limit", 200
    )
    said = " ".join(result.stdout.split())
    assert "tflite-int8 gives Keras's label on all 200 images" in said or "answers differ" in said
    assert "with 200 images a drop below 3 points cannot be seen (limit 0.5)" in said
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_markdown_matrix_and_flips(toolkit_cli, digits_run, exports, tmp_path):
    options = ("--against", digits_run.path, "--limit", 40, "--markdown", "--matrix")
    result = toolkit_cli("verify", exports["onnx"], *options, "--flips", tmp_path / "flips")
    assert result.exit_code == 0
    assert result.stdout.startswith("## Parity: pass")
    assert "1,7,64" in result.stdout
    assert "Images that flip" in (tmp_path / "flips" / "flips.html").read_text()


def test_golden_inputs_go_into_the_files_that_pass(
    toolkit_cli, runtime_cli, digits_run, exports, tmp_path
):
    files = [tmp_path / exports[name].name for name in ("tflite-int8", "onnx", "onnx-int8")]
    for name, path in zip(("tflite-int8", "onnx", "onnx-int8"), files, strict=True):
        path.write_bytes(exports[name].read_bytes())
    strict = ("--max-abs-error", 1e-3, "--min-sqnr", 0)
    result = toolkit_cli("verify", *files, "--against", digits_run.path, "--golden", *strict)
    assert result.exit_code == 1
    golden = [artifacts.read(path).manifest.golden for path in files]
    assert [record is not None for record in golden] == [False, True, False]
    assert f"Next: runtime verify {files[1]}" in result.stderr
    assert artifacts.read(files[1]).manifest.accuracy.images > 350
    assert runtime_cli("verify", files[1]).exit_code == 0
    assert runtime_cli("verify", files[0]).exit_code == 2


def test_the_self_check_breaks_files_and_each_is_caught(toolkit_cli, digits_run, exports):
    options = ("--against", digits_run.path, "--limit", 120, "--self-check", "--json")
    result = toolkit_cli("verify", exports["tflite-int8"], *options)
    assert result.exit_code == 0
    controls = json.loads(result.stdout)["self_check"]
    assert len(controls) == 6
    assert all(one["caught"] and one["reasons"] for one in controls)


def test_a_damaged_file_ends_with_exit_code_2(toolkit_cli, digits_run, exports, tmp_path):
    data = bytearray(exports["onnx"].read_bytes())
    data[1000] ^= 1
    (tmp_path / "x.onnx").write_bytes(data)
    result = toolkit_cli("verify", tmp_path / "x.onnx", "--against", digits_run.path)
    assert result.exit_code == 2
    assert "SHA-256" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--limit", 0), 2, "--limit must be at least 1"),
        (("--backend", "litrt"), 2, "Did you mean 'litert'"),
        (("--device", "tpu"), 2, "unknown device 'tpu'"),
        (("--threads", 0), 2, "threads must be at least 1"),
        (("gone.tflite",), 2, "no such file or folder: gone.tflite"),
        ((KERAS,), 2, "toolkit export"),
        (("--against", "nowhere"), 2, "no such file or folder: nowhere"),
    ],
)
def test_bad_input_ends_in_one_line(toolkit_cli, digits_run, exports, arguments, code, words):
    against = () if "--against" in arguments else ("--against", digits_run.path)
    file = () if arguments[0].endswith((".tflite", ".keras")) else (exports["tflite"],)
    result = toolkit_cli("verify", *file, *against, *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_run_without_exports_says_how_to_make_some(toolkit_cli, rgb_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ("--against", rgb_model / "colors.keras", "--data", rgb_model / "colors.npz")
    result = toolkit_cli("verify", *model)
    assert result.exit_code == 2
    assert "toolkit export --all" in result.stderr


def test_a_missing_engine_ends_with_exit_code_3(toolkit_cli, digits_run, exports, monkeypatch):
    from runtime.backends import for_suffix

    for engine in for_suffix(".onnx"):
        monkeypatch.setattr(engine, "installed", classmethod(lambda cls: False))
    result = toolkit_cli("verify", exports["onnx"], "--against", digits_run.path)
    assert result.exit_code == 3
    assert 'pip install "edge-toolkit[onnx]"' in result.stderr


def test_a_device_that_is_not_there_ends_with_exit_code_3(toolkit_cli, digits_run, exports):
    result = toolkit_cli(
        "verify", exports["tflite"], "--against", digits_run.path, "--device", "gpu", "--limit", 5
    )
    assert result.exit_code == 3
    assert "no GPU support" in result.stderr


def test_a_mistyped_engine_is_told_at_once(toolkit_cli):
    result = toolkit_cli("verify", "--backend", "litrt")
    assert result.exit_code == 2
    assert "Did you mean 'litert'?" in result.stderr
