"""``runtime verify``: exit codes, the JSON object, and what a person reads."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.golden import to_strip
from runtime.selftest import Golden


@pytest.fixture(scope="module")
def golden(tiny):
    images = np.random.default_rng(3).integers(0, 256, (6, 8, 8, 1), np.uint8)
    with from_artifact(tiny) as classifier:
        answers = classifier.predict_batch(images)
    return Golden(
        images=base64.b64encode(to_strip(images)).decode(),
        answers=tuple(tuple(round(float(v), 6) for v in row) for row in answers),
        truth=(0,) * 6,
        labels=tiny.manifest.labels,
        tolerance=1e-4,
        tie_margin=1e-4,
        dataset="noise",
    )


@pytest.fixture
def write(tiny, golden, tmp_path):
    """Write the tiny model with golden inputs and with changes of its manifest."""

    def _write(**changes):
        path = tmp_path / "golden.onnx"
        manifest = replace(tiny.manifest, golden=golden, **changes)
        path.write_bytes(artifacts.restate(tiny, manifest).data)
        return path

    return _write


def test_a_good_file_passes(runtime_cli, write):
    result = runtime_cli("verify", write())
    assert (result.exit_code, result.stderr) == (0, "")
    assert "6 golden inputs (noise) on onnxruntime (cpu)" in result.stdout
    assert "Keras's label on 100.00%" in result.stdout
    assert result.stdout.splitlines()[-1] == "Verdict: pass"


def test_json_has_the_keys_that_others_rely_on(runtime_cli, write):
    result = runtime_cli("verify", write(), "--threads", "2", "--json")
    record = json.loads(result.stdout)
    assert {
        "verdict",
        "max_abs_error",
        "agreement",
        "images",
        "tolerance",
        "backend",
        "device",
        "reasons",
        "seconds",
    } <= set(record)
    assert (record["verdict"], record["reasons"], record["agreement"]) == ("pass", [], 1.0)


def test_a_changed_scale_fails_with_reasons_and_what_to_do(runtime_cli, write, tiny):
    path = write(preprocess=replace(tiny.manifest.preprocess, scale=1.0))
    result = runtime_cli("verify", path)
    assert result.exit_code == 1
    assert "a probability is off by" in result.stdout
    assert result.stdout.splitlines()[-1] == "Verdict: fail"
    assert "Copy the file again, or try another engine" in result.stderr
    record = json.loads(runtime_cli("verify", path, "--json").stdout)
    assert record["verdict"] == "fail"
    assert record["reasons"]


def test_permuted_labels_fail(runtime_cli, write, tiny):
    result = runtime_cli("verify", write(labels=tiny.manifest.labels[::-1]))
    assert result.exit_code == 1
    assert "class 0 is 'größer' and has to be 'null'" in result.stdout


def test_outputs_that_are_nan_fail(runtime_cli, write, monkeypatch):
    from runtime.backends.onnxruntime import OnnxRuntime

    nan = np.full((6, 3), np.nan, np.float32)
    monkeypatch.setattr(OnnxRuntime, "run_images", lambda self, images, spec: nan)
    result = runtime_cli("verify", write(), "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert (record["max_abs_error"], record["agreement"]) == (None, None)
    assert "NaN" in record["reasons"][0]
    assert "no output" in runtime_cli("verify", write()).stdout


def test_a_file_without_golden_inputs_ends_with_2_and_the_command(runtime_cli, tiny, make_onnx):
    result = runtime_cli("verify", tiny.path, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"toolkit verify {tiny.path} --golden" in result.stderr
    bare = tiny.path.with_name("bare.onnx")
    bare.write_bytes(make_onnx())
    result = runtime_cli("verify", bare)
    assert result.exit_code == 2
    assert "no manifest" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_broken_golden_images_end_with_2(runtime_cli, write, tiny, golden):
    png = bytearray(base64.b64decode(golden.images))
    png[60] ^= 255
    broken = replace(golden, images=base64.b64encode(bytes(png)).decode())
    path = write()
    path.write_bytes(artifacts.restate(tiny, replace(tiny.manifest, golden=broken)).data)
    result = runtime_cli("verify", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "golden images cannot be used" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--backend", "litert"], 3), (["--device", "gpu"], 3)]
)
def test_engine_options_are_heeded(runtime_cli, write, arguments, code):
    assert runtime_cli("verify", write(), *arguments).exit_code == code


def test_info_tells_whether_there_are_golden_inputs(runtime_cli, write, tiny):
    (line,) = [
        x for x in runtime_cli("info", write()).stdout.splitlines() if x.startswith("golden")
    ]
    assert "6 images of" in line
    assert "noise (runtime verify)" in line
    assert "none (toolkit verify --golden)" in runtime_cli("info", tiny.path).stdout


def test_the_whole_process_takes_about_a_second_at_most(write):
    """It is half a second; the limit leaves room for a busy machine."""
    command = [sys.executable, "-m", "runtime", "verify", write()]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2.0
