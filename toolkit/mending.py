"""Searches for quantization settings that keep the accuracy: calibration first, then floats."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from exporters.calibration import CalibrationOptions
from exporters.check import probabilities
from runtime.benchmark import measure_interleaved
from runtime.errors import ParityError
from runtime.quiet import silenced
from toolkit.attempts import HEADING, Attempt, Mending, best, failure, points
from toolkit.exporting import build_request, draw_calibration
from toolkit.held_out import hold_out
from toolkit.parity import words
from toolkit.parity.metrics import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from exporters.base import Exporter, ExportRequest
    from exporters.quantization import QuantizationOptions
    from runtime.artifact import Artifact
    from runtime.backends import Backend
    from toolkit.diagnosis import LayerDiagnosis
    from toolkit.exporting import ExportOptions
    from toolkit.parity.metrics import Metrics
    from toolkit.progress import Reporter
    from toolkit.subject import Subject

_SAMPLES = (128, 2048)  # calibration images that are tried besides what was asked for
_CHUNK = 500  # images in memory as float32
_SECONDS = 0.3  # of timing, a file
_DIAGNOSED = 64  # images on which layers are ranked


class Mender:
    """Finds, for one model, the files that lose no more than a limit."""

    def __init__(self, subject: Subject, options: ExportOptions, reporter: Reporter) -> None:
        """Set the validation images aside and ask Keras about them.

        Args:
            subject: the model with its data.
            options: what to write; ``max_drop`` is the limit, 0 if it is None.
            reporter: told about every attempt.

        Raises:
            DataError: there are too few images.
        """
        self.held_out, self.subject = hold_out(subject)
        self.options, self.reporter = options, reporter
        self.max_drop = options.max_drop or 0.0
        self._expected = self._in_chunks(subject.source.predict)
        if self.held_out.remark:
            reporter.say(self.held_out.remark)

    @property
    def dataset(self) -> str:
        """The validation images in words."""
        return f"{len(self.held_out.truth):,} {self.held_out.dataset}"

    def mend(self, exporter: Exporter) -> tuple[Artifact, Mending]:
        """Try settings until one passes, and write that file.

        Returns:
            The file as it was read back from disk, and what was tried.

        Raises:
            ParityError: nothing helps, or the check on test images refuses the file.
            ExportError: the model cannot be converted.
        """
        request = build_request(self.subject, self.options, calibrate=exporter.needs_calibration)
        grain = "" if request.quantization.per_channel else ", one scale a layer's weights"
        self.reporter.say(
            f"{exporter.name}{grain}: at most {self.max_drop:g} points of accuracy on "
            f"{self.dataset}\n{HEADING}"
        )
        search = _Search(self, exporter)
        found = search.run(request)
        attempts = tuple(search.attempts)
        if found is None:
            raise ParityError(failure(exporter.name, self.max_drop, self.dataset, attempts))
        artifact = exporter.write(found.request, found.draft)
        images, dataset = len(self.held_out.truth), self.held_out.dataset
        return artifact, Mending(
            exporter.name, self.max_drop, dataset, images, attempts, found.attempt
        )

    def judge(self, exporter: Exporter, backend: Backend) -> tuple[Metrics, tuple[str, ...]]:
        """Measure an open file on the validation images.

        Returns:
            The numbers, and what is beyond the limits, in words. A loss counts even where
            chance alone would explain it: a search finds such luck, in both directions.

        Raises:
            ParityError: the answers are not finite.
        """
        source = self.subject.source
        answers = self._in_chunks(lambda batch: probabilities(backend, source, batch))
        budget = replace(exporter.budget, max_drop=100.0)  # the drop is judged below
        found = measure(
            self._expected, answers, self.held_out.truth, self.subject.labels, budget.tie_margin
        )
        reasons = words.reasons(found, budget)
        drop = -100 * found.accuracy_delta
        if drop > self.max_drop + 1e-9:
            reasons = (f"{points(drop)} points lost (limit {self.max_drop:g})", *reasons)
        return found, reasons

    def sample(self, count: int) -> NDArray[np.float32]:
        """Return some validation images in model units, spread over all of them."""
        chosen = np.linspace(0, len(self.held_out.truth) - 1, count).round().astype(np.int64)
        return self.subject.spec.apply(self.held_out.images[np.unique(chosen)])

    def _in_chunks(
        self, answer: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        images = self.held_out.images
        parts = [
            answer(self.subject.spec.apply(images[start : start + _CHUNK]))
            for start in range(0, len(images), _CHUNK)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file in memory, with the request it was made from and what was measured."""

    request: ExportRequest
    draft: Artifact
    attempt: Attempt


