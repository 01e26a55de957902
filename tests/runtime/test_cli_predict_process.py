"""``runtime predict`` in a process of its own: streams, and engines that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ENGINES = {
    "litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "onnxruntime": "onnxruntime",
}


def run_apart(arguments, **environment):
    """Run ``python -m runtime`` in a process of its own."""
    command = [sys.executable, "-m", "runtime", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_in_a_process_of_its_own_only_data_is_on_stdout(exports, digit_files, name):
    done = run_apart(["predict", exports[name], *digit_files[:2], "--json", "--quiet"])
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [
        str(path) for path in digit_files[:2]
    ]


@pytest.mark.parametrize(
    ("name", "backend"),
    [("onnx", "onnxruntime"), ("tflite", "litert"), ("tflite-int8", "tflite-runtime")],
)
def test_a_broken_engine_is_told_apart_from_a_missing_one(
    exports, digit_files, tmp_path, name, backend
):
    package = tmp_path / ENGINES[backend]
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('libengine.so: cannot open shared object file')"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    arguments = ["predict", exports[name], digit_files[0], "--backend", backend]
    done = run_apart(arguments, PYTHONPATH=path)
    assert done.returncode == 3
    if "built for numpy 1" not in done.stderr:
        assert "is installed but cannot be imported (ImportError: libengine.so" in done.stderr
        assert "pip install --force-reinstall" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(exports, digit_files):
    command = [sys.executable, "-m", "runtime", "predict", str(exports["tflite-int8"])]
    with subprocess.Popen(
        [*command, "--json", *map(str, digit_files * 40)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
