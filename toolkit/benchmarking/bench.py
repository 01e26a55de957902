"""Measures several model files side by side on this machine, and how they compare."""

from __future__ import annotations

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
from toolkit.benchmarking.scenarios import find, played
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
    from toolkit.benchmarking.scenarios import Played

_BATCH = 32  # images of a query, where the scenario leaves that open
METHOD = (
    "ratio: median over the turns of (median of the file / median of the baseline) in the same "
    "turn; interval: 95 %, from the order statistics of the turns (scipy.stats.quantile_test)"
)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to measure.

    Attributes:
        paths: model files and run folders; empty means the exports of the latest run.
        backend: an engine, ``auto`` (the preferred one), or ``all`` that are installed.
        engine: device and threads.
        baseline: a file that the others are compared with; None takes the first float32 one.
        seconds: of timing, per file and engine.
        peak: whether to measure what the machine can do.
        scenario: one of MLPerf's by name; None times one image at a time.
        batch: images of a query where the scenario leaves that open; None takes 32.
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
        """Images of one call."""
        if self.scenario is None:
            return 1
        return find(self.scenario).samples or self.batch or _BATCH


@dataclass(frozen=True, slots=True)
class Compared:
    """One file in one engine, beside the baseline.

    Attributes:
        result: what ``runtime bench`` would tell, as far as it was measured.
        ratio: its latency by that of the baseline; below 1 it is faster.
        interval: 95 % interval of the ratio; None with fewer than six turns.
        turns: how many were compared.
        is_baseline: whether it is the baseline itself.
        arithmetic: ``float32`` or ``int8``; None if it is neither, or not known.
        peaks: what the machine can do; None where it was not measured.
        played: what a scenario gave; None without one.
    """

    result: BenchResult
    ratio: float
    interval: tuple[float, float] | None
    turns: int
    is_baseline: bool
    arithmetic: str | None = None
    peaks: Peaks | None = None
    played: Played | None = None

    @property
    def share(self) -> float | None:
        """The share of the machine's peak, 0…1; None where it cannot be told."""
        return share_of_peak(self.result, self.arithmetic, self.peaks)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: those of ``runtime bench``, share, scenario and ratio."""
        return self.result.to_json() | {
            "arithmetic": self.arithmetic,
            "share_of_peak": None if self.share is None else round(self.share, 4),
            "peak": self.peaks.to_json() if self.peaks else None,
            "scenario": self.played.to_json() if self.played else None,
            "ratio": round(self.ratio, 4),
            "ratio_interval": None if self.interval is None else _rounded(self.interval),
            "ratio_turns": self.turns,
            "ratio_method": METHOD,
            "baseline": self.is_baseline,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All files beside each other.

    Attributes:
        entries: one a file and engine, in the order of the files.
        refused: files that an engine refuses, in words.
        peaks: what the machine can do; None where it was not measured.
    """

    entries: tuple[Compared, ...]
    refused: tuple[str, ...]
    peaks: Peaks | None

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON values: one object an entry."""
        return [entry.to_json() for entry in self.entries]


def compare_speed(options: CompareOptions, reporter: Reporter = SILENT) -> Comparison:
    """Time model files in turns in this process, and start each once in a fresh one.

    Args:
        options: which files, which engines.
        reporter: shows progress.

    Raises:
        InputError: there are no files, or the baseline is not among them.
        ArtifactError: a file is damaged.
        BackendError: no engine runs any of the files.
    """
    files, before = find_files(options), power_state()
    with ExitStack() as stack:
        opened, refused = _open_all(files, options, stack)
        base = _baseline(opened, options.baseline)
        reporter.say(timing_text(len(opened), options.seconds, options.samples))
        timed = measure_turns([_call(one, options.samples) for one in opened], options.seconds)
        fresh = _fresh(opened, options.engine, reporter)
        peaks = measure_peaks() if options.peak else None
        after = power_state()
        power = Power(before, after, risen(before, after))
        entries = [
            _compared(one, (turns, timed[base]), (start, power, peaks), options)
            for one, turns, start in zip(opened, timed, fresh, strict=True)
        ]
    entries[base] = replace(entries[base], interval=None, is_baseline=True)
    return Comparison(tuple(entries), refused, peaks)


def find_files(options: CompareOptions) -> tuple[Artifact, ...]:
    """Read the model files, in the order given; those of a run in the order of the formats.

    Raises:
        InputError: there are none.
        ArtifactError: one is damaged.
    """
    paths = list(options.paths) or [latest_run().path]
    files = [file for path in paths for file in _files_of(path)]
    if options.baseline is not None and options.baseline not in {file.path for file in files}:
        files.insert(0, artifacts.read(options.baseline))
    return tuple(files)


def timing_text(files: int, seconds: float, batch: int = 1) -> str:
    """Say how long it takes to time some files, of which each gets so many seconds."""
    what = "1 file" if files == 1 else f"{files} files in turns"
    size = "one image" if batch == 1 else f"{batch} images"
    return f"Timing {what}, {size} at a time: {files * seconds:.0f} s"


def ratio_interval(ratios: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of the median of paired ratios; None if they are too few.

    The interval lies between two of the ratios, whatever their distribution: how many of
    them are below the true median is binomial (Conover, Practical Nonparametric Statistics,
    3.2). It takes the turns as independent of each other.
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
    """Open each file in each engine that is asked for and takes such files."""
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


def _baseline(opened: Sequence[Classifier], asked: Path | None) -> int:
    """Return the index of the file that the others are compared with."""
    for index, one in enumerate(opened):
        if asked == one.artifact.path or (asked is None and _is_float32(one)):
            return index
    if asked is not None:
        raise InputError(f"no engine asked for runs the baseline {asked}")
    return 0


def _is_float32(classifier: Classifier) -> bool:
    manifest = classifier.artifact.manifest
    return manifest is not None and manifest.quantization.scheme == FLOAT32


def _call(classifier: Classifier, size: int) -> Callable[[], object]:
    """Return the call that ``runtime bench`` times too; grey images are as good as any."""
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
    turns: tuple[Turns, Turns],
    measured: tuple[Fresh, Power, Peaks | None],
    options: CompareOptions,
) -> Compared:
    """Put together what was measured of a file; ``turns`` are its own and the baseline's."""
    own, base = turns
    fresh, power, peaks = measured
    latency, samples = summary(own), options.samples
    timing = Timing(latency, samples * 1000 / latency.mean_ms, batch=samples)
    setting = Setting.of(classifier.artifact, classifier.backend, options.engine)
    result = BenchResult(setting, timing, fresh, power, options.seconds)
    one = Compared(
        result,
        *_ratio(own, base),
        is_baseline=False,
        arithmetic=arithmetic(classifier.artifact.manifest),
        peaks=peaks,
        played=played(find(options.scenario), samples, own) if options.scenario else None,
    )
    return replace(one, result=replace(result, notes=_notes(one, classifier)))


def _notes(one: Compared, classifier: Classifier) -> tuple[str, ...]:
    """Return what a reader has to know of a file; a scenario asks for its own percentile."""
    played = one.played
    found = [
        *classifier.notes,
        *remarks(one.result, classifier.backend, percentiles=played is None),
        share_note(one.result, one.arithmetic, one.peaks),
        *(one.peaks.problems if one.peaks else ()),
        played.note if played else None,
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
