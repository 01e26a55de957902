"""The front door of the device side: a model file that classifies images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from runtime import artifact as artifacts
from runtime.backends import AUTO, Backend, BackendOptions, open_backend
from runtime.errors import BackendError, InputError
from runtime.prediction import Prediction
from runtime.preprocess import CHANNELS, Prepared, PreprocessSpec, check_float_pixels

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.artifact import Artifact

_BATCH = 256  # images that are preprocessed at a time: bounds the memory
_SOFTMAX_STEPS = 256  # TFLite gives every 8-bit softmax output the scale 1/256


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What is not in the model file, or is to be used instead of what is there.

    Attributes:
        labels: the class names; None takes those of the file, or numbers.
        adapt: gets the preprocessing of the file (or the default for its input shape)
            and returns the one to use.
    """

    labels: tuple[str, ...] | None = None
    adapt: Callable[[PreprocessSpec], PreprocessSpec] | None = None


def load(
    path: Path | str,
    *,
    backend: str = AUTO,
    device: str = "cpu",
    threads: int = 1,
    precision: str = "float32",
    options: LoadOptions | None = None,
) -> Classifier:
    """Open a model file.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.
        backend: an engine, or ``auto``: the best one that is installed.
        device: ``cpu``, ``gpu``, or ``auto``: the GPU where it is proven to run the file,
            else the CPU; ``classifier.backend`` tells ``device`` and ``fallback``, why not.
        threads: of one inference on the CPU.
        precision: in which a GPU computes, ``float32`` or ``float16``.
        options: labels and preprocessing that the file lacks.

    Returns:
        A classifier; close it, or use it with ``with``.

    Raises:
        InputError: no such file, or options that do not fit the model.
        ArtifactError: the file is damaged or no model file.
        BackendError: the engine is broken or refuses the file.
        DeviceUnavailableError: no GPU is proven to run it.
        MissingDependencyError: no engine for such files is installed.
    """
    how = BackendOptions(device, threads, precision)
    return from_artifact(artifacts.read(path), backend, how, options)


def from_artifact(
    artifact: Artifact,
    backend: str = AUTO,
    backend_options: BackendOptions | None = None,
    options: LoadOptions | None = None,
) -> Classifier:
    """Open a model file that is already in memory; see :func:`load`."""
    engine = open_backend(artifact, backend, backend_options or BackendOptions())
    try:
        return Classifier(artifact, engine, options or LoadOptions())
    except BaseException:
        engine.close()
        raise


