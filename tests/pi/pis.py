"""The emulated Raspberry Pis that the tests type at."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from userland import CPUS, SUITES, Userland

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODELS, IMAGES = ROOT / "examples" / "models", ROOT / "examples" / "images"
SUFFIXES = {"litert": ".tflite", "tflite-runtime": ".tflite", "onnxruntime": ".onnx"}
SLOW = ("float32", "float16", "int16x8")  # 0.2 to 0.4 s an image under emulation
# Each Pi with the release it came with reads all images with all files; the other two pairs
# do so only for the fast files, unless EDGE_PI_FULL is set.
WHOLE = {("bookworm", "cortex-a72"), ("trixie", "cortex-a76")}


@dataclass(frozen=True)
class Case:
    """One engine on one emulated Pi."""

    suite: str
    cpu: str
    engine: str

    def __str__(self):
        return f"{self.suite}-{self.cpu}-{self.engine}"

    @property
    def files(self):
        """The shipped files that the engine reads."""
        return sorted(MODELS.glob(f"*{SUFFIXES[self.engine]}"))

    def count(self, path, whole):
        """Return how many of the images a file is asked about."""
        all_of_them = whole or (self.suite, self.cpu) in WHOLE
        return 200 if all_of_them or path.stem.split(".")[-1] not in SLOW else 20


CASES = [
    Case(suite.name, cpu, engine)
    for suite in SUITES.values()
    for cpu in CPUS
    for engine in suite.engines
]


@dataclass(frozen=True, eq=False)
class Pi:
    """An emulated Pi, ready to type at."""

    case: Case
    userland: Userland
    project: Path
    scratch: Path

    def python(self, *arguments):
        """Run Python with the engine and this project installed."""
        path = f"{self.project}:/opt/{self.case.engine}"
        # Bound under their own names: PRoot does not translate the path that faccessat2 takes.
        folders = (self.project, HERE, MODELS, IMAGES, self.scratch)
        return self.userland.run(
            self.case.cpu,
            ["/usr/bin/python3", *arguments],
            binds={str(folder): folder for folder in folders},
            environment={"PYTHONPATH": path},
        )

    def runtime(self, *arguments):
        """Run ``runtime`` as a user types it: the script that pip installed."""
        return self.python(self.project / "bin" / "runtime", *arguments)

    @cached_property
    def answers(self):
        """What the engine answers to digits, for every shipped file; one process for all."""
        images, out = self.scratch / "images.npy", self.scratch / "answers.json"
        np.save(images, many_digits())
        whole = bool(os.environ.get("EDGE_PI_FULL"))
        asked = [f"{path}={self.case.count(path, whole)}" for path in self.case.files]
        done = self.python(HERE / "answers.py", self.case.engine, images, out, *asked)
        assert out.exists(), done.stdout + done.stderr
        return json.loads(out.read_text()) | {"stderr": done.stderr}


def many_digits():
    """Return 200 test images, uint8 (200, 28, 28): MNIST's where it is at hand."""
    folder = os.environ.get("EDGE_DATA_DIR")
    if folder and (path := Path(folder) / "mnist.npz").exists():
        return np.load(path)["x_test"][:200]
    pytest.importorskip("sklearn", reason="the digits of scikit-learn are not installed")
    from toolkit.datasets import DataOptions, load_dataset

    return load_dataset(DataOptions(name="digits")).x_test[:200, ..., 0]
