"""Measurement of all model files on this machine, and the recommendation of one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from runtime.benchmark import Latency, measure_interleaved
from runtime.errors import BackendError, InputError
from runtime.host import Host, host
from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts
from runtime.workers.probe import peak_memory
from toolkit.benchmarking.bench import timing_text
from toolkit.parity.verify import VerifyOptions, verify
from toolkit.parity.words import unseen
from toolkit.progress import SILENT, Reporter
from toolkit.recommend import explanation
from toolkit.recommend.choice import Limits, Measured, judge, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runtime.backends import BackendOptions
    from runtime.model import Classifier
    from toolkit.parity import ArtifactParity, ParityReport
    from toolkit.trained_model import TrainedModel

_IMAGES = 32  # in turn, so that no engine gets the same input each time


@dataclass(frozen=True, slots=True)
class RecommendOptions:
    """What to measure, and the limits.

    Attributes:
        verify: which files, in which engines, on how many images.
        limits: besides the parity gate.
        seconds: of timing, per file and engine.

    Example:
        >>> RecommendOptions(limits=Limits(max_drop=0.5), seconds=0.2).limits.max_drop
        0.5
    """

    verify: VerifyOptions = field(default_factory=VerifyOptions)
    limits: Limits = field(default_factory=Limits)
    seconds: float = 0.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: no time is left for timing.
        """
        if not 0.0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be above 0, not {self.seconds:g}")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The recommended file, and what was measured.

    Attributes:
        chosen: one of the entries, or None if nothing passes.
        why: the reason; if nothing passes, what to do.
        notes: what is odd on this machine, and what the gate could not decide.
        entries: one per file and engine, in the order of the formats.
        machine: where it was measured.
        images: on how many test images the accuracies were counted.
        reference_accuracy: of the Keras model, 0…1.
        parity: the report of the gate that the entries come from.

    Example::

        recommendation = recommend(trained, RecommendOptions())
        print(recommendation.why)
    """

    chosen: Measured | None
    why: str
    notes: tuple[str, ...]
    entries: tuple[Measured, ...]
    machine: Host
    images: int
    reference_accuracy: float
    parity: ParityReport

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        one = self.chosen
        names = ("format", "path", "backend")
        return {
            "recommended": {name: getattr(one.parity, name) for name in names} if one else None,
            "why": self.why,
            "notes": list(self.notes),
            "artifacts": [entry.to_json() for entry in self.entries],
            "machine": asdict(self.machine),
            "images": self.images,
            "reference": {"accuracy": self.reference_accuracy},
        }


def recommend(
    trained: TrainedModel, options: RecommendOptions, reporter: Reporter = SILENT
) -> Recommendation:
    """Measure parity, latency, size and peak memory of model files, and choose one.

    Latencies are measured in turns, on one thread, with one test image at a time; memory
    is that of a fresh process.

    Args:
        trained: the Keras model and its test images.
        options: which files, which limits.
        reporter: shows progress.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
        DeviceUnavailableError: the device cannot be used.
        MissingDependencyError: no engine for a file is installed.

    Example::

        found = recommend(resolve(None, DataOptions()), RecommendOptions())
        print(found.chosen.parity.path if found.chosen else found.why)
    """
    report = verify(trained, options.verify, reporter)
    images = trained.dataset.x_test[:_IMAGES]
    measured, cpu_share = _measure(report.artifacts, images, options, reporter)
    entries = judge(measured, options.limits)
    chosen = pick(entries)
    return Recommendation(
        chosen,
        explanation.why(chosen, entries)
        if chosen
        else explanation.why_none(entries, options.limits),
        _gate_notes(report, chosen, options.limits) + explanation.notes(entries, cpu_share),
        entries,
        host(),
        report.images,
        report.reference_accuracy,
        report,
    )


def _gate_notes(report: ParityReport, chosen: Measured | None, limits: Limits) -> tuple[str, ...]:
    """Return the notes of the gate on the chosen file, and whether --max-drop is measurable."""
    found = list(report.notes)
    for entry in report.artifacts:
        if chosen and entry is chosen.parity:
            found += entry.notes
    if limits.max_drop is not None:
        found += unseen(report.images, (limits.max_drop,))
    return tuple(dict.fromkeys(found))


def _measure(
    parities: Sequence[ArtifactParity],
    images: NDArray[np.uint8],
    options: RecommendOptions,
    reporter: Reporter,
) -> tuple[list[Measured], float]:
    """Time all files that run, then measure the memory of each in a fresh process.

    Returns:
        One entry per parity, and the share of the processor that the timing got, about 1.
    """
    entries = [Measured(parity, Path(parity.path).stat().st_size) for parity in parities]
    running = [index for index, entry in enumerate(entries) if entry.parity.accuracy is not None]
    if not running:
        return entries, 1.0
    engine = options.verify.engine
    reporter.say(timing_text(len(running), options.seconds))
    timed, cpu_share = _latencies([entries[i] for i in running], images, engine, options.seconds)
    with reporter.task("peak memory", len(running)) as tick:
        for index, latency in zip(running, timed, strict=True):
            entries[index] = _with_memory(entries[index], latency, engine)
            tick(1)
    return entries, cpu_share


def _latencies(
    entries: Sequence[Measured], images: NDArray[np.uint8], engine: BackendOptions, seconds: float
) -> tuple[tuple[Latency, ...], float]:
    with ExitStack() as stack:
        runs = []
        for entry in entries:
            opened = open_silently(artifacts.read(entry.parity.path), entry.parity.backend, engine)
            runs.append(_one_image(stack.enter_context(opened), images))
        wall, cpu = perf_counter(), process_time()
        timed = measure_interleaved(runs, seconds)
        return timed, (process_time() - cpu) / (perf_counter() - wall)


def _one_image(classifier: Classifier, images: NDArray[np.uint8]) -> Callable[[], object]:
    """Return a call that classifies the next image, as a program with a camera does."""
    batches = cycle([images[index : index + 1] for index in range(len(images))])
    return lambda: classifier.predict_batch(next(batches))


def _with_memory(entry: Measured, latency: Latency, engine: BackendOptions) -> Measured:
    """Add what was measured; a file that fails in a fresh process gets a problem."""
    entry = replace(entry, latency_ms=round(latency.median_ms, 4))
    try:
        return replace(
            entry, peak_memory_mb=peak_memory(entry.parity.path, entry.parity.backend, engine)
        )
    except BackendError as error:
        return replace(entry, problem=str(error))
