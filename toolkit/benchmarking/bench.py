"""Measures several model files on this machine and compares them turn by turn."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import AUTO, BackendOptions
from runtime.benchmark import Turns, measure_turns, summary
from runtime.benchmark.bench import settled
from runtime.benchmark.fresh import measure_fresh
from runtime.benchmark.notes import remarks
from runtime.benchmark.result import BenchResult, Power, Setting, Timing
from runtime.errors import BackendError, InputError, joined
from runtime.host import power_state, risen
from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts
from toolkit.benchmarking.peak import arithmetic, measure_peaks, share_note, share_of_peak
from toolkit.benchmarking.peak_networks import FLOAT32
from toolkit.benchmarking.scenarios import evaluate, find
from toolkit.engines import engines_for
from toolkit.export.export import read_exports
from toolkit.progress import SILENT, Reporter
from toolkit.runs.run import latest_run, open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from runtime.benchmark.fresh import Fresh
    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact
    from toolkit.benchmarking.peak import Peaks
    from toolkit.benchmarking.scenarios import ScenarioResult

_LOG = logging.getLogger("toolkit")
_BATCH = 32  # images per query, if the scenario leaves that open
METHOD = (
    "ratio: median over the turns of (median of the file / median of the baseline) in the same "
    "turn; interval: 95 %, from the order statistics of the turns (scipy.stats.quantile_test)"
)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Files, engines and settings of a comparison.

    Attributes:
        paths: model files and run folders; empty means the exports of the latest run.
        backend: an engine, ``auto`` (the preferred one), or ``all`` that are installed.
        engine: device and threads.
        baseline: the file that the others are compared with; None takes the first float32 one.
        seconds: of timing, per file and engine.
        peak: whether to measure the peak of the machine.
        scenario: one of MLPerf's by name; None times one image at a time.
        batch: images per query if the scenario leaves that open; None takes 32.

    Example:
        >>> CompareOptions(scenario="multi-stream").samples
        8
        >>> CompareOptions(batch=16)
        Traceback (most recent call last):
        runtime.errors.InputError: --batch is for --scenario offline; everything else has...
    """

    paths: tuple[Path, ...] = ()
    backend: str = AUTO
    engine: BackendOptions = BackendOptions()
    baseline: Path | None = None
    seconds: float = 1.0
    peak: bool = True
    scenario: str | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such scenario.
            InputError: no time is left for timing, or the batch is out of its range or not
                for this scenario.
        """
        if not 0.0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be above 0, not {self.seconds:g}")
        own = self.scenario is None or find(self.scenario).samples is not None
        if self.batch is not None and own:
            raise InputError("--batch is for --scenario offline; everything else has its own batch")
        if self.batch is not None and self.batch < 1:
            raise InputError(f"--batch must be at least 1, not {self.batch}")

    @property
    def samples(self) -> int:
        """Images per call."""
        if self.scenario is None:
            return 1
        return find(self.scenario).samples or self.batch or _BATCH


@dataclass(frozen=True, slots=True)
class Compared:
    """One file in one engine, compared with the baseline.

    Attributes:
        result: that of ``runtime bench``, as far as it was measured.
        ratio: its latency divided by that of the baseline; below 1 it is faster.
        interval: 95 % interval of the ratio; None with fewer than six turns.
        turns: number of compared turns.
        is_baseline: whether it is the baseline itself.
        arithmetic: ``float32`` or ``int8``; None if it is neither, or not known.
        peaks: peak of the machine; None if it was not measured.
        scenario: result of the scenario; None without one.

    Example::

        for entry in compare_speed(CompareOptions(paths)).entries:
            print(entry.result.setting.path, entry.ratio, entry.interval)
    """

    result: BenchResult
    ratio: float
    interval: tuple[float, float] | None
    turns: int
    is_baseline: bool
    arithmetic: str | None = None
    peaks: Peaks | None = None
    scenario: ScenarioResult | None = None

    @property
    def share(self) -> float | None:
        """The share of the machine's peak, 0…1; None if it cannot be computed."""
        return share_of_peak(self.result, self.arithmetic, self.peaks)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: those of ``runtime bench``, share, scenario and ratio."""
        return self.result.to_json() | {
            "arithmetic": self.arithmetic,
            "share_of_peak": None if self.share is None else round(self.share, 4),
            "peak": self.peaks.to_json() if self.peaks else None,
            "scenario": self.scenario.to_json() if self.scenario else None,
            "ratio": round(self.ratio, 4),
            "ratio_interval": None if self.interval is None else _rounded(self.interval),
            "ratio_turns": self.turns,
            "ratio_method": METHOD,
            "baseline": self.is_baseline,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        entries: one per file and engine, in the order of the files.
        refused: files that an engine refuses, with the reason, as text.
        peaks: peak of the machine; None if it was not measured.

    Example::

        comparison = compare_speed(CompareOptions(paths))
        fastest = min(comparison.entries, key=lambda entry: entry.ratio)
    """

    entries: tuple[Compared, ...]
    refused: tuple[str, ...]
    peaks: Peaks | None

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON values: one object per entry."""
        return [entry.to_json() for entry in self.entries]


def compare_speed(options: CompareOptions, reporter: Reporter = SILENT) -> Comparison:
    """Time model files in turns in this process, and start each once in a fresh process.

    Args:
        options: files, engines and settings.
        reporter: receives the progress.

    Raises:
        InputError: there are no files, or the baseline is not among them.
        ArtifactError: a file is damaged.
        BackendError: no engine runs any of the files.

    Example::

        options = CompareOptions((Path("a.tflite"), Path("b.int8.tflite")), seconds=0.5)
        comparison = compare_speed(options)
    """
    files, before = find_files(options), power_state()
    with ExitStack() as stack:
        opened, refused = _open_all(files, options, stack)
        base = _baseline(opened, options.baseline)
        reporter.say(timing_text(len(opened), options.seconds, options.samples))
        _LOG.debug("baseline of %d: %s", len(opened), opened[base].artifact.path)
        timed = measure_turns([_call(one, options.samples) for one in opened], options.seconds)
        fresh = _fresh(opened, options.engine, reporter)
        peaks = measure_peaks() if options.peak else None
        after = power_state()
        power = Power(before, after, risen(before, after))
        entries = [
            _compared(one, turns, timed[base], start, power, peaks, options)
            for one, turns, start in zip(opened, timed, fresh, strict=True)
        ]
    entries[base] = replace(entries[base], interval=None, is_baseline=True)
    return Comparison(tuple(entries), refused, peaks)


def find_files(options: CompareOptions) -> tuple[Artifact, ...]:
    """Read the model files, in the order of the options; those of a run by format.

    Raises:
        InputError: there are none.
        ArtifactError: one is damaged.

    Example::

        files = find_files(CompareOptions((Path("runs/latest"),)))
    """
    paths = list(options.paths) or [latest_run().path]
    files = [file for path in paths for file in _files_of(path)]
    if options.baseline is not None and options.baseline not in {file.path for file in files}:
        files.insert(0, artifacts.read(options.baseline))
    return tuple(files)


def timing_text(files: int, seconds: float, batch: int = 1) -> str:
    """Return the remark on the duration of a measurement.

    Args:
        files: number of files.
        seconds: of timing, per file.
        batch: images per call.

    Example:
        >>> timing_text(3, 1.0)
        'Timing 3 files in turns, one image at a time: 3 s'
    """
    what = "1 file" if files == 1 else f"{files} files in turns"
    size = "one image" if batch == 1 else f"{batch} images"
    return f"Timing {what}, {size} at a time: {files * seconds:.0f} s"


def ratio_interval(ratios: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of the median of paired ratios; None if they are too few.

    The interval lies between two of the ratios, whatever their distribution: how many of
    them are below the true median is binomial (Conover, Practical Nonparametric Statistics,
    3.2). It assumes that the turns are independent of each other.

    Example::

        ratio_interval(np.array([0.49, 0.50, 0.50, 0.51, 0.52, 0.53]))  # (0.49, 0.53)
    """
    from scipy.stats import quantile_test

    found = quantile_test(ratios, p=0.5).confidence_interval(0.95)
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else None


