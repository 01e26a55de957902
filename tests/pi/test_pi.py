"""What a user types on a 64-bit Raspberry Pi, in an emulated one: same answers as on x86."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from pis import IMAGES, MODELS, many_digits
from wheels import ENGINES, installed_sizes, pins

import runtime

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
STEP = 1 / 256  # of an int8 probability
HALF = 4 * 2**-11  # four roundings to float16; 3.9e-4 was seen
# A dynamic-range file answers in float, with weights and images rounded to int8: like int8.
TOLERANCES = {"float32": 1e-4, "float16": 1e-4, "int8": STEP, "int16x8": STEP, "dynamic": STEP}


def variant(path):
    return Path(path).stem.split(".")[-1]


def int8_file(pi):
    return MODELS / f"mnist-cnn.int8{pi.case.files[0].suffix}"


def test_doctor_says_that_the_engine_works(pi):
    done = pi.type("runtime", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report, python = json.loads(done.stdout), pi.userland.suite.python
    (found,) = (entry for entry in report["backends"] if entry["name"] == pi.case.engine)
    engine, host = ENGINES[pi.case.engine], report["host"]
    assert found["available"], found
    assert (found["version"], found["device"]) == (pins(python)[engine.package], "cpu")
    assert (host["architecture"], host["numpy"]) == ("aarch64", engine.numpy[python])
    assert host["python"].startswith(f"{python}.")
    assert ("dotprod" in host["features"]) == (pi.case.cpu == "cortex-a76")
    assert any("emulated" in warning for warning in report["warnings"])


def test_info_reads_the_manifest_through_the_engine(pi, record_property):
    start = time.perf_counter()
    done = pi.type("runtime", "info", int8_file(pi), "--json")
    seconds = time.perf_counter() - start
    record_property("emulated", f"{pi.case} start to end of runtime info: {seconds:.1f} s")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["integrity"] == "sha256 verified"
    assert record["backend"]["name"] == pi.case.engine


def test_verify_passes_the_golden_inputs(pi):
    done = pi.type("runtime", "verify", int8_file(pi), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["agreement"]) == ("pass", 1.0)


def test_predict_reads_png_and_jpeg(pi):
    pictures = [*sorted(IMAGES.glob("*.png")), *sorted(IMAGES.glob("*.jpg"))]
    assert {path.suffix for path in pictures} == {".png", ".jpg"}
    done = pi.type("runtime", "predict", int8_file(pi), *pictures, "--json")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    read = {Path(answer["file"]).stem: answer["label"] for answer in answers}
    assert read == {name: str(digit) for digit, name in enumerate(NAMES)}
    assert {(answer["backend"], answer["device"]) for answer in answers} == {
        (pi.case.engine, "cpu")
    }


def test_many_images_are_answered_by_processes(pi):
    script = Path(__file__).with_name("processes.py")
    pictures = sorted(IMAGES.glob("*.png")) * 2
    done = pi.type("python3", script, pi.case.engine, int8_file(pi), *pictures)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["processes"] == 2
    assert found["alone"] == [str(NAMES.index(path.stem)) for path in pictures]
    assert found["together"] == found["alone"]


def test_every_shipped_file_answers_as_on_x86(pi, answers, record_property):
    files = answers["files"]
    assert set(files) == {path.name for path in pi.case.files}
    refused = {name for name, found in files.items() if "refused" in found}
    assert refused == ({"mnist-cnn.dynamic.tflite"} & set(files) if too_old(pi) else set())
    for name in files.keys() - refused:
        here = np.asarray(files[name]["answers"], np.float32)
        there = on_x86(name, pi.case.engine, len(here))
        np.testing.assert_array_equal(here.argmax(axis=1), there.argmax(axis=1), err_msg=name)
        np.testing.assert_allclose(here, there, rtol=0, atol=tolerance(pi, name), err_msg=name)
        largest = f"largest difference from x86 {abs(here - there).max():.1e}"
        times = f"{files[name]['load_ms']} ms to load, {files[name]['image_ms']} ms an image"
        seen = f"{len(here)} images, {largest}; CPU time {times}"
        record_property("emulated", f"{pi.case} {name}: {seen}")


def tolerance(pi, name):
    """A core with float16 arithmetic uses it: ONNX Runtime then rounds each layer to 2**-11."""
    half = name.endswith("float16.onnx") and pi.case.cpu == "cortex-a76"
    return HALF if half else TOLERANCES[variant(name)]


def too_old(pi):
    return pi.case.engine == "tflite-runtime"


def on_x86(name, engine, count):
    with runtime.load(MODELS / name, backend=engine) as classifier:
        return classifier.predict_batch(many_digits()[:count])


def test_memory_and_size_are_reported(pi, answers, record_property):
    disk = sum(installed_sizes(pi.userland.packages_of(pi.case.engine)).values()) / 1e6
    memory = answers["peak_mb"]
    assert 10 < disk < 1000
    assert 10 < memory < 1000
    figures = f"{memory:.0f} MB of memory at most, {disk:.0f} MB on disk"
    record_property("emulated", f"{pi.case} all files in one process: {figures}")


def test_xnnpack_runs_the_files_that_it_can(pi, answers):
    if pi.case.engine == "onnxruntime":
        pytest.skip("ONNX Runtime has kernels of its own (MLAS)")
    assert "XNNPACK delegate" in answers["stderr"]
    delegated = {
        variant(name)
        for name, found in answers["files"].items()
        if "DELEGATE" in found.get("operators", ())
    }
    # tflite-runtime 2.14 hands XNNPACK float files only; nobody hands it int16 activations
    own = {"float32", "float16"}
    assert delegated == (own if too_old(pi) else own | {"dynamic", "int8"})


def test_only_a_pi_5_has_the_int8_dot_product(pi):
    """So what the tests for a Pi 4 run needs no such instruction."""
    done = pi.type("python3", Path(__file__).with_name("dot_product.py"))
    if pi.case.cpu == "cortex-a76":
        assert done.stdout.strip() == "dot product"
    else:
        assert "Illegal instruction" in done.stderr
        assert not done.stdout
