"""Environments as on a device: the built wheel and one engine, nothing of TensorFlow."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class DeviceEnvironment:
    """A virtual environment that holds the device side only."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *arguments, **options):
        """Run ``runtime`` as a user types it."""
        command = [self.folder / "bin" / "runtime", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    def code(self, text, **options):
        """Run Python code."""
        return subprocess.run(
            [self.python, "-c", text], capture_output=True, text=True, check=False, **options
        )

    def packages(self):
        """Return the names of the installed distributions."""
        text = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
        return set(self.code(text).stdout.lower().replace("_", "-").split())


def make(folder, *requirements):
    """Make an environment; the test is skipped where the package index cannot be reached."""
    venv.create(folder, with_pip=True)
    environment = DeviceEnvironment(folder)
    command = [environment.python, "-m", "pip", "install", "--quiet", *requirements]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer")
    if "Could not find a version" in result.stderr or "onnection" in result.stderr:
        pytest.skip(f"the package index cannot be reached: {result.stderr.strip()[:200]}")
    assert result.returncode == 0, result.stderr
    return environment


@pytest.fixture(scope="session")
def litert_environment(wheel, tmp_path_factory):
    """What ``pip install "edge-toolkit[litert]"`` brings: numpy 2 and ai-edge-litert."""
    return make(tmp_path_factory.mktemp("litert") / "venv", f"{wheel}[litert]")


@pytest.fixture(scope="session")
def tflite_environment(wheel, tmp_path_factory):
    """What ``pip install "edge-toolkit[tflite]"`` brings: numpy 1 and tflite-runtime."""
    if sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime has no wheel for Python 3.12 or newer")
    return make(tmp_path_factory.mktemp("tflite") / "venv", f"{wheel}[tflite]")


@pytest.fixture(scope="session")
def numpy_2_environment(wheel, tmp_path_factory):
    """What a later ``pip install`` of something else makes of the same: numpy 2."""
    if sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime has no wheel for Python 3.12 or newer")
    folder = tmp_path_factory.mktemp("numpy2") / "venv"
    return make(folder, str(wheel), "tflite-runtime", "numpy>=2")
