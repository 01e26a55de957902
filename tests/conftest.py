"""What many tests share: real digits, one small trained run, its exports."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from toolkit.datasets import Dataset
    from toolkit.runs.run import Run
    from toolkit.trained_model import TrainedModel

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# A shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The worker processes of a run share the cores: more threads in each only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# Before any test imports TensorFlow: see exporters/keras_model/tensorflow_setup.py.
with contextlib.suppress(EdgeError):
    TfliteRuntime.preload()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files into an order that keeps two worker processes busy.

    Those that need the exported files and those that do not take turns: while one worker builds
    them, the other has something to do. The tests of the device side come last: they are the
    shortest, and fill the gap at the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    last = [path for path in files if path.is_relative_to(TESTS / "runtime")]
    first = [path for path in files if path not in last]
    needing = [path for path in first if any("exports" in _fixtures(i) for i in files[path])]
    others = [path for path in first if path not in needing]
    turns = [path for pair in zip_longest(needing, others) for path in pair if path]
    items[:] = [item for path in (*turns, *last) for item in files[path]]


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])  # a doctest has none


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Build a folder once for all worker processes of this run; each gets a copy of its own.

    Nothing is kept for the next run, so what is tested was always built by the present sources.
    """
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name: str, build: Callable[[Path], object]) -> Path:
        built = common / f"shared-{name}"
        with (common / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not built.exists():
                draft = common / f"shared-{name}.partial"
                shutil.rmtree(draft, ignore_errors=True)  # of a worker whose build failed
                draft.mkdir()
                build(draft)
                draft.rename(built)
        return shutil.copytree(built, own / name, symlinks=True)

    return folder


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """scikit-learn's digits at 28x28."""
    pytest.importorskip("sklearn", reason="the workstation side is not installed")
    from toolkit.datasets import DataOptions, load_dataset

    return load_dataset(DataOptions(name="digits"))


@pytest.fixture(scope="session")
def digits_run(shared: Callable[..., Path]) -> Run:
    """The tutorial network after four epochs on the digits (about 95 % right)."""
    if importlib.util.find_spec("tensorflow") is None:  # loading it takes seconds
        pytest.skip("the workstation side is not installed")
    from toolkit.runs.run import latest_run

    return latest_run(shared("digits", _train) / "runs")


def _train(folder: Path) -> None:
    from exporters.keras_model.tensorflow_setup import import_tensorflow
    from toolkit.datasets import DataOptions
    from toolkit.progress import SILENT
    from toolkit.training.options import TrainOptions
    from toolkit.training.train import train

    import_tensorflow()
    import keras

    keras.utils.clear_session()  # Keras numbers layers: "conv2d" is the first one from here on
    train(TrainOptions(epochs=4), DataOptions(name="digits"), folder / "runs", SILENT)


@pytest.fixture(scope="session")
def trained(digits_run: Run) -> TrainedModel:
    """The trained run, loaded with its data."""
    from toolkit.datasets import DataOptions
    from toolkit.trained_model import resolve

    return resolve(digits_run.path, DataOptions())


@pytest.fixture(scope="session")
def exports(
    shared: Callable[..., Path], digits_run: Run, request: pytest.FixtureRequest
) -> dict[str, Path]:
    """The run in every format: path by format name. Do not change these files."""
    from toolkit.export.export import export, read_exports
    from toolkit.export.request import ExportOptions

    def build(folder: Path) -> None:
        for one in export(request.getfixturevalue("trained"), ExportOptions((), folder)):
            assert one.error is None

    shutil.copytree(shared("exports", build), digits_run.exports, dirs_exist_ok=True)
    return {file.format: file.path for file in read_exports(digits_run.exports)}


@pytest.fixture(scope="session")
def digit_files(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty test images as PNG files named LABEL-NUMBER.png."""
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for index in range(20):
        path = folder / f"{digits.y_test[index]}-{index:02}.png"
        Image.fromarray(digits.x_test[index, ..., 0]).save(path)
        paths.append(path)
    return paths


@pytest.fixture
def toolkit_cli() -> Callable[..., Result]:
    """Run ``toolkit`` in this process; returns click's result (stdout, stderr, exit_code)."""
    from toolkit.cli import main

    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def runtime_cli() -> Callable[..., Result]:
    """Run ``runtime`` in this process; returns click's result (stdout, stderr, exit_code)."""
    from runtime.cli import main

    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with MNIST and other real data; the test is skipped without it."""
    root = os.environ.get("EDGE_DATA_DIR")
    if not root or not Path(root).is_dir():
        pytest.skip("EDGE_DATA_DIR does not name a folder with mnist.npz")
    return Path(root)


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded source of random numbers."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def rgb_model(shared: Callable[..., Path]) -> Path:
    """A folder with ``colors.keras`` (RGB, logits, own scaling) and its data, ``colors.npz``."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the workstation side is not installed")
    return shared("colors", _make_colors)


def _make_colors(folder: Path) -> None:
    from exporters.keras_model.tensorflow_setup import import_tensorflow

    import_tensorflow()
    import keras
    from keras import layers

    arrays = _colored_squares(np.random.default_rng(7))
    np.savez(folder / "colors.npz", **arrays, labels=np.array(["red", "green", "blue"]))
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ],
        name="colors",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss)
    x = arrays["x_train"].astype(np.float32)
    model.fit(x, arrays["y_train"], epochs=6, batch_size=32, verbose=0)
    model.save(folder / "colors.keras")


def _colored_squares(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Noise of 32x32 in which one of three channels is brighter; its number is the class."""
    arrays = {}
    for part, count in (("train", 150), ("test", 90)):
        y = np.arange(count) % 3
        x = rng.integers(0, 120, (count, 32, 32, 3))
        x[np.arange(count), :, :, y] += 60
        arrays |= {f"x_{part}": x.astype(np.uint8), f"y_{part}": y}
    return arrays


@pytest.fixture
def make_result() -> Callable[..., Any]:
    """Build a result of 100 million multiply-adds, one thread, in 1 ms."""

    from dataclasses import replace

    from runtime.benchmark.fresh import Fresh
    from runtime.benchmark.latency import Latency
    from runtime.benchmark.result import BenchResult, Power, Setting, Timing
    from runtime.host import PowerState, host

    def build(timing=None, power=None, **changes):
        fields = {
            "path": "a.tflite",
            "format": "tflite-int8",
            "bytes": 1,
            "sha256": "ab",
            "backend": "litert",
            "backend_version": "2",
            "device": "cpu",
            "accelerator": "",
            "precision": None,
            "threads": 1,
            "multiply_adds": 100_000_000,
            "host": replace(host(), cores=2, virtual=""),
            "versions": {},
            "measured_at": "",
        }
        setting = Setting(**fields | changes)
        timing = timing or Timing(Latency.of([1_000_000] * 700), 1000.0)
        power = power or Power(PowerState(), PowerState())
        return BenchResult(setting, timing, Fresh(1.0, 1.0, 50.0, 1), power, 1.0)

    return build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this project, built from the working tree."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = out.glob("*.whl")
    return found