class Classifier:
    """An open model file: preprocessing, engine and labels in one.

    Attributes:
        artifact: the model file.
        backend: the engine that runs it.
        spec: how an image becomes model input.
        labels: the class names.
        notes: what had to be assumed because the file does not say it.
    """

    def __init__(self, artifact: Artifact, backend: Backend, options: LoadOptions) -> None:
        """Take the labels and preprocessing from options, file or defaults, in this order.

        Raises:
            InputError: the options do not fit the model.
        """
        self.artifact = artifact
        self.backend = backend
        notes: list[str] = []
        self.labels = self._find_labels(options, notes)
        self.spec = self._find_spec(options, notes)
        self._logits = self._find_scores(notes) == "logits"
        self.notes = tuple(notes)

    def predict(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prediction:
        """Classify one image.

        Args:
            image: a path, the bytes of an image file, a Pillow image, or an array
                (h, w), (h, w, 1) or (h, w, 3), uint8 0…255 or float 0…1. An array of
                the model's size is taken as it is; anything else is fitted.

        Raises:
            InputError: the image cannot be read or used.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        prepared = self.prepare(image)
        return Prediction.of(
            self.run(self.spec.apply(prepared.pixels[None]))[0], self.labels, prepared.steps
        )

    def prepare(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prepared:
        """Bring one image to the model's size; see :meth:`predict`."""
        from runtime.images import decode, to_plain

        if isinstance(image, np.ndarray):
            return self._prepare_array(image)
        if isinstance(image, (Path, str, bytes)):
            return self.spec.prepare(decode(image))
        if not hasattr(image, "getbands"):
            raise InputError(
                f"expected a path, bytes, picture or array, got {type(image).__name__}"
            )
        return self.spec.prepare(to_plain(image))

    def predict_batch(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Classify many images of one size.

        Args:
            images: (n, h, w) or (n, h, w, c); uint8 0…255 or float 0…1. Images of
                the model's size are taken as they are; others are fitted one by one.

        Returns:
            float32 (n, classes) probabilities.

        Raises:
            InputError: wrong shape, dtype or range.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        if images.ndim not in (3, 4):
            raise InputError(f"expected (n, h, w) or (n, h, w, c), got shape {images.shape}")
        if len(images) and not self.spec.matches(images):
            images = np.stack([self._prepare_array(image).pixels for image in images])
        parts = [
            self.run(self.spec.apply(images[start : start + _BATCH]))
            for start in range(0, len(images), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.labels)), np.float32)

    def close(self) -> None:
        """Free the engine."""
        self.backend.close()

    def __enter__(self) -> Self:
        """Return the classifier itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the classifier."""
        self.close()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Classify model input that is already preprocessed.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes) probabilities.

        Raises:
            InputError: wrong shape or dtype.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        scores = self.backend.run(batch)
        if not np.isfinite(scores).all():
            raise BackendError(
                f"{self.artifact.path.name} answers with NaN or infinity on {self.backend.name}; "
                "its numbers overflow: check --scale, or export a format of wider range"
            )
        return softmax(scores) if self._logits else scores

    def _prepare_array(self, image: NDArray[Any]) -> Prepared:
        from PIL import Image

        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in CHANNELS):
            raise InputError(f"expected (h, w), (h, w, 1) or (h, w, 3), got shape {image.shape}")
        if image.size == 0:
            raise InputError(f"the image is empty: shape {image.shape}")
        if self.spec.matches(image[None]):
            return Prepared(image, ("an array of the model's size, taken as it is",))
        if image.dtype != np.uint8:
            check_float_pixels(image)
            image = np.round(image * 255.0).astype(np.uint8)
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[..., 0]
        return self.spec.prepare(Image.fromarray(np.ascontiguousarray(image)))

    def _find_labels(self, options: LoadOptions, notes: list[str]) -> tuple[str, ...]:
        classes = self.backend.output.shape[-1]
        manifest = self.artifact.manifest
        if options.labels is not None:
            if len(options.labels) != classes:
                raise InputError(f"{len(options.labels)} labels for a model of {classes} classes")
            return options.labels
        if manifest:
            return manifest.labels
        notes.append(f"no labels in the file: classes are numbered 0…{classes - 1} (--labels)")
        return tuple(str(index) for index in range(classes))

    def _find_spec(self, options: LoadOptions, notes: list[str]) -> PreprocessSpec:
        shape = self.backend.image_shape
        manifest = self.artifact.manifest
        spec = manifest.preprocess if manifest else default_spec(shape)
        if not manifest and self.backend.takes_raw_pixels:
            spec = replace(spec, scale=1.0)
        if options.adapt:
            spec = options.adapt(spec)
        if not manifest:
            notes.append(
                f"no preprocessing in the file: scale {spec.scale:.6g}, fit {spec.fit}, "
                f"polarity {spec.polarity} (--scale, --mean, --std, --fit, --polarity)"
            )
        if spec.shape != shape:
            raise InputError(f"preprocessing for {spec.shape}, but the model takes {shape}")
        return spec

    def _find_scores(self, notes: list[str]) -> str:
        """Tell probabilities from logits; without a manifest by running a grey image."""
        if self.artifact.manifest:
            return self.artifact.manifest.scores
        scale = self.backend.output.scale
        if scale is not None and abs(scale * _SOFTMAX_STEPS - 1.0) < 1e-3:
            return "probabilities"
        grey = np.full((1, *self.spec.shape), 127, np.uint8)
        row = self.backend.run(self.spec.apply(grey))[0]
        if row.min() >= 0.0 and abs(float(row.sum()) - 1.0) < 0.05:
            return "probabilities"
        notes.append("the outputs are not probabilities: softmax is applied")
        return "logits"


def default_spec(shape: tuple[int, int, int]) -> PreprocessSpec:
    """Guess the preprocessing of a file that does not state it.

    28x28 grey is taken for a digit model and framed like MNIST; anything else is
    padded to size.
    """
    height, width, channels = shape
    if shape == (28, 28, 1):
        return PreprocessSpec(height, width, channels, fit="center-of-mass", polarity="auto")
    return PreprocessSpec(height, width, channels, fit="pad")


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn (n, classes) logits into probabilities, without overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result
