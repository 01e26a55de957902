"""What a user types on a 64-bit Raspberry Pi, in an emulated one: same answers as on x86."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pis import CASES, IMAGES, MODELS, many_digits

import runtime

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
STEP = 1 / 256  # of an int8 probability
# Dynamic-range files compute the range of each image: in float, with int8 products.
TOLERANCES = {"float32": 1e-4, "float16": 1e-4, "int8": STEP, "int16x8": STEP, "dynamic": STEP}


def variant(path):
    return Path(path).stem.split(".")[-1]


def first_file(pi):
    return MODELS / f"mnist-cnn.int8{pi.case.files[0].suffix}"


def test_doctor_says_that_the_engine_works(pi):
    done = pi.runtime("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    (found,) = (entry for entry in report["backends"] if entry["name"] == pi.case.engine)
    assert found["available"], found
    assert report["host"]["architecture"] == "aarch64"
    assert ("dotprod" in report["host"]["features"]) == (pi.case.cpu == "cortex-a76")
    missing = [entry for entry in report["backends"] if not entry["available"]]
    assert all("pip install" in entry["fix"] for entry in missing)


def test_info_reads_the_manifest(pi):
    done = pi.runtime("info", first_file(pi), "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["integrity"] == "sha256 verified"
    assert record["backend"]["name"] == pi.case.engine


def test_verify_passes_the_golden_inputs(pi):
    done = pi.runtime("verify", first_file(pi), "--json", "--backend", pi.case.engine)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["agreement"]) == ("pass", 1.0)


def test_predict_reads_png_and_jpeg(pi):
    assert {path.suffix for path in IMAGES.iterdir()} >= {".png", ".jpg"}
    done = pi.runtime("predict", first_file(pi), IMAGES, "--json", "--backend", pi.case.engine)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    read = {Path(answer["file"]).stem: answer["label"] for answer in answers}
    assert read == {name: str(digit) for digit, name in enumerate(NAMES)}


def test_every_shipped_file_answers_as_on_x86(pi, record_property):
    files = pi.answers["files"]
    assert set(files) == {path.name for path in pi.case.files}
    refused = {name for name, found in files.items() if "refused" in found}
    assert refused == ({"mnist-cnn.dynamic.tflite"} & set(files) if too_old(pi) else set())
    for name in files.keys() - refused:
        here = np.asarray(files[name]["answers"], np.float32)
        there = on_x86(name, pi.case.engine, len(here))
        np.testing.assert_array_equal(here.argmax(axis=1), there.argmax(axis=1), err_msg=name)
        np.testing.assert_allclose(here, there, rtol=0, atol=TOLERANCES[variant(name)])
        times = f"{files[name]['load_ms']} ms to load, {files[name]['image_ms']} ms an image"
        record_property("emulated", f"{pi.case} {name}: {len(here)} images, {times}")
    record_property("emulated", f"{pi.case}: {pi.answers['peak_mb']} MB at most")


def too_old(pi):
    return pi.case.engine == "tflite-runtime"


def on_x86(name, engine, count):
    with runtime.load(MODELS / name, backend=engine) as classifier:
        return classifier.predict_batch(many_digits()[:count])


def test_xnnpack_runs_the_files_that_it_can(pi):
    if pi.case.engine == "onnxruntime":
        pytest.skip("ONNX Runtime has kernels of its own (MLAS)")
    assert "XNNPACK delegate" in pi.answers["stderr"]
    delegated = {
        variant(name)
        for name, found in pi.answers["files"].items()
        if "DELEGATE" in found.get("operators", ())
    }
    # tflite-runtime 2.14 hands XNNPACK float files only; nobody hands it int16 activations
    own = {"float32", "float16"}
    assert delegated == (own if too_old(pi) else own | {"dynamic", "int8"})


@pytest.mark.parametrize("pi", [c for c in CASES if c.engine == "litert"], indirect=True, ids=str)
def test_only_a_pi_5_has_the_int8_dot_product(pi):
    """So what the tests for a Pi 4 run needs no such instruction."""
    done = pi.python(Path(__file__).with_name("dot_product.py"))
    if pi.case.cpu == "cortex-a76":
        assert done.stdout.strip() == "dot product"
    else:
        assert "Illegal instruction" in done.stderr
        assert not done.stdout
