"""The judge of candidate files: how much accuracy they lose on validation images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from exporters.check import probabilities
from toolkit.export.attempts import points
from toolkit.parity import words
from toolkit.parity.metrics import measure
from toolkit.quantization_search.validation_images import hold_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from exporters.base import Exporter
    from exporters.budget import ParityBudget
    from runtime.backends import Backend
    from toolkit.parity.metrics import Metrics
    from toolkit.trained_model import TrainedModel

_CHUNK = 500  # images in memory as float32


class Judge:
    """Measures the files of one model on validation images.

    Attributes:
        held_out: the validation images.
        trained: the model, without these images for its calibration.
        max_drop: highest loss of accuracy, in points.

    Example::

        judge, exporter = Judge(trained, max_drop=0.5), formats.registry()["tflite-int8"]()
        with exporter.open(exporter.draft(request)) as backend:
            found, reasons = judge(exporter, backend)
    """

    def __init__(self, trained: TrainedModel, max_drop: float) -> None:
        """Set the validation images aside and run Keras on them.

        Args:
            trained: the model with its data.
            max_drop: highest loss of accuracy, in points.

        Raises:
            DataError: there are too few images.
        """
        self.held_out, self.trained = hold_out(trained)
        self.max_drop = max_drop
        self._expected = self._in_chunks(trained.source.predict)

    @property
    def dataset(self) -> str:
        """The validation images in words."""
        return f"{len(self.held_out.truth):,} {self.held_out.dataset}"

    def __call__(self, exporter: Exporter, backend: Backend) -> tuple[Metrics, tuple[str, ...]]:
        """Measure an open file on the validation images.

        Returns:
            The numbers, and what is beyond the limits, in words. A loss counts even if
            chance alone would explain it: a search finds such luck, in both directions.

        Raises:
            ParityError: the outputs are not finite.
        """
        source = self.trained.source
        outputs = self._in_chunks(lambda batch: probabilities(backend, source, batch))
        budget = self._budget(exporter)
        found = measure(
            self._expected, outputs, self.held_out.truth, self.trained.labels, budget.tie_margin
        )
        reasons = words.reasons(found, budget)
        drop = -100 * found.accuracy_delta
        if drop > self.max_drop + 1e-9:
            reasons = (f"{points(drop)} points lost (limit {self.max_drop:g})", *reasons)
        return found, reasons

    def _budget(self, exporter: Exporter) -> ParityBudget:
        """Return the format's limits, corrected for the luck of a search.

        The drop is judged separately. A search stops at the first file that passes, and one
        whose agreement is just within the limit on these images is beyond it on others every
        other time. So no more labels may differ than a file at the limit shows in one of
        twenty draws.
        """
        from scipy.stats import binom

        images = len(self.held_out.truth)
        flips = float(binom.ppf(0.05, images, 1 - exporter.budget.min_agreement))
        return replace(exporter.budget, max_drop=100.0, min_agreement=1 - flips / images)

    def sample(self, count: int) -> NDArray[np.float32]:
        """Return some validation images in model units, spread over all of them.

        Example::

            batch = judge.sample(64)  # float32 (64, height, width, channels)
        """
        chosen = np.linspace(0, len(self.held_out.truth) - 1, count).round().astype(np.int64)
        return self.trained.spec.apply(self.held_out.images[np.unique(chosen)])

    def _in_chunks(
        self, predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        images = self.held_out.images
        chunks = [
            predict(self.trained.spec.apply(images[start : start + _CHUNK]))
            for start in range(0, len(images), _CHUNK)
        ]
        return np.concatenate(chunks)
