"""Keras model to export: loading in safe mode, validation, reference predictions."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from exporters.keras_model.multiply_adds import count
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.errors import ExportError, InputError
from runtime.tasks.classification import softmax

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec

_BATCH = 500


@dataclass(eq=False)
class KerasSource:
    """Image classifier in Keras.

    Attributes:
        model: the model, with one image input and one output of class scores.
        path: the ``.keras`` file.
        sha256: SHA-256 digest of that file, in hexadecimal.

    Example::

        source = load_keras(Path("model.keras"))
        print(source.image_shape, source.classes)
        probabilities = source.predict(batch)
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
        """Number of classes."""
        return int(self.model.outputs[0].shape[-1])

    def require(self, spec: PreprocessSpec, labels: tuple[str, ...]) -> None:
        """Check that preprocessing and labels match the model.

        Args:
            spec: preprocessing from image to model input.
            labels: class names.

        Raises:
            InputError: names the first mismatch.
        """
        if spec.shape != self.image_shape:
            raise InputError(
                f"the model takes {self.image_shape} images, the preprocessing makes {spec.shape}"
            )
        if len(labels) != self.classes:
            raise InputError(
                f"the model has {self.classes} classes, "
                f"but there are {len(labels)} labels (--labels)"
            )

    @cached_property
    def scores(self) -> str:
        """Kind of the output, ``probabilities`` or ``logits``; determined on random images."""
        rng = np.random.default_rng(0)
        probe = rng.random((8, *self.image_shape), dtype=np.float32)
        rows = run_keras(self.model, probe)
        sums_to_one = np.allclose(rows.sum(axis=1), 1.0, atol=1e-3)
        return "probabilities" if sums_to_one and rows.min() >= 0.0 else "logits"

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the predictions of the model as probabilities.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes); softmax is applied where the outputs are logits.
        """
        rows = run_keras(self.model, batch)
        return softmax(rows) if self.scores == "logits" else rows

    @cached_property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one image; None if a layer cannot be counted."""
        return count(self.model, self.image_shape)


def run_keras(model: keras.Model, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the outputs of a Keras model, (n, classes) float32.

    Args:
        model: a model with one image input and one output of class scores.
        batch: float32 (n, height, width, channels) in model units.

    Example::

        scores = run_keras(source.model, batch)
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
        InputError: there is no such file, it is no ``.keras`` file or damaged, or the
            model is no image classifier.
        ExportError: the model has code (Lambda) or layers of an unknown class.
        MissingDependencyError: TensorFlow is not installed.

    Example::

        source = load_keras(Path("model.keras"))
    """
    require_keras_file(path)
    source = KerasSource(_load(path), path, hashlib.sha256(path.read_bytes()).hexdigest())
    _check(source.model, path)
    return source


def require_keras_file(path: Path) -> None:
    """Check that a file can be a Keras model, without loading TensorFlow.

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
        raise ExportError(_reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
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
