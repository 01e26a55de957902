"""The device side in environments of its own, from the wheel, as a user types it."""

import base64
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import runtime
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.golden import Golden, to_strip

ROOT = Path(__file__).parents[2]
MODELS, IMAGES = ROOT / "examples" / "models", ROOT / "examples" / "images"
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FORBIDDEN = {"tensorflow", "tensorflow-cpu", "keras", "onnx", "tf2onnx", "scikit-learn", "rich"}

pytestmark = pytest.mark.slow


def model(variant):
    return MODELS / f"mnist-cnn.{variant}.tflite"


def check_predictions(result):
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    read = {Path(answer["file"]).stem: answer["label"] for answer in answers}
    assert read == {name: str(digit) for digit, name in enumerate(NAMES)}


def test_litert_extra_brings_one_engine_and_nothing_of_tensorflow(litert_environment):
    packages = litert_environment.packages()
    assert {"edge-toolkit", "numpy", "click", "pillow", "ai-edge-litert"} <= packages
    assert not packages & (FORBIDDEN | {"onnxruntime", "tflite-runtime"})


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_litert_reads_the_example_images(litert_environment, variant):
    check_predictions(litert_environment.run("predict", model(variant), IMAGES, "--json"))


def test_litert_works_on_numpy_2(litert_environment):
    assert litert_environment.code("import numpy; print(numpy.__version__)").stdout[0] == "2"


def test_python_interface_on_the_device(litert_environment):
    code = f"""
import sys, runtime
with runtime.load({str(model("int8"))!r}) as classifier:
    print(classifier.predict({str(IMAGES / "seven.png")!r}).label)
assert not {{"tensorflow", "keras", "toolkit", "exporters"}} & set(sys.modules)
"""
    result = litert_environment.code(code)
    assert result.stdout.strip() == "7", result.stderr


def test_info_shows_manifest_and_integrity(litert_environment):
    record = json.loads(litert_environment.run("info", model("int8"), "--json").stdout)
    assert record["format"] == "tflite-int8"
    assert record["integrity"] == "sha256 verified"
    assert record["input"]["dtype"] == record["output"]["dtype"] == "int8"


@pytest.fixture(scope="module")
def golden_models(tmp_path_factory):
    """The example models with the ten example images as golden inputs.

    The answers are the float32 file's, which are Keras's to 1e-6.
    """
    pytest.importorskip("ai_edge_litert", reason="no engine to make golden inputs with")
    folder = tmp_path_factory.mktemp("golden")
    images, answers = golden_answers()
    for variant in ("float32", "float16", "dynamic", "int8", "int16x8"):
        file = artifacts.read(model(variant))
        golden = Golden(
            images=base64.b64encode(to_strip(images)).decode(),
            answers=tuple(tuple(round(float(v), 6) for v in row) for row in answers),
            truth=tuple(range(10)),
            labels=file.manifest.labels,
            tolerance=1e-4 if variant == "float32" else 0.15,
            tie_margin=0.1,
            dataset="example images",
        )
        sealed = artifacts.restate(file, dataclasses.replace(file.manifest, golden=golden))
        (folder / file.path.name).write_bytes(sealed.data)
    return folder


def golden_answers():
    paths = [next(p for p in IMAGES.glob(f"{name}.*") if p.suffix != ".py") for name in NAMES]
    with runtime.load(model("float32")) as classifier:
        images = np.stack([classifier.prepare(path).pixels for path in paths])
        return images, classifier.predict_batch(images)


def check_self_test(environment, path):
    result = environment.run("verify", path, "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert (report["verdict"], report["images"], report["agreement"]) == ("pass", 10, 1.0)
    broken = path.with_name(f"broken-{path.name}")
    file = artifacts.read(path)
    # the negative: these ten digits are too clear for a smaller change to show
    spec = dataclasses.replace(file.manifest.preprocess, scale=-1 / 255, mean=(-1.0,))
    manifest = dataclasses.replace(file.manifest, preprocess=spec)
    broken.write_bytes(artifacts.restate(file, manifest).data)
    result = environment.run("verify", broken, "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["reasons"]


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_litert_passes_the_self_test_and_fails_a_broken_file(
    litert_environment, golden_models, variant
):
    check_self_test(litert_environment, golden_models / model(variant).name)


@pytest.mark.parametrize("variant", ["float32", "float16", "int8", "int16x8"])
def test_tflite_runtime_passes_the_self_test_and_fails_a_broken_file(
    tflite_environment, golden_models, variant
):
    check_self_test(tflite_environment, golden_models / model(variant).name)


def test_missing_engine_is_one_line_with_the_command_that_mends_it(litert_environment):
    result = litert_environment.run("predict", MODELS / "mnist-cnn.float32.onnx", IMAGES)
    assert result.returncode == 3
    assert result.stderr.startswith("Error: onnxruntime is not installed")
    assert 'pip install "edge-toolkit[onnx]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_toolkit_without_its_extras_says_what_to_install(litert_environment):
    command = litert_environment.folder / "bin" / "toolkit"
    result = subprocess.run(
        [command, "train", "--dataset", "digits"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 3
    assert 'pip install "edge-toolkit[' in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("variant", ["float32", "float16", "int8", "int16x8"])
def test_tflite_runtime_reads_the_example_images(tflite_environment, variant):
    check_predictions(tflite_environment.run("predict", model(variant), IMAGES, "--json"))


def test_tflite_runtime_refuses_dynamic_range_with_a_way_out(tflite_environment):
    result = tflite_environment.run("predict", model("dynamic"), IMAGES / "seven.png")
    assert result.returncode == 3
    assert "too old" in result.stderr
    assert 'pip install "edge-toolkit[litert]"' in result.stderr
    assert "tflite-int8" in result.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has no wheel")
def test_tflite_runtime_under_numpy_2_says_how_to_mend_it(
    litert_environment, tflite_environment, tmp_path
):
    """The engine's own package, without its numpy, put in front of the numpy 2 environment."""
    (installed,) = tflite_environment.folder.glob("lib/python*/site-packages/tflite_runtime")
    shutil.copytree(installed, tmp_path / "tflite_runtime")
    for info in installed.parent.glob("tflite_runtime-*.dist-info"):
        shutil.copytree(info, tmp_path / info.name)
    result = litert_environment.run(
        "predict",
        model("int8"),
        IMAGES / "seven.png",
        "--backend",
        "tflite-runtime",
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 3
    assert 'pip install "numpy<2"' in result.stderr
    assert "_ARRAY_API" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
