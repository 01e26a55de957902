"""What a model file does not say of itself, and what is assumed instead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.spec import PreprocessSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends import Backend
    from runtime.modelfile.artifact import Artifact

_SOFTMAX_STEPS = 256  # TFLite gives every 8-bit softmax output the scale 1/256


def find_labels(
    artifact: Artifact, backend: Backend, given: tuple[str, ...] | None, notes: list[str]
) -> tuple[str, ...]:
    """Return the class names: those given, those of the file, or numbers.

    Args:
        artifact: the model file.
        backend: the engine that has it open.
        given: what the caller wants; None for what the file says.
        notes: gets a sentence for what is assumed.

    Raises:
        InputError: the number of labels is not that of the classes.
    """
    classes = backend.output.shape[-1]
    if given is not None:
        if len(given) != classes:
            raise InputError(f"{len(given)} labels for a model of {classes} classes")
        return given
    if artifact.manifest:
        return artifact.manifest.labels
    notes.append(f"no labels in the file: classes are numbered 0…{classes - 1} (--labels)")
    return tuple(str(index) for index in range(classes))


def find_spec(
    artifact: Artifact,
    backend: Backend,
    adapt: Callable[[PreprocessSpec], PreprocessSpec] | None,
    notes: list[str],
) -> PreprocessSpec:
    """Return the preprocessing: that of the file or the default, changed as the caller wants.

    Args:
        artifact: the model file.
        backend: the engine that has it open.
        adapt: gets what the file says, or the default, and returns what to use.
        notes: gets a sentence for what is assumed.

    Raises:
        InputError: it is for images of another size than the model takes.
    """
    shape = backend.image_shape
    manifest = artifact.manifest
    spec = manifest.preprocess if manifest else default_spec(shape)
    if not manifest and backend.takes_raw_pixels:
        spec = replace(spec, scale=1.0)
    if adapt:
        spec = adapt(spec)
    if not manifest:
        notes.append(
            f"no preprocessing in the file: scale {spec.scale:.6g}, fit {spec.fit}, "
            f"polarity {spec.polarity} (--scale, --mean, --std, --fit, --polarity)"
        )
    if spec.shape != shape:
        raise InputError(f"preprocessing for {spec.shape}, but the model takes {shape}")
    return spec


def find_scores(
    artifact: Artifact, backend: Backend, spec: PreprocessSpec, notes: list[str]
) -> str:
    """Tell ``probabilities`` from ``logits``; without a manifest by running a grey image."""
    if artifact.manifest:
        return artifact.manifest.scores
    scale = backend.output.scale
    if scale is not None and abs(scale * _SOFTMAX_STEPS - 1.0) < 1e-3:
        return "probabilities"
    grey = np.full((1, *spec.shape), 127, np.uint8)
    row = backend.run(spec.apply(grey))[0]
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