@dataclass
class _Search:
    """The search for one format; stops at the first candidate that passes."""

    mender: Mender
    exporter: Exporter
    attempts: list[Attempt] = field(default_factory=list)
    plain: _Candidate | None = None
    nearest: _Candidate | None = None

    def run(self, request: ExportRequest) -> _Candidate | None:
        """Return the first candidate that passes, or None."""
        for what, changed in self._settings(request):
            candidate = self._try(what, changed)
            if candidate.attempt.passes:
                return candidate
        return self._in_float() if self.exporter.mixed else None

    def _settings(self, request: ExportRequest) -> Iterator[tuple[str, ExportRequest]]:
        """Yield the plain request, then other numbers of images, then other methods."""
        yield "plain", request
        if request.calibration is None or len(self.exporter.methods) < 2:
            return
        drawn = {request.calibration.record.samples}
        for samples in _SAMPLES:
            options = CalibrationOptions(samples, request.calibration.record.seed)
            calibration = draw_calibration(self.mender.subject, options)
            if (count := calibration.record.samples) not in drawn:
                drawn.add(count)
                yield f"{count:,} images", replace(request, calibration=calibration)
        for method in self.exporter.methods:
            if method != request.quantization.method:
                yield method, _requantized(request, method=method)

    def _in_float(self) -> _Candidate | None:
        """Leave the worst layers in float, as few as needed.

        Both the nearest candidate and the plain one are tried as a base: a method that
        clips may have been the nearest only because of a layer that is now in float. The
        number of layers is doubled until a file passes, then bisected; at least one layer
        stays quantized.
        """
        bases = [(base, self._worst_first(base)) for base in self._bases()]
        most = min(len(layers) for _, layers in bases) - 1
        failing, found = 0, None
        while found is None and failing < most:
            count = min(max(1, 2 * failing), most)
            found = self._first_passing(bases, count)
            failing = failing if found else count
        while found is not None and len(found.attempt.float_layers) - failing > 1:
            count = (len(found.attempt.float_layers) + failing) // 2
            fewer = self._first_passing(bases, count)
            found, failing = fewer or found, failing if fewer else count
        return found

    def _bases(self) -> list[_Candidate]:
        """Return the nearest candidate and the plain one, or the one that is both."""
        found = (self.nearest, self.plain)
        return list({id(one): one for one in found if one is not None}.values())

    def _first_passing(
        self, bases: list[tuple[_Candidate, list[LayerDiagnosis]]], count: int
    ) -> _Candidate | None:
        for base, layers in bases:
            candidate = self._try_float(base, layers[:count])
            if candidate.attempt.passes:
                return candidate
        return None

    def _worst_first(self, base: _Candidate) -> list[LayerDiagnosis]:
        """Return the layers whose quantization does harm, the worst first."""
        from toolkit.diagnosis import diagnose
        from toolkit.inspection import view

        source = self.mender.subject.source
        onnx = self.exporter.suffix == ".onnx"
        original = source.onnx_prepared.SerializeToString() if onnx else source.tflite_graph
        with silenced():
            found = diagnose(
                view(base.draft.data, self.exporter.suffix),
                view(original, self.exporter.suffix),
                self.mender.sample(_DIAGNOSED),
            )
        return [one for one in found.layers if math.isfinite(one.own_sqnr)]

    def _try_float(self, base: _Candidate, layers: Sequence[LayerDiagnosis]) -> _Candidate:
        what = f"{base.attempt.what} + {len(layers)} in float"
        keys = tuple(layer.key for layer in layers)
        request = _requantized(base.request, float_layers=keys)
        return self._try(what, request, tuple(layer.name for layer in layers))

    def _try(
        self, what: str, request: ExportRequest, float_layers: tuple[str, ...] = ()
    ) -> _Candidate:
        """Make a file in memory, measure it, and report it."""
        draft = self.exporter.draft(request)
        plain = self.plain.draft if self.plain else draft
        with self.exporter.open(draft) as backend, self.exporter.open(plain) as reference:
            found, reasons = self.mender.judge(self.exporter, backend)
            image = self.mender.sample(1)
            latency, plainly = measure_interleaved(
                (lambda: backend.run(image), lambda: reference.run(image)), _SECONDS
            )
        calibration = request.calibration.record if request.calibration else None
        attempt = Attempt(
            what=what,
            accuracy_drop=-100 * found.accuracy_delta,
            agreement=found.agreement,
            max_abs_error=found.max_abs_error,
            passes=not reasons,
            reasons=reasons,
            bytes=len(draft.data),
            latency_ms=latency.median_ms,
            latency_ratio=latency.median_ms / plainly.median_ms if draft is not plain else 1.0,
            samples=calibration.samples if calibration else None,
            method=request.quantization.method if calibration else None,
            per_channel=request.quantization.per_channel,
            float_layers=float_layers,
        )
        return self._note(_Candidate(request, draft, attempt))

    def _note(self, candidate: _Candidate) -> _Candidate:
        self.attempts.append(candidate.attempt)
        self.mender.reporter.say(str(candidate.attempt))
        self.plain = self.plain or candidate
        if self.nearest is None or candidate.attempt is best(
            (self.nearest.attempt, candidate.attempt), self.mender.max_drop
        ):
            self.nearest = candidate
        return candidate


def _requantized(
    request: ExportRequest, *, method: str | None = None, float_layers: tuple[str, ...] = ()
) -> ExportRequest:
    options: QuantizationOptions = request.quantization
    changed = replace(options, method=method or options.method, float_layers=float_layers)
    return replace(request, quantization=changed)
