"""Ranks the engines for a model file on this machine, for ``runtime tune``."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import BackendOptions, for_suffix, preferred
from runtime.backends.preferred import Choice, Tuned
from runtime.benchmark.bench import START_SECONDS
from runtime.benchmark.candidates import Candidate, find_candidates
from runtime.benchmark.latency import Latency, measure_interleaved
from runtime.errors import BackendError, InputError
from runtime.host import Host, host
from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact

_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class RankOptions:
    """Threads, batches and duration of a ranking.

    Attributes:
        threads: of one inference; empty means one, and all cores.
        batches: images per call; one image is always timed.
        seconds: of timing, for each engine with each number of threads and images.

    Example:
        >>> RankOptions(threads=(1, 4), seconds=0.2).batches
        (1, 8, 32)
    """

    threads: tuple[int, ...] = ()
    batches: tuple[int, ...] = (1, 8, 32)
    seconds: float = 0.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a number is out of its range.
        """
        if not 0.0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be above 0, not {self.seconds:g}")
        if min((*self.threads, *self.batches), default=1) < 1:
            raise InputError("--threads and --batch take numbers from 1 up, like 1,8,32")

    def expected_seconds(self, path: Path) -> float:
        """Approximate duration for a file; a slow device needs more to try the engines."""
        engines = sum(one.installed() for one in for_suffix(path.suffix))
        threads = len(self.threads) or 2
        return engines * (START_SECONDS + threads * len({1, *self.batches}) * self.seconds)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Latency of one engine with a number of threads and images.

    Attributes:
        backend: the engine.
        threads: of one inference.
        batch: images per call.
        latency: of a call.

    Example:
        >>> Ranked("litert", 1, 8, Latency.of([4_000_000])).image_ms
        0.5
    """

    backend: str
    threads: int
    batch: int
    latency: Latency

    @property
    def image_ms(self) -> float:
        """The time of the fastest call divided by its images, in milliseconds.

        Other programs can only add to a call, and they add more to a long one: by medians,
        a busy machine would rank batches, not engines.
        """
        return self.latency.min_ms / self.batch

    def choice(self, load_ms: float) -> Choice:
        """Return the record for ``runtime tune``."""
        image_ms = round(self.image_ms, 5)
        return Choice(self.backend, self.threads, self.batch, image_ms, round(load_ms, 1))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "backend": self.backend,
            "threads": self.threads,
            "batch": self.batch,
            "image_ms": round(self.image_ms, 5),
            "median_image_ms": round(self.latency.median_ms / self.batch, 5),
            "latency_ms": self.latency.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Ranking:
    """All engines for one file, compared.

    Attributes:
        file: the model file.
        machine: where it was measured.
        engines: those for such files, the preferred ones first; some with a refusal.
        rows: the fastest first.
        seconds: of timing for each row.
        measured_at: UTC, ISO 8601.

    Example::

        ranking = rank(Path("mnist-cnn.int8.tflite"))
        print(ranking.best(many=False).backend, ranking.best(many=True).batch)
    """

    file: Artifact
    machine: Host
    engines: tuple[Candidate, ...]
    rows: tuple[Ranked, ...]
    seconds: float
    measured_at: str

    def best(self, *, many: bool) -> Ranked:
        """Return the fastest; the preferred engine if another one gains less than 3 %.

        Args:
            many: whether a call may contain many images, not one.
        """
        rows = [row for row in self.rows if many or row.batch == 1]
        own = [row for row in rows if row.backend == self._sound()[0].name]
        return preferred.fastest([*own[:1], *rows], lambda row: row.image_ms)

    def to_tuned(self) -> Tuned:
        """Return the record that ``--backend auto`` reads."""
        return Tuned(
            str(self.file.path),
            self.file.sha256,
            preferred.cpu(),
            {one.name: one.distributions() for one in for_suffix(self.file.suffix)},
            self.measured_at,
            self._choices(many=False),
            self._choices(many=True),
        )

    def _choices(self, *, many: bool) -> tuple[Choice, ...]:
        """Return the fastest row of each engine, for each number of threads."""
        best: dict[tuple[int, str], Ranked] = {}
        for row in self.rows:
            if many or row.batch == 1:
                best.setdefault((row.threads, row.backend), row)
        counts = sorted({threads for threads, _ in best})
        keys = [(threads, one) for threads in counts for one in self._sound()]
        return tuple(best[threads, one.name].choice(one.load_ms or 0.0) for threads, one in keys)

    def _sound(self) -> list[Candidate]:
        """Return the accepted engines, the preferred one first."""
        return [one for one in self.engines if not one.refusal]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "path": str(self.file.path),
            "format": self.file.format,
            "sha256": self.file.sha256,
            "host": self.machine.to_json(),
            "seconds": self.seconds,
            "measured_at": self.measured_at,
            "engines": [asdict(one) for one in self.engines],
            "ranking": [row.to_json() for row in self.rows],
            "best": {
                "one_image": self.best(many=False).to_json(),
                "many_images": self.best(many=True).to_json(),
            },
        }


def rank(path: Path, options: RankOptions | None = None) -> Ranking:
    """Run a file in every engine, in turns.

    An engine is accepted if it runs the file in a process of its own and predicts correctly.

    Args:
        path: a model file.
        options: threads, batches and duration.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: no engine runs it.

    Example::

        best = rank(Path("mnist-cnn.int8.tflite"), RankOptions(seconds=0.2)).best(many=False)
    """
    options = options or RankOptions()
    file, machine = artifacts.read(path), host()
    engines = find_candidates(file)
    sound = [one.name for one in engines if not one.refusal]
    if not sound:
        reasons = "; ".join(f"{one.name}: {one.refusal}" for one in engines)
        raise BackendError(f"no engine runs {path.name} here: {reasons} (runtime doctor)")
    threads = tuple(dict.fromkeys(options.threads or (1, machine.cores)))
    rows = _time(file, sound, threads, options)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _LOG.debug("%s: fastest %s, %d threads", path.name, rows[0].backend, rows[0].threads)
    return Ranking(file, machine, engines, rows, options.seconds, now)


def _time(
    file: Artifact, names: list[str], threads: tuple[int, ...], options: RankOptions
) -> tuple[Ranked, ...]:
    batches = tuple(sorted({1, *options.batches}))
    keys = [(name, count, size) for name in names for count in threads for size in batches]
    with ExitStack() as stack:
        runs = _calls(file, keys, stack)
        found = measure_interleaved(runs, options.seconds)
    rows = (Ranked(*key, latency) for key, latency in zip(keys, found, strict=True))
    return tuple(sorted(rows, key=lambda row: row.image_ms))


def _calls(
    file: Artifact, keys: list[tuple[str, int, int]], stack: ExitStack
) -> list[Callable[[], object]]:
    """Open each engine once per number of threads; the stack closes them."""
    opened: dict[tuple[str, int], Classifier] = {}
    for name, count, _ in keys:
        if (name, count) not in opened:
            one = open_silently(file, name, BackendOptions(threads=count))
            opened[name, count] = stack.enter_context(one)
    return [_call(opened[name, count], size) for name, count, size in keys]


def _call(classifier: Classifier, size: int) -> Callable[[], object]:
    engine, spec = classifier.backend, classifier.spec
    pixels = np.random.default_rng(0).integers(0, 256, (size, *spec.shape), np.uint8)
    return lambda: engine.run_images(pixels, spec)
