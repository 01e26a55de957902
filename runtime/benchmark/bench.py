"""Measures one model file on this machine: what ``runtime bench`` does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runtime.backends import AUTO, BackendOptions
from runtime.benchmark.fresh import measure_fresh
from runtime.benchmark.latency import measure_interleaved
from runtime.benchmark.notes import remarks
from runtime.benchmark.picture import picture, read_one
from runtime.benchmark.result import BenchResult, Power, Setting, Timing
from runtime.benchmark.throughput import measure_throughput
from runtime.errors import InputError
from runtime.host import host, power_state, risen
from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.benchmark.picture import Picture
    from runtime.model import Classifier

BATCHES = (1, 8, 32)
START_SECONDS = 0.6  # of a fresh process, on a workstation
_PART = 4  # each cell of the throughput table takes this part of the seconds


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure.

    Attributes:
        backend: an engine, or ``auto``.
        engine: device, and the threads of the latency.
        threads: of the throughput; empty means those of ``engine`` and all cores.
        batches: images in one call.
        seconds: of timing, for each thing that is timed.
        image: an image file to preprocess; None draws one.
    """

    backend: str = AUTO
    engine: BackendOptions = BackendOptions()
    threads: tuple[int, ...] = ()
    batches: tuple[int, ...] = BATCHES
    seconds: float = 2.0
    image: Path | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a number is out of its range.
        """
        if not 0.0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be above 0, not {self.seconds:g}")
        if not self.batches or min(self.batches) < 1:
            raise InputError("--batch takes numbers from 1 up, like 1,8,32")
        if self.threads and min(self.threads) < 1:
            raise InputError(f"threads must be at least 1, not {min(self.threads)}")

    @property
    def expected_seconds(self) -> float:
        """About how long it takes here; a slow device needs more for its fresh processes."""
        cells = len(self.batches) * len(_threads(self.engine, self))
        return 3 * START_SECONDS + self.seconds * (2 + cells / _PART)


def bench(path: Path, options: BenchOptions) -> BenchResult:
    """Measure a model file.

    Load time, first prediction and memory are those of fresh processes; all other times
    are taken in this one, warm.

    Args:
        path: a model file.
        options: what to measure.

    Raises:
        InputError: no such file, or an image that cannot be used.
        ArtifactError: the file is damaged.
        MissingDependencyError: no engine for it is installed.
        BackendError: the engine is broken or refuses the file.
        DeviceUnavailableError: the device cannot be used.
    """
    file = artifacts.read(path)
    if options.image is not None:
        read_one(options.image)  # an engine takes longer to start
    with open_silently(file, options.backend, options.engine) as classifier:
        shown = picture(classifier, options.image)
        engine = settled(classifier, options.engine)
        before = power_state()
        fresh = measure_fresh(file.path, classifier.backend.name, engine)
        setting = Setting.of(file, classifier.backend, engine)
        timing = _time(classifier, shown, engine, options)
        after = power_state()
        power = Power(before, after, risen(before, after))
        found = BenchResult(setting, timing, fresh, power, options.seconds)
        return replace(found, notes=(*classifier.notes, *remarks(found, classifier.backend)))


def settled(classifier: Classifier, asked: BackendOptions) -> BackendOptions:
    """Return the options that open the file again where it runs now: ``auto`` has chosen."""
    if classifier.backend.device == "cpu":
        return BackendOptions("cpu", asked.threads)
    return replace(asked, device="gpu")


def _time(
    classifier: Classifier, shown: Picture, engine: BackendOptions, options: BenchOptions
) -> Timing:
    backend, spec, pixels = classifier.backend, classifier.spec, shown.prepare()
    runs = (lambda: backend.run_images(pixels, spec), shown.prepare)
    latency, preprocess = measure_interleaved(runs, options.seconds)
    threads = _threads(engine, options)
    grid = (options.batches, threads)
    rates = measure_throughput(classifier, engine, pixels, grid, options.seconds / _PART)
    best = max(one.images_per_second for one in rates if one.threads == threads[0])
    return Timing(latency, best, preprocess, shown.name, rates)


def _threads(engine: BackendOptions, options: BenchOptions) -> tuple[int, ...]:
    """Return the numbers of threads for the throughput, that of the latency first."""
    if engine.device == "gpu":
        return (engine.threads,)
    return tuple(dict.fromkeys((engine.threads, *(options.threads or (host().cores,)))))
