"""``runtime predict`` in a process of its own: streams, and engines that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
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
def test_a_broken_engine_is_reported_otherwise_than_a_missing_one(
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


@pytest.mark.parametrize("options", [(), ("--json",), ("--explain",)])
def test_predictions_do_not_wait_for_an_image_that_comes_late(exports, digit_files, options):
    command = [sys.executable, "-m", "runtime", "predict", "-q", exports["tflite-int8"]]
    with subprocess.Popen(
        [*map(str, command), str(digit_files[0]), "-", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        printed = ""
        while digit_files[0].name not in printed:  # it hangs here where the line is kept back
            printed += process.stdout.readline()
        process.stdin.buffer.write(digit_files[1].read_bytes())
        process.stdin.close()
        assert "-" in process.stdout.read()


def test_an_error_is_printed_after_the_predictions_before_it(exports, digit_files):
    named = [*map(str, digit_files[:2]), "missing.png", str(digit_files[2])]
    command = [sys.executable, "-m", "runtime", "predict", "-q", str(exports["tflite-int8"])]
    done = subprocess.run(  # noqa: PLW1510 - the exit code is looked at
        [*command, *named], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 1
    found = [line.split(":")[0].split()[0] for line in done.stdout.splitlines()[1:]]
    assert [name[-8:] for name in found] == [name[-8:] for name in named]


def test_a_full_disk_is_one_line(exports, digit_files):
    command = [sys.executable, "-m", "runtime", "predict", "-q", str(exports["tflite-int8"])]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(  # noqa: PLW1510 - the exit code is looked at
            [*command, *map(str, digit_files)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_options_that_do_not_change_an_array_are_reported(runtime_cli, exports, digits, tmp_path):
    np.save(tmp_path / "digits.npy", digits.x_test[:2])
    command = ("predict", exports["tflite-int8"], tmp_path / "digits.npy")
    assert "taken as they are" not in runtime_cli(*command).stderr
    result = runtime_cli(*command, "--polarity", "invert")
    assert "Note: --polarity: arrays of the model's size are taken as they are" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name IMAGES, or a folder: --watch DIR"),
        (("a.png", "--watch", "."), "IMAGES and --watch DIR do not go together"),
        (("a.png", "--existing"), "--existing goes with --watch DIR"),
    ],
)
def test_images_and_watch_exclude_each_other(runtime_cli, exports, arguments, words):
    result = runtime_cli("predict", exports["tflite-int8"], *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
