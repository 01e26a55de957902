"""The numbered examples, run as a reader runs them: in an empty folder, by their own commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the workstation side is not installed")
pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words, cwd, code=0, **environment):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"PATH": path, "PYTHONPATH": python} | environment
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example_01(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    return folder, run("sh", EXAMPLES / "01_train_and_export.sh", cwd=folder, EPOCHS="3")


def test_01_trains_exports_and_verifies(example_01):
    folder, said = example_01
    assert "Verdict: pass" in said
    assert (folder / "runs" / "latest" / "exports" / "digits-cnn.int8.tflite").is_file()


def test_02_answers_images_and_goes_on_after_a_bad_one(example_01, digit_files, tmp_path):
    folder, _ = example_01
    broken = tmp_path / "broken.png"
    broken.write_text("no image")
    (model,) = (folder / "runs" / "latest" / "exports").glob("*.tflite")
    script = EXAMPLES / "02_predict_on_the_device.py"
    said = run(sys.executable, script, model, digit_files[0], broken, digit_files[1], cwd=tmp_path)
    first, bad, last = said.splitlines()
    assert first.startswith(f"{digit_files[0].name}: ")
    assert "not an image" in bad
    assert last.endswith("%)")
    assert run(sys.executable, script, cwd=tmp_path, code=1) == ""


def test_03_exports_two_models_of_ones_own(tmp_path):
    said = run(sys.executable, EXAMPLES / "03_own_keras_model.py", tmp_path / "own", cwd=tmp_path)
    assert said.count("Verdict: pass") == 2
    assert (tmp_path / "own" / "colours.int8.tflite").is_file()


def test_04_learns_photos_in_folders(tmp_path):
    said = run(sys.executable, EXAMPLES / "04_own_photos.py", tmp_path / "own", cwd=tmp_path)
    assert "Verdict: pass" in said
    rows = [r for r in said.splitlines() if "/circle/00" in r and not r.startswith("$")]
    assert len(rows) == 10
    assert sum(" circle " in row for row in rows) >= 7


def test_05_passes_on_sound_files_and_fails_on_another_model(
    exports, trained, digits_run, tmp_path
):
    import numpy as np

    data = trained.dataset
    np.savez(
        tmp_path / "images.npz",
        x_train=data.x_train,
        y_train=data.y_train,
        x_test=data.x_test[:100],
        y_test=data.y_test[:100],
    )
    model = digits_run.model
    test = EXAMPLES / "05_verify_in_ci" / "test_parity.py"
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test)
    files = f"{exports['tflite-int8']} {exports['onnx']}"
    given = {"MODEL": str(model), "DATA": str(tmp_path / "images.npz")}
    assert "2 passed" in run(*words, cwd=tmp_path, FILES=files, **given)
    other = json.loads((digits_run.path / "config.json").read_text())
    assert other["name"]
    import keras

    spoilt = keras.models.load_model(model, compile=False)
    kernel = next(layer for layer in spoilt.layers if layer.weights).kernel
    kernel.assign(-kernel)
    spoilt.save(tmp_path / "model.keras")
    given["MODEL"] = str(tmp_path / "model.keras")
    said = run(*words, cwd=tmp_path, code=1, FILES=str(exports["tflite-int8"]), **given)
    assert "1 failed" in said
    assert "fail: " in said


def test_06_the_notebook_runs_from_top_to_bottom(tmp_path):
    notebook = json.loads((EXAMPLES / "06_notebook.ipynb").read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") for cell in notebook["cells"])
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    script = tmp_path / "cells.py"
    script.write_text("\n\n".join(cells), encoding="utf-8")
    said = run(sys.executable, script, cwd=tmp_path)
    assert "pass - " in said
    assert " flips on " in said
