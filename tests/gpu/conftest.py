"""What the tests with a software Vulkan share."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runtime.preprocessing.spec import PreprocessSpec

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("software", _HERE / "software.py")
software = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(software)


@pytest.fixture(scope="session")
def llvmpipe() -> dict[str, str]:
    """An environment in which llvmpipe is the only Vulkan adapter."""
    try:
        return os.environ | software.vulkan()
    except (software.CannotBuildError, OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"no software Vulkan: {error}")


@pytest.fixture(scope="session")
def webgpu(llvmpipe) -> dict[str, str]:
    """The same with ONNX Runtime's WebGPU plugin, told to take software adapters."""
    pytest.importorskip("onnxruntime")
    try:
        folder = software.webgpu_plugin()
    except (software.CannotBuildError, OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"no WebGPU plugin: {error}")
    return llvmpipe | {"PYTHONPATH": str(folder), "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1"}


@pytest.fixture(scope="session")
def shipped() -> dict[str, Path]:
    """The trained model of the examples by format; nothing has to be trained for these tests."""
    folder = _HERE.parents[1] / "examples/models"
    names = {
        "tflite": "float32.tflite",
        "tflite-int8": "int8.tflite",
        "tflite-int16x8": "int16x8.tflite",
        "onnx": "float32.onnx",
        "onnx-int8": "int8.onnx",
        "keras": "keras",
    }
    return {name: folder / f"mnist-cnn.{ending}" for name, ending in names.items()}


@pytest.fixture(scope="session")
def batch(digits, tmp_path_factory) -> Path:
    """Eight real digits in the units of the shipped model, in a file."""
    path = tmp_path_factory.mktemp("batch") / "digits.npy"
    np.save(path, PreprocessSpec(28, 28).apply(digits.x_test[:8]))
    return path


def lifted(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment in which a software adapter is taken for a GPU."""
    own = [str(_HERE / "lifted"), str(_HERE.parents[1]), environment.get("PYTHONPATH")]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, own))}


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python with the given environment and arguments; ``lift`` the refusal or not."""

    def start(environment, *arguments, lift=False):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            env=lifted(environment) if lift else environment,
            timeout=280,
        )

    return start


@pytest.fixture(scope="session")
def compared(run, batch) -> Callable[..., dict]:
    """Compare CPU and adapter on the digits: environment, file, engine, precision."""

    def start(environment, path, backend, precision="float32"):
        script = (_HERE / "compare.py", path, backend, precision, batch)
        done = run(environment, *script, lift=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return start
