"""What the tests of the device side share: small model files, and files without a manifest."""

from __future__ import annotations

import time
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

import runtime
from runtime.modelfile.manifest import (
    Accuracy,
    Calibration,
    Created,
    Manifest,
    Quantization,
    Requirements,
    TensorSpec,
)
from runtime.preprocessing.spec import PreprocessSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.modelfile.artifact import Artifact


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """Every field filled; it fits the files of ``make_onnx``."""
    return Manifest(
        name="tiny",
        format="onnx",
        task="image-classification",
        input=TensorSpec("image", (-1, 8, 8, 1), "float32", "NHWC"),
        output=TensorSpec("scores", (-1, 3), "float32", "NC"),
        labels=("null", "eins", "größer"),
        preprocess=PreprocessSpec(8, 8),
        quantization=Quantization("float32", Calibration("d", 2, 0, "ab", "min-max")),
        requirements=Requirements({"opset ai.onnx": 17}, {"onnxruntime": "1.27"}),
        created=Created("edge-toolkit 0", "cd", "d", {"numpy": "2"}),
        accuracy=Accuracy(0.9, 0.8, 0.95, 0.01, "d test images", 4),
    )


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., bytes]:
    """Build a small ONNX classifier: flatten, multiply, perhaps softmax."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def build(shape=("n", 8, 8, 1), classes=3, *, softmax=True, inputs=1, kind=TensorProto.FLOAT):
        pixels = int(np.prod([n for n in shape[1:] if isinstance(n, int)]))
        weights = np.linspace(-1, 1, pixels * classes, dtype=np.float32)
        names = ["image", *(f"extra{n}" for n in range(1, inputs))]
        nodes = [
            helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["real"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax" if softmax else "Identity", ["logits"], ["scores"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info(name, kind, shape) for name in names],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (shape[0], classes))],
            [numpy_helper.from_array(weights.reshape(pixels, classes), "weights")],
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()

    return build


@pytest.fixture(scope="session")
def tiny(make_onnx, manifest, tmp_path_factory) -> Artifact:
    """A sealed ONNX file on disk, made without TensorFlow."""
    from runtime.modelfile import artifact as artifacts

    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    artifact = artifacts.pack(path, make_onnx(), manifest)
    path.write_bytes(artifact.data)
    return artifact


def payload(path: Path) -> bytes:
    """Return an exported file as its converter made it: no manifest, no seal."""
    if path.suffix == ".tflite":
        with zipfile.ZipFile(path) as archive:
            return path.read_bytes()[: min(i.header_offset for i in archive.infolist())]
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    return model.SerializeToString()


@pytest.fixture(scope="session")
def stripped(exports, tmp_path_factory) -> dict[str, Path]:
    """The exports without manifest and seal, as another tool would have written them."""
    folder = tmp_path_factory.mktemp("stripped")
    paths = {}
    for name, path in exports.items():
        paths[name] = folder / path.name
        paths[name].write_bytes(payload(path))
    return paths


@pytest.fixture
def images(rng):
    """Random ones for the model ``tiny``, uint8 (300, 8, 8)."""
    return rng.integers(0, 256, (300, 8, 8), np.uint8)


@pytest.fixture
def files(images, tmp_path):
    """The images as PNG files: processes prepare files only."""
    from PIL import Image

    paths = [tmp_path / f"{index:03}.png" for index in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def classifier(tiny):
    """The model ``tiny``, opened, for two threads."""
    with runtime.load(tiny.path, backend="onnxruntime", threads=2) as opened:
        yield opened


@pytest.fixture
def wait_until_ready():
    """A function that waits until the two processes of a classifier are ready."""

    def wait(classifier):
        pool = classifier.workers.processes(2)
        deadline = time.monotonic() + 60
        while not all(one.ready for one in pool.workers):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait


@pytest.fixture
def parallel(classifier, wait_until_ready):
    """The classifier with two processes that are ready."""
    wait_until_ready(classifier)
    return classifier


@pytest.fixture
def remote_tasks(monkeypatch):
    """Counts the tasks that are sent to processes."""
    from runtime.workers import stream

    tasks, run = [], stream._run_remotely
    monkeypatch.setattr(stream, "_run_remotely", lambda *pairs: tasks.append(1) or run(*pairs))
    return tasks
