"""Measures several model files side by side on this machine, and how they compare."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime import artifact as artifacts
from runtime.backends import AUTO, BackendOptions
from runtime.benchmark import Turns, measure_turns, summary
from runtime.benchmark.bench import settled
from runtime.benchmark.fresh import measure_fresh
from runtime.benchmark.networks import FLOAT32
from runtime.benchmark.notes import remarks
from runtime.benchmark.peak import measure_peaks
from runtime.benchmark.result import BenchResult, Power, Setting, Timing
from runtime.classifier import open_silently
from runtime.errors import BackendError, InputError, joined
from runtime.host import power_state, risen
from toolkit.engines import engines_for
from toolkit.exporting import read_exports
from toolkit.progress import SILENT, Reporter
from toolkit.runs import latest_run, open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from runtime.artifact import Artifact
    from runtime.benchmark.fresh import Fresh
    from runtime.benchmark.peak import Peaks
    from runtime.classifier import Classifier

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
    """

    paths: tuple[Path, ...] = ()
    backend: str = AUTO
    engine: BackendOptions = BackendOptions()
    baseline: Path | None = None
    seconds: float = 1.0
    peak: bool = True

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: no time is left for timing.
        """
        if not 0.0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be above 0, not {self.seconds:g}")


@dataclass(frozen=True, slots=True)
class Compared:
    """One file in one engine, beside the baseline.

    Attributes:
        result: what ``runtime bench`` would tell.
        ratio: its latency by that of the baseline; below 1 it is faster.
        interval: 95 % interval of the ratio; None with fewer than six turns.
        turns: how many were compared.
        is_baseline: whether it is the baseline itself.
    """

    result: BenchResult
    ratio: float
    interval: tuple[float, float] | None
    turns: int
    is_baseline: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: those of ``runtime bench``, and the ratio."""
        return self.result.to_json() | {
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
        reporter.say(timing_text(len(opened), options.seconds))
        timed = measure_turns([_one_image(one) for one in opened], options.seconds)
        fresh = _fresh(opened, options.engine, reporter)
        peaks = measure_peaks() if options.peak else None
        after = power_state()
        power = Power(before, after, risen(before, after))
        entries = [
            _compared(_result(one, turns, start, power, peaks, options), turns, timed[base])
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


def timing_text(files: int, seconds: float) -> str:
    """Say how long it takes to time some files, of which each gets so many seconds."""
    what = "1 file" if files == 1 else f"{files} files in turns"
    return f"Timing {what}, one image at a time: {files * seconds:.0f} s"


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


def _one_image(classifier: Classifier) -> Callable[[], object]:
    """Return the call that ``runtime bench`` times too; a grey image is as good as any."""
    run, spec = classifier.backend.run_images, classifier.spec
    pixels = np.full((1, *spec.shape), 127, np.uint8)
    return lambda: run(pixels, spec)


def _fresh(opened: Sequence[Classifier], engine: BackendOptions, reporter: Reporter) -> list[Fresh]:
    found = []
    with reporter.task("fresh processes", len(opened)) as tick:
        for one in opened:
            again, name = settled(one, engine), one.backend.name
            found.append(measure_fresh(one.artifact.path, name, again, processes=1))
            tick(1)
    return found


def _result(
    classifier: Classifier,
    turns: Turns,
    fresh: Fresh,
    power: Power,
    peaks: Peaks | None,
    options: CompareOptions,
) -> BenchResult:
    """Return what ``runtime bench`` would tell, as far as it was measured."""
    latency = summary(turns)
    setting = Setting.of(classifier.artifact, classifier.backend, options.engine)
    timing = Timing(latency, 1000 / latency.mean_ms)
    found = BenchResult(setting, timing, fresh, power, options.seconds, peaks)
    return replace(found, notes=(*classifier.notes, *remarks(found, classifier.backend)))


def _compared(result: BenchResult, turns: Turns, base: Turns) -> Compared:
    """Divide the medians of each turn by those of the baseline in the same turn."""
    ratios = np.array(
        [np.median(own) / np.median(other) for own, other in zip(turns, base, strict=True)]
    )
    return Compared(
        result, float(np.median(ratios)), ratio_interval(ratios), len(ratios), is_baseline=False
    )


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 4) for end in interval]
