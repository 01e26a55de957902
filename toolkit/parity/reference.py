"""The Keras model as the gate sees it: answers, preprocessing, labels, weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from toolkit.parity.weights import ModelKernel, model_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from exporters.source import KerasSource
    from runtime.preprocess import PreprocessSpec
    from toolkit.subject import Subject


@dataclass(frozen=True, eq=False)
class Reference:
    """What artifacts are compared with.

    Attributes:
        predict: takes float32 (n, height, width, channels) in model units and returns the
            model's probabilities (n, classes).
        spec: how an image becomes model input.
        labels: the class names, in the order of the outputs.
        find_kernels: returns the weights of its layers; for the weight audit.
        float_model: returns the model as a float32 file with a given suffix, in memory;
            for finding the layer that is at fault. None if that is not to be had.
    """

    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    spec: PreprocessSpec
    labels: tuple[str, ...]
    find_kernels: Callable[[], tuple[ModelKernel, ...]] = tuple
    float_model: Callable[[str], bytes] | None = None

    @classmethod
    def of(cls, subject: Subject) -> Reference:
        """Return the reference that a loaded model is."""
        source = subject.source
        return cls(
            source.predict,
            subject.spec,
            subject.labels,
            lambda: model_kernels(source.model),
            lambda suffix: _float_model(source, suffix),
        )

    @cached_property
    def kernels(self) -> tuple[ModelKernel, ...]:
        """The weights of its layers, in order."""
        return self.find_kernels()

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) for images of model size."""
        return self.predict(self.spec.apply(images))


def _float_model(source: KerasSource, suffix: str) -> bytes:
    """Return the model in float32, with the layers that its quantized files have."""
    if suffix == ".tflite":
        return source.tflite_graph
    return bytes(source.onnx_prepared.SerializeToString())
