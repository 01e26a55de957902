"""The emulated Raspberry Pis that the tests type at."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from userland import CPUS, SUITES, Userland

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODELS, IMAGES = ROOT / "examples" / "models", ROOT / "examples" / "images"
SUFFIXES = {"litert": ".tflite", "tflite-runtime": ".tflite", "onnxruntime": ".onnx"}
MANY, FEW = 200, 10  # images
SLOW = ("float32", "float16", "int16x8")  # 0.07 to 0.6 s an image under emulation
# Each model of Pi reads many images with every file in the release it came with. In the other
# one, where the same code runs, the slow files get few, unless EDGE_PI_FULL is set. Where
# minutes count, EDGE_PI_QUICK leaves the other one out, and gives few images to slow files.
QUICK, FULL = (bool(os.environ.get(f"EDGE_PI_{name}")) for name in ("QUICK", "FULL"))
_LOST, _TRIES = os.strerror(errno.EFAULT), 3
CAME_WITH = {"cortex-a72": "bookworm", "cortex-a76": "trixie"}


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

    @property
    def whole(self):
        """Whether every file is asked about many images."""
        return FULL or (self.at_home and not QUICK)

    @property
    def at_home(self):
        """Whether this is the release that the model of Pi came with, or the only one."""
        home = CAME_WITH[self.cpu]
        return self.suite == home or self.engine not in SUITES[home].engines

    def count(self, path):
        """Return how many of the images a file is asked about."""
        return MANY if self.whole or path.stem.split(".")[-1] not in SLOW else FEW


CASES = [
    Case(suite.name, cpu, engine)
    for suite in SUITES.values()
    for cpu in CPUS
    for engine in suite.engines
]
# The long ones first, so that two workers end together; both releases are then built at once.
CASES = [case for case in CASES if case.at_home or not QUICK]
CASES.sort(key=lambda case: (not case.whole, case.engine))


@dataclass(frozen=True, eq=False)
class Pi:
    """An emulated Pi, ready to type at."""

    case: Case
    userland: Userland
    project: Path
    scratch: Path

    def type(self, *words):
        """Type a command with the engine and this project installed.

        In 1 of 100 processes PRoot under QEMU cannot start some others: it answers EFAULT each
        time, with vfork and without, where no Linux does. Such a command is typed again.
        """
        for _ in range(_TRIES):
            done = self._type(words)
            if _LOST not in done.stdout + done.stderr:
                break
        return done

    def _type(self, words):
        # Bound under their own names: PRoot does not translate the path that faccessat2 takes.
        folders = (self.project, HERE, MODELS, IMAGES, self.scratch)
        variables = {
            "PYTHONPATH": f"{self.project}:/opt/{self.case.engine}",
            "PATH": f"{self.project}/bin:/usr/bin:/bin",
        }
        return self.userland.run(
            self.case.cpu,
            words,
            binds={str(folder): folder for folder in folders},
            environment=variables,
        )

    def answers(self):
        """Return what the engine answers to digits, for every shipped file; one process for all."""
        images, out = self.scratch / "images.npy", self.scratch / "answers.json"
        np.save(images, many_digits())
        asked = [f"{path}={self.case.count(path)}" for path in self.case.files]
        done = self.type("python3", HERE / "answers.py", self.case.engine, images, out, *asked)
        assert out.exists(), done.stdout + done.stderr
        return json.loads(out.read_text()) | {"stderr": done.stderr}


def many_digits():
    """Return MANY test images, uint8 (200, 28, 28): MNIST's where it is at hand."""
    folder = os.environ.get("EDGE_DATA_DIR")
    if folder and (path := Path(folder) / "mnist.npz").exists():
        return np.load(path)["x_test"][:MANY]
    pytest.importorskip("sklearn", reason="the digits of scikit-learn are not installed")
    from toolkit.datasets import DataOptions, load_dataset

    return load_dataset(DataOptions(name="digits")).x_test[:MANY, ..., 0]
