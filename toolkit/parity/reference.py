"""The Keras model as the gate sees it: answers, preprocessing, labels, weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.inspection import GraphView, view

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
        float_model: returns the model as a float32 file with a given suffix, in memory;
            for the audit of weights and for finding the layer that is at fault. None if
            that is not to be had.
    """

    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    spec: PreprocessSpec
    labels: tuple[str, ...]
    float_model: Callable[[str], bytes] | None = None
    _views: dict[str, GraphView] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, subject: Subject) -> Reference:
        """Return the reference that a loaded model is."""
        source = subject.source
        return cls(
            source.predict,
            subject.spec,
            subject.labels,
            lambda suffix: _float_model(source, suffix),
        )

    def float_view(self, suffix: str) -> GraphView | None:
        """Return the float graph that a file with this suffix was made from, or None."""
        if self.float_model is None:
            return None
        if suffix not in self._views:
            self._views[suffix] = view(self.float_model(suffix), suffix)
        return self._views[suffix]

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) for images of model size."""
        return self.predict(self.spec.apply(images))


def _float_model(source: KerasSource, suffix: str) -> bytes:
    """Return the model in float32, as its files of that suffix are made from it."""
    if suffix == ".tflite":
        return source.tflite_graph
    return bytes(source.onnx_graph.SerializeToString())
