"""The Keras model that is exported: loaded safely, checked, run as the reference."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.tensorflow_setup import import_tensorflow
from runtime.errors import ExportError, InputError
from runtime.prediction import softmax

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from runtime.preprocess import PreprocessSpec

_BATCH = 500


@dataclass(eq=False)
class KerasSource:
    """An image classifier in Keras.

    Attributes:
        model: one image input, one output of class scores.
        path: the ``.keras`` file.
        sha256: of that file, as hexadecimal digits.
    """

    model: keras.Model
    path: Path
    sha256: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one input image."""
        height, width, channels = self.model.inputs[0].shape[1:]
        return int(height), int(width), int(channels)

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        return int(self.model.outputs[0].shape[-1])

    def require(self, spec: PreprocessSpec, labels: tuple[str, ...]) -> None:
        """Check that preprocessing and labels are for this model.

        Raises:
            InputError: names the first thing that does not fit.
        """
        if spec.shape != self.image_shape:
            raise InputError(
                f"the model takes {self.image_shape} images, the preprocessing makes {spec.shape}"
            )
        if len(labels) != self.classes:
            raise InputError(
                f"the model tells {self.classes} classes apart, "
                f"but there are {len(labels)} labels (--labels)"
            )

    @cached_property
    def scores(self) -> str:
        """What the output holds: ``probabilities`` or ``logits``, tried on noise."""
        rng = np.random.default_rng(0)
        probe = rng.random((8, *self.image_shape), dtype=np.float32)
        rows = run_keras(self.model, probe)
        sums_to_one = np.allclose(rows.sum(axis=1), 1.0, atol=1e-3)
        return "probabilities" if sums_to_one and rows.min() >= 0.0 else "logits"

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the model's probabilities.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes); softmax is applied where the model gives logits.
        """
        rows = run_keras(self.model, batch)
        return softmax(rows) if self.scores == "logits" else rows

    @cached_property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one image; None where a layer cannot be counted."""
        from exporters.multiply_adds import count

        return count(self.model, self.image_shape)

    @cached_property
    def onnx_graph(self) -> Any:
        """The model as a float32 ``onnx.ModelProto``; converted once, shared by all formats."""
        from exporters.onnx_graph import convert

        return convert(self)

    @cached_property
    def onnx_prepared(self) -> Any:
        """The float ``onnx.ModelProto`` that is quantized; its nodes are the layers there."""
        from exporters.onnx_quantize import prepare

        return prepare(self.onnx_graph)

    @cached_property
    def tflite_graph(self) -> bytes:
        """The model as a float32 TFLite file; converted once, shared by all who need it."""
        from exporters.tflite_graph import convert

        return convert(self, "tflite")


def run_keras(model: keras.Model, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a Keras model answers, (n, classes) float32.

    Args:
        model: one image input, one output of class scores.
        batch: float32 (n, height, width, channels) in model units.
    """
    parts = [
        np.asarray(model(batch[start : start + _BATCH], training=False))
        for start in range(0, len(batch), _BATCH)
    ]
    scores: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
    return scores


def load_keras(path: Path) -> KerasSource:
    """Load a ``.keras`` file in safe mode and check that it is an image classifier.

    Raises:
        InputError: no such file, not a ``.keras`` file or a damaged one, or no image classifier.
        ExportError: it holds code (Lambda) or layers of an unknown class.
        MissingDependencyError: TensorFlow is not installed.
    """
    require_keras_file(path)
    source = KerasSource(_load(path), path, hashlib.sha256(path.read_bytes()).hexdigest())
    _check(source.model, path)
    return source


def require_keras_file(path: Path) -> None:
    """See that a file can be a Keras model, before TensorFlow is loaded.

    Raises:
        InputError: no such file, not a ``.keras`` file or a damaged one.
    """
    if path.suffix != ".keras":
        raise InputError(
            f"{path} is no .keras file; save the model again: model.save('model.keras')"
        )
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise InputError(f"{path} is damaged, or no Keras file: those are zip archives")


def _load(path: Path) -> keras.Model:
    import_tensorflow()
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # keras raises many unrelated kinds here
        raise ExportError(_why(path, error)) from error


def _why(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split()).replace(str(path), path.name)
    if "ambda" in text.replace(path.name, ""):
        return (
            f"{path} holds a Lambda layer, that is Python code, which is not run; "
            "replace it by a Keras layer (for scaling: keras.layers.Rescaling)"
        )
    if unknown := re.search(r"Could not locate \w+ '([^']+)'", text):
        return (
            f"{path} uses {unknown[1]}, which Keras does not know; "
            "only models of Keras's own layers can be exported"
        )
    return f"{path} cannot be loaded by Keras: {text[:200]}"


def _check(model: keras.Model, path: Path) -> None:
    inputs, outputs = model.inputs, model.outputs
    if inputs is None or len(inputs) != 1 or len(outputs) != 1:
        raise InputError(f"{path}: an image classifier has one input and one output")
    image, scores = inputs[0].shape, outputs[0].shape
    if len(image) != 4 or None in image[1:] or image[3] not in (1, 3):
        raise InputError(
            f"{path}: its input is {tuple(image)}; expected (None, height, width, 1 or 3) "
            "with a fixed height and width"
        )
    if len(scores) != 2 or scores[1] is None or scores[1] < 2:
        raise InputError(f"{path}: its output is {tuple(scores)}; expected (None, classes >= 2)")
