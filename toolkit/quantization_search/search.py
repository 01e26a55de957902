"""The search for settings that keep the accuracy: calibration first, then layers in float."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from exporters.calibration import CalibrationOptions
from exporters.check import Checked
from runtime.benchmark import measure_interleaved
from runtime.errors import InputError, ParityError
from runtime.terminal.silence import silenced
from toolkit.export.attempts import HEADING, Attempt, SearchRecord, best, failure
from toolkit.export.export import Exported, each, select
from toolkit.export.request import build_request, draw_calibration
from toolkit.progress import SILENT
from toolkit.quantization_search.judge import Judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporters.base import Exporter
    from exporters.quantization_options import QuantizationOptions
    from exporters.request import ExportRequest
    from runtime.modelfile.artifact import Artifact
    from toolkit.diagnosis import LayerDiagnosis
    from toolkit.export.request import ExportOptions
    from toolkit.inspection import GraphView
    from toolkit.parity.metrics import Metrics
    from toolkit.progress import Reporter
    from toolkit.trained_model import TrainedModel

_SAMPLES = (128, 2048)  # calibration images that are tried besides the requested number
_SECONDS = 0.3  # of timing, per file
_DIAGNOSED = 64  # images on which layers are ranked


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to write, and how good it has to be.

    Attributes:
        export: what to write.
        max_drop: highest loss of accuracy on the validation images, in points.

    Example:
        >>> from toolkit.export.request import ExportOptions
        >>> SearchOptions(ExportOptions(("tflite-int8",)), max_drop=0.5).max_drop
        0.5
    """

    export: ExportOptions
    max_drop: float

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: the drop is out of its range, or combined with ``force``.
        """
        if not 0.0 <= self.max_drop <= 100.0:
            raise InputError(
                f"--max-drop is in points of accuracy, 0…100, not {self.max_drop:g}; "
                "0.5 is half a point"
            )
        if self.export.force:
            raise InputError("--force writes what fails, --max-drop only what passes: choose one")


def export_within(
    trained: TrainedModel, options: SearchOptions, reporter: Reporter = SILENT
) -> Iterator[Exported]:
    """Write one artifact per format, each with settings that keep the accuracy.

    Args:
        trained: the model with its data.
        options: what to write, and the limit.
        reporter: gets a line per attempt.

    Yields:
        What became of each format; one that fails does not stop the others.

    Raises:
        UnknownNameError: no such format; nothing has been written then.
        DataError: there are too few images to judge on.

    Example::

        options = SearchOptions(ExportOptions(("tflite-int8", "onnx-int8")), max_drop=0.5)
        for one in export_within(trained, options):
            print(one.format, one.error or one.artifact.path)
    """
    exporters, judge = select(options.export.formats), Judge(trained, options.max_drop)
    if judge.held_out.remark:
        reporter.say(judge.held_out.remark)
    write = partial(search, judge, options=options.export, reporter=reporter)
    yield from each(exporters, write, reporter)


def search(
    judge: Judge, exporter: Exporter, options: ExportOptions, reporter: Reporter = SILENT
) -> Exported:
    """Try settings until one passes, and write that file.

    Args:
        judge: measures files, and knows the limits.
        exporter: of the format.
        options: what to write.
        reporter: gets a line per attempt.

    Raises:
        ParityError: no settings pass.
        ExportError: the model cannot be converted.

    Example::

        exporter = formats.registry()["tflite-int8"]()
        result = search(Judge(trained, max_drop=0.5), exporter, ExportOptions(("tflite-int8",)))
        print(result.search)
    """
    request = build_request(judge.trained, options, calibrate=exporter.needs_calibration)
    granularity = "" if request.quantization.per_channel else ", per-tensor weights"
    reporter.say(
        f"{exporter.name}{granularity}: at most {judge.max_drop:g} points of accuracy on "
        f"{judge.dataset}\n{HEADING}"
    )
    tried = Search(judge, exporter, reporter)
    found = tried.run(request)
    attempts = tuple(tried.attempts)
    if found is None:
        raise ParityError(failure(exporter.name, judge.max_drop, judge.dataset, attempts))
    images, dataset = len(judge.held_out.truth), judge.held_out.dataset
    # The search decides, not the few images of a plain export.
    checked = Checked(found.numbers.as_accuracy(dataset), None)
    artifact = exporter.write(found.request, found.draft, checked)
    record = SearchRecord(exporter.name, judge.max_drop, dataset, images, attempts, found.attempt)
    return Exported(exporter.name, artifact, record)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in memory, with the request it was made from and what was measured.

    Attributes:
        request: what the exporter was called with.
        draft: the file.
        attempt: its record.
        numbers: its metrics on the validation images.

    Example::

        candidate = Search(judge, exporter).run(request)
        size = len(candidate.draft.data) if candidate else None
    """

    request: ExportRequest
    draft: Artifact
    attempt: Attempt
    numbers: Metrics


