"""An open model: an engine, preprocessing of the input and interpretation of the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from runtime.errors import BackendError, InputError
from runtime.preprocessing.arrays import prepare_array
from runtime.preprocessing.spec import PreprocessSpec
from runtime.tasks.classification import softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.backends import Backend
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import Manifest, TensorSpec
    from runtime.preprocessing.prepared import Prepared

_SOFTMAX_STEPS = 256  # every 8-bit softmax output of TFLite has the scale 1/256


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Labels and preprocessing, for files without them or to replace those of the file.

    Attributes:
        labels: the class names; None takes those of the file, or numbers.
        adapt: function of the preprocessing of the file (or the default for its input
            shape) that returns the one to use.

    Example:
        >>> LoadOptions(labels=("cat", "dog")).labels
        ('cat', 'dog')
        >>> inverted = LoadOptions(adapt=lambda spec: replace(spec, polarity="invert"))
    """

    labels: tuple[str, ...] | None = None
    adapt: Callable[[PreprocessSpec], PreprocessSpec] | None = None


class Session:
    """An open model: named arrays in, named arrays out; images in, probabilities out.

    Base of the workers and of :class:`runtime.model.Classifier`. One thread at a time, as its
    engine.

    Example::

        artifact = runtime.modelfile.artifact.read("mnist-cnn.int8.tflite")
        with Session(artifact, open_backend(artifact, "auto", BackendOptions())) as session:
            probabilities = session.probabilities(images)

    Attributes:
        artifact: the model file.
        backend: the engine that runs it.
        spec: how an image becomes model input.
        labels: the class names.
        notes: assumptions about what the file does not contain.
    """

    def __init__(
        self, artifact: Artifact, backend: Backend, options: LoadOptions | None = None
    ) -> None:
        """Take labels and preprocessing from the options, the file or defaults, in this order.

        Args:
            artifact: the model file.
            backend: the engine that has it open; closed with the session, and if this fails.
            options: labels and preprocessing, for files without them.

        Raises:
            InputError: the options do not fit the model.
        """
        options = options or LoadOptions()
        self.artifact = artifact
        self.backend = backend
        try:
            self.labels, label_notes = _labels(artifact, backend, options.labels)
            self.spec, spec_notes = _spec(artifact, backend, options.adapt)
            scores, score_notes = _scores(artifact, backend, self.spec)
        except BaseException:
            backend.close()
            raise
        self._logits = scores == "logits"
        self.notes = (*label_notes, *spec_notes, *score_notes)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The input tensors of the model."""
        return (self.backend.input,)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The output tensors of the model."""
        return (self.backend.output,)

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of the model file; None if another tool made it."""
        return self.artifact.manifest

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run the model on arrays in model units; quantization is hidden.

        Args:
            inputs: float32 (n, height, width, channels) by the name of the input tensor.

        Returns:
            float32 (n, classes), as the model outputs it, by the name of the output tensor.

        Raises:
            InputError: other names than those of the model, wrong shape or dtype.
            BackendError: the engine failed.

        Example::

            outputs = session.run({session.inputs[0].name: batch})
        """
        (expected,), (output,) = self.inputs, self.outputs
        if set(inputs) != {expected.name}:
            raise InputError(f"the model takes the input '{expected.name}', not {sorted(inputs)}")
        return {output.name: self.backend.run(inputs[expected.name])}

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities for model input that is already preprocessed.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes).

        Raises:
            InputError: wrong shape or dtype.
            BackendError: the engine failed, or its output is NaN or infinite.

        Example::

            probabilities = session.classify(session.spec.apply(images))
        """
        return self._checked(self.backend.run(batch))

    def probabilities(
        self, images: NDArray[Any], engine: Backend | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities for images of the model's size.

        Args:
            images: see :meth:`PreprocessSpec.apply`.
            engine: an engine of a worker, equal to ``backend``; None takes ``backend``.

        Returns:
            float32 (n, classes).

        Raises:
            InputError: wrong shape, dtype or range.
            BackendError: the engine failed, or its output is NaN or infinite.

        Example::

            probabilities = session.probabilities(np.zeros((8, 28, 28), np.uint8))
        """
        return self._checked((engine or self.backend).run_images(images, self.spec))

    def prepare(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prepared:
        """Convert one image to the size of the model.

        Args:
            image: a path, the bytes of an image file, a Pillow image, or an array
                (h, w), (h, w, 1) or (h, w, 3), uint8 0…255 or float 0…1.

        Raises:
            InputError: the image cannot be read or used.

        Example::

            prepared = session.prepare("seven.png")
            print(prepared.pixels.shape, prepared.steps)
        """
        if isinstance(image, np.ndarray):
            return prepare_array(image, self.spec)
        if isinstance(image, (Path, str, bytes)):
            return self.spec.prepare(self.spec.decode(image))
        from runtime.preprocessing.decode import is_picture, to_plain, unusable

        if not is_picture(image):
            raise unusable(image)
        return self.spec.prepare(to_plain(image))

    def close(self) -> None:
        """Free the engine."""
        self.backend.close()

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()

    def _checked(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities; refuse NaN and infinity, which integer outputs cannot be."""
        suspect = self.backend.output.scale is None and not isfinite(np.vdot(scores, scores))
        if suspect and not np.isfinite(scores).all():  # the fast sum of squares may overflow
            raise BackendError(
                f"{self.artifact.path.name} outputs NaN or infinity on {self.backend.name}: "
                "its values overflow; check --scale, or export a format of wider range"
            )
        return softmax(scores) if self._logits else scores


def _labels(
    artifact: Artifact, backend: Backend, requested: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class names: requested, from the file, or numbers; and notes."""
    classes = backend.output.shape[-1]
    if requested is not None:
        if len(requested) != classes:
            raise InputError(f"{len(requested)} labels for a model of {classes} classes")
        return requested, ()
    if artifact.manifest:
        return artifact.manifest.labels, ()
    note = f"no labels in the file: classes are numbered 0…{classes - 1} (--labels)"
    return tuple(str(index) for index in range(classes)), (note,)


def _spec(
    artifact: Artifact,
    backend: Backend,
    adapt: Callable[[PreprocessSpec], PreprocessSpec] | None,
) -> tuple[PreprocessSpec, tuple[str, ...]]:
    """Return the preprocessing of the file or the default one, adapted; and notes."""
    shape, manifest = backend.image_shape, artifact.manifest
    spec = manifest.preprocess if manifest else PreprocessSpec.assumed(shape)
    if not manifest and backend.takes_raw_pixels:
        spec = replace(spec, scale=1.0)
    if adapt:
        spec = adapt(spec)
    if spec.shape != shape:
        raise InputError(f"preprocessing for {spec.shape}, but the model takes {shape}")
    if manifest:
        return spec, ()
    note = (
        f"no preprocessing in the file: scale {spec.scale:.6g}, fit {spec.fit}, "
        f"polarity {spec.polarity} (--scale, --mean, --std, --fit, --polarity)"
    )
    return spec, (note,)


def _scores(
    artifact: Artifact, backend: Backend, spec: PreprocessSpec
) -> tuple[str, tuple[str, ...]]:
    """Return ``probabilities`` or ``logits``, without a manifest from a grey image; and notes."""
    if artifact.manifest:
        return artifact.manifest.scores, ()
    scale = backend.output.scale
    if scale is not None and abs(scale * _SOFTMAX_STEPS - 1.0) < 1e-3:
        return "probabilities", ()
    grey = np.full((1, *spec.shape), 127, np.uint8)
    row = backend.run(spec.apply(grey))[0]
    if row.min() >= 0.0 and abs(float(row.sum()) - 1.0) < 0.05:
        return "probabilities", ()
    return "logits", ("the outputs are not probabilities: softmax is applied",)
