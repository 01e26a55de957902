"""Measures one model file on this machine, for ``runtime bench``."""

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
_PART = 4  # each cell of the throughput table takes the seconds divided by this


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Engine, batches and duration of a benchmark.

    Attributes:
        backend: an engine, or ``auto``.
        engine: device, and the threads of the latency.
        threads: of the throughput; empty means those of ``engine`` and all cores.
        batches: images per call.
        seconds: of timing, per measurement.
        image: an image file to preprocess; None draws one.

    Example:
        >>> BenchOptions(batches=(1, 8), threads=(1, 2), seconds=1.0).expected_seconds
        4.8
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
        """Approximate duration; a slow device needs more for its fresh processes."""
        cells = len(self.batches) * len(_threads(self.engine, self))
        return 3 * START_SECONDS + self.seconds * (2 + cells / _PART)


def bench(path: Path, options: BenchOptions) -> BenchResult:
    """Measure a model file.

    Load time, first prediction and memory are those of fresh processes; all other times
    are taken in this one, warm.

    Args:
        path: a model file.
        options: engine, batches and duration.

    Raises:
        InputError: no such file, or an image that cannot be used.
        ArtifactError: the file is damaged.
        MissingDependencyError: no engine for it is installed.
        BackendError: the engine is broken or refuses the file.
        DeviceUnavailableError: the device cannot be used.

    Example::

        found = bench(Path("mnist-cnn.int8.tflite"), BenchOptions(seconds=1.0))
        print(found.timing.latency.median_ms, found.fresh.load_ms)
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


def settled(classifier: Classifier, requested: BackendOptions) -> BackendOptions:
    """Return options that open the file again on the device that ``auto`` has chosen.

    Example::

        with open_silently(file, "litert", BackendOptions("auto")) as classifier:
            device = settled(classifier, BackendOptions("auto")).device  # "cpu" or "gpu"
    """
    if classifier.backend.device == "cpu":
        return BackendOptions("cpu", requested.threads)
    return replace(requested, device="gpu")


def _time(
    classifier: Classifier, shown: Picture, engine: BackendOptions, options: BenchOptions
) -> Timing:
    backend, spec, pixels = classifier.backend, classifier.spec, shown.prepare()
    runs = (lambda: backend.run_images(pixels, spec), shown.prepare)
    latency, preprocess = measure_interleaved(runs, options.seconds)
    threads = _threads(engine, options)
    rates = measure_throughput(
        classifier, engine, pixels, options.batches, threads, options.seconds / _PART
    )
    best = max(one.images_per_second for one in rates if one.threads == threads[0])
    return Timing(latency, best, preprocess, shown.name, rates)


def _threads(engine: BackendOptions, options: BenchOptions) -> tuple[int, ...]:
    """Return the numbers of threads of the throughput, that of the latency first."""
    if engine.device == "gpu":
        return (engine.threads,)
    return tuple(dict.fromkeys((engine.threads, *(options.threads or (host().cores,)))))
