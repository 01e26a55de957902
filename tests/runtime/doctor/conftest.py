"""Environments in which an engine is sound, broken or missing: made, not pretended."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What the device side needs, then what each engine brings.
BASE = ("numpy", "numpy.libs", "numpy-*.dist-info", "click", "PIL", "pillow.libs", "edge_toolkit-*")
ENGINES = {
    "litert": ("ai_edge_litert", "ai_edge_litert-*", "flatbuffers", "typing_extensions.py"),
    "onnxruntime": ("onnxruntime", "onnxruntime-*", "flatbuffers", "google", "packaging"),
    "tflite-runtime": ("tflite_runtime", "tflite_runtime-*"),
    "openvino": ("openvino", "openvino-*"),
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment whose packages are links to those of the tests' own one."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def link(self, *patterns):
        """Link packages of the tests' own environment into this one."""
        own = Path(importlib.util.find_spec("numpy").origin).parents[1]
        for pattern in patterns:
            for path in own.glob(pattern):
                if not (self.site / path.name).exists():
                    (self.site / path.name).symlink_to(path)

    def write(self, module, code, version="9.9", package=""):
        """Install a package with this code in its ``__init__.py``."""
        (self.site / module).mkdir(exist_ok=True)
        (self.site / module / "__init__.py").write_text(code)
        self.metadata(package or module.replace("_", "-"), version, module)

    def metadata(self, package, version, module):
        """Install only the metadata of a distribution that brings a module."""
        folder = self.site / f"{package.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text)
        (folder / "top_level.txt").write_text(f"{module}\n")

    def pretend(self, code):
        """Change the interpreter itself before anything else runs in it."""
        (self.site / "sitecustomize.py").write_text(code)

    def run(self, *arguments, **env):
        """Run ``runtime doctor`` as a user types it."""
        command = [self.python, "-P", "-m", "runtime", "doctor", *arguments]
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | env
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, env=variables
        )

    def doctor(self, *arguments, code=None, **env):
        """Return what ``runtime doctor --json`` says, the engines by name."""
        result = self.run("--json", "-q", *arguments, **env)
        assert not result.stderr, result.stderr
        if code is not None:
            assert result.returncode == code
        report = json.loads(result.stdout)
        report["backends"] = {one["name"]: one for one in report["backends"]}
        return report


@pytest.fixture
def environment(tmp_path):
    """Make an environment with the engines that are named; skip where one is not installed."""

    def make(*engines):
        for name in engines:
            # not importorskip: OpenVINO, imported plainly, tells its makers so
            if importlib.util.find_spec(ENGINES[name][0]) is None:
                pytest.skip(f"{name} is not installed")
        folder = tmp_path / "venv"
        venv.create(folder, symlinks=True)
        made = Environment(folder)
        made.link(*BASE, *(pattern for name in engines for pattern in ENGINES[name]))
        if not list(made.site.glob("edge_toolkit-*")):
            pytest.skip("this project is not installed here")
        (made.site / "runtime").symlink_to(ROOT / "runtime")
        return made

    return make