def _files_of(path: Path) -> tuple[Artifact, ...]:
    """Return a model file, or the exports of a run folder."""
    if not path.is_dir():
        return (artifacts.read(path),)
    return read_exports(open_run(path).exports)


def _open_all(
    files: Sequence[Artifact], options: CompareOptions, stack: ExitStack
) -> tuple[list[Classifier], tuple[str, ...]]:
    """Open each file in each requested engine that takes such files."""
    opened: list[Classifier] = []
    refused: list[BackendError] = []
    for file in files:
        for name in engines_for(file, options.backend):
            try:
                one = open_silently(file, name, options.engine)
            except BackendError as error:
                refused.append(error)
                continue
            opened.append(stack.enter_context(one))
    if not opened:
        raise joined(refused)
    return opened, tuple(map(str, refused))


def _baseline(opened: Sequence[Classifier], requested: Path | None) -> int:
    """Return the index of the file that the others are compared with."""
    for index, one in enumerate(opened):
        if requested == one.artifact.path or (requested is None and _is_float32(one)):
            return index
    if requested is not None:
        raise InputError(f"no requested engine runs the baseline {requested}")
    return 0


def _is_float32(classifier: Classifier) -> bool:
    manifest = classifier.artifact.manifest
    return manifest is not None and manifest.quantization.scheme == FLOAT32


