"""The Keras model as the gate uses it: outputs, preprocessing, labels, weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from toolkit.inspection import GraphView
from toolkit.inspection.float_view import float_view
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec
    from toolkit.trained_model import TrainedModel

_CHUNK = 1000  # images between two steps of the progress bar


@dataclass(frozen=True, eq=False)
class Reference:
    """The Keras model that artifacts are compared with.

    Attributes:
        predict: takes float32 (n, height, width, channels) in model units and returns the
            model's probabilities (n, classes).
        spec: how an image becomes model input.
        labels: the class names, in the order of the outputs.
        find_graph: returns the model as a float graph of files with a given suffix; for the
            audit of weights and for finding the layer that is at fault. None if it is
            not available.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> spec = PreprocessSpec(2, 1, 1)  # two pixels: the brighter one is the class
        >>> reference = Reference(lambda batch: batch.reshape(-1, 2), spec, ("top", "bottom"))
        >>> images = np.array([[255, 0], [0, 255]], np.uint8).reshape(2, 2, 1, 1)
        >>> reference.predict_images(images).argmax(axis=1)
        array([0, 1])
    """

    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    spec: PreprocessSpec
    labels: tuple[str, ...]
    find_graph: Callable[[str], GraphView] | None = None
    _views: dict[str, GraphView] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, trained: TrainedModel) -> Reference:
        """Return the reference for a loaded model.

        Example::

            reference = Reference.of(resolve(None, DataOptions()))
        """
        graphs = trained.graphs
        return cls(
            graphs.source.predict,
            trained.spec,
            trained.labels,
            lambda suffix: float_view(graphs, suffix),
        )

    def float_view(self, suffix: str) -> GraphView | None:
        """Return the float graph that a file with this suffix was made from, or None.

        Example::

            names = [layer.name for layer in reference.float_view(".tflite").layers]
        """
        if self.find_graph is None:
            return None
        if suffix not in self._views:
            self._views[suffix] = self.find_graph(suffix)
        return self._views[suffix]

    def predict_images(
        self, images: NDArray[np.uint8], reporter: Reporter = SILENT
    ) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) of images of the model's size.

        Example::

            labels = reference.predict_images(dataset.x_test).argmax(axis=1)
        """
        outputs = []
        with reporter.task("Keras", len(images)) as tick:
            for start in range(0, len(images), _CHUNK):
                chunk = images[start : start + _CHUNK]
                outputs.append(self.predict(self.spec.apply(chunk)))
                tick(len(chunk))
        return np.concatenate(outputs)