@dataclass
class Search:
    """The search for one format; stops at the first candidate that passes.

    Attributes:
        judge: measures files, and knows the limits.
        exporter: of the format.
        reporter: gets a line per attempt.
        attempts: all of them so far.
        plain: the candidate with the requested settings.
        nearest: the best candidate so far.
        original: the float graph; read once layers are ranked.

    Example::

        tried = Search(judge, exporter)
        candidate = tried.run(build_request(judge.trained, options, calibrate=True))
        print(len(tried.attempts), "attempts")
    """

    judge: Judge
    exporter: Exporter
    reporter: Reporter = SILENT
    attempts: list[Attempt] = field(default_factory=list)
    plain: Candidate | None = None
    nearest: Candidate | None = None
    original: GraphView | None = None

    def run(self, request: ExportRequest) -> Candidate | None:
        """Return the first candidate that passes, or None.

        Example::

            candidate = Search(judge, exporter).run(request)
        """
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
            calibration = draw_calibration(self.judge.trained, options)
            if (count := calibration.record.samples) not in drawn:
                drawn.add(count)
                yield f"{count:,} images", replace(request, calibration=calibration)
        for method in self.exporter.methods:
            if method != request.quantization.method:
                yield method, _requantized(request, method=method)

    def _in_float(self) -> Candidate | None:
        """Leave the worst layers in float, as few as needed.

        Both the nearest candidate and the plain one are tried as a base: a clipping method
        may have been the nearest only because of a layer that is now in float. The
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
        """Return the layers whose quantization adds noise, the worst first."""
        from toolkit.diagnosis import diagnose
        from toolkit.inspection import view
        from toolkit.inspection.float_view import float_view

        suffix = self.exporter.suffix
        self.original = self.original or float_view(self.judge.trained.graphs, suffix)
        with silenced():
            found = diagnose(
                view(base.draft.data, suffix), self.original, self.judge.sample(_DIAGNOSED)
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
            found, reasons = self.judge(self.exporter, backend)
            pixels, spec = self.judge.held_out.images[:1], self.judge.trained.spec
            latency, plain_latency = measure_interleaved(
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
            latency_ratio=(
                latency.median_ms / plain_latency.median_ms if draft is not plain else 1.0
            ),
            samples=calibration.samples if calibration else None,
            method=request.quantization.method if calibration else None,
            per_channel=request.quantization.per_channel,
            float_layers=float_layers,
        )
        return self._note(Candidate(request, draft, attempt, found))

    def _note(self, candidate: Candidate) -> Candidate:
        self.attempts.append(candidate.attempt)
        self.reporter.say(str(candidate.attempt))
        self.plain = self.plain or candidate
        if self.nearest is None or candidate.attempt is best(
            (self.nearest.attempt, candidate.attempt), self.judge.max_drop
        ):
            self.nearest = candidate
        return candidate


def _requantized(
    request: ExportRequest, *, method: str | None = None, float_layers: tuple[str, ...] = ()
) -> ExportRequest:
    options: QuantizationOptions = request.quantization
    changed = replace(options, method=method or options.method, float_layers=float_layers)
    return replace(request, quantization=changed)