def _call(classifier: Classifier, size: int) -> Callable[[], object]:
    """Return the call that ``runtime bench`` also times; the pixels do not matter."""
    run, spec = classifier.backend.run_images, classifier.spec
    pixels = np.full((size, *spec.shape), 127, np.uint8)
    return lambda: run(pixels, spec)


def _fresh(opened: Sequence[Classifier], engine: BackendOptions, reporter: Reporter) -> list[Fresh]:
    found = []
    with reporter.task("fresh processes", len(opened)) as tick:
        for one in opened:
            again, name = settled(one, engine), one.backend.name
            found.append(measure_fresh(one.artifact.path, name, again, processes=1))
            tick(1)
    return found


def _compared(
    classifier: Classifier,
    turns: Turns,
    base: Turns,
    fresh: Fresh,
    power: Power,
    peaks: Peaks | None,
    options: CompareOptions,
) -> Compared:
    """Combine the measurements of a file; ``base`` are the turns of the baseline."""
    latency, samples = summary(turns), options.samples
    timing = Timing(latency, samples * 1000 / latency.mean_ms, batch=samples)
    setting = Setting.of(classifier.artifact, classifier.backend, options.engine)
    result = BenchResult(setting, timing, fresh, power, options.seconds)
    one = Compared(
        result,
        *_ratio(turns, base),
        is_baseline=False,
        arithmetic=arithmetic(classifier.artifact.manifest),
        peaks=peaks,
        scenario=evaluate(find(options.scenario), samples, turns) if options.scenario else None,
    )
    return replace(one, result=replace(result, notes=_notes(one, classifier)))


def _notes(one: Compared, classifier: Classifier) -> tuple[str, ...]:
    """Return the remarks on a file; a scenario has a percentile of its own."""
    scenario = one.scenario
    found = [
        *classifier.notes,
        *remarks(one.result, classifier.backend, percentiles=scenario is None),
        share_note(one.result, one.arithmetic, one.peaks),
        *(one.peaks.problems if one.peaks else ()),
        scenario.note if scenario else None,
    ]
    return tuple(note for note in found if note)


def _ratio(turns: Turns, base: Turns) -> tuple[float, tuple[float, float] | None, int]:
    """Divide the medians of each turn by those of the baseline in the same turn."""
    ratios = np.array(
        [np.median(own) / np.median(other) for own, other in zip(turns, base, strict=True)]
    )
    return float(np.median(ratios)), ratio_interval(ratios), len(ratios)


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in interval]
