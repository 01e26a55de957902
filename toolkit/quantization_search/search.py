"""The search for settings of one format: what is tried, in which order, and when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from exporters.calibration import CalibrationOptions
from runtime.benchmark import measure_interleaved
from runtime.terminal.silence import silenced
from toolkit.export.export import draw_calibration
from toolkit.quantization_search.attempts import Attempt, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporters.base import Exporter
    from exporters.quantization_options import QuantizationOptions
    from exporters.request import ExportRequest
    from runtime.modelfile.artifact import Artifact
    from toolkit.diagnosis import LayerDiagnosis
    from toolkit.inspection import GraphView
    from toolkit.parity.metrics import Metrics
    from toolkit.quantization_search.judge import Mender

_SAMPLES = (128, 2048)  # calibration images that are tried besides what was asked for
_SECONDS = 0.3  # of timing, a file
_DIAGNOSED = 64  # images on which layers are ranked


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in memory, with the request it was made from and what was measured."""

    request: ExportRequest
    draft: Artifact
    attempt: Attempt
    numbers: Metrics


@dataclass
class Search:
    """The search for one format; stops at the first candidate that passes."""

    mender: Mender
    exporter: Exporter
    attempts: list[Attempt] = field(default_factory=list)
    plain: Candidate | None = None
    nearest: Candidate | None = None
    original: GraphView | None = None

    def run(self, request: ExportRequest) -> Candidate | None:
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

    def _in_float(self) -> Candidate | None:
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

    def _bases(self) -> list[Candidate]:
        """Return the nearest candidate and the plain one, or the one that is both."""
        found = (self.nearest, self.plain)
        return list({id(one): one for one in found if one is not None}.values())

    def _first_passing(
        self, bases: list[tuple[Candidate, list[LayerDiagnosis]]], count: int
    ) -> Candidate | None:
        for base, layers in bases:
            candidate = self._try_float(base, layers[:count])
            if candidate.attempt.passes:
                return candidate
        return None

    def _worst_first(self, base: Candidate) -> list[LayerDiagnosis]:
        """Return the layers whose quantization does harm, the worst first."""
        from toolkit.diagnosis import diagnose
        from toolkit.inspection import view
        from toolkit.parity.reference import float_view

        suffix = self.exporter.suffix
        self.original = self.original or float_view(self.mender.subject.graphs, suffix)
        with silenced():
            found = diagnose(
                view(base.draft.data, suffix), self.original, self.mender.sample(_DIAGNOSED)
            )
        return [one for one in found.layers if math.isfinite(one.own_sqnr)]

    def _try_float(self, base: Candidate, layers: Sequence[LayerDiagnosis]) -> Candidate:
        what = f"{base.attempt.what} + {len(layers)} in float"
        keys = tuple(layer.key for layer in layers)
        request = _requantized(base.request, float_layers=keys)
        return self._try(what, request, tuple(layer.name for layer in layers))

    def _try(
        self, what: str, request: ExportRequest, float_layers: tuple[str, ...] = ()
    ) -> Candidate:
        """Make a file in memory, measure it, and report it."""
        draft = self.exporter.draft(request)
        plain = self.plain.draft if self.plain else draft
        with self.exporter.open(draft) as backend, self.exporter.open(plain) as reference:
            found, reasons = self.mender.judge(self.exporter, backend)
            pixels, spec = self.mender.held_out.images[:1], self.mender.subject.spec
            latency, plainly = measure_interleaved(
                tuple(partial(one.run_images, pixels, spec) for one in (backend, reference)),
                _SECONDS,
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
        return self._note(Candidate(request, draft, attempt, found))

    def _note(self, candidate: Candidate) -> Candidate:
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
