"""Which engine is the fastest for a model file on this machine: what ``runtime tune`` keeps."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import BackendOptions, for_suffix, preferred
from runtime.backends.preferred import Choice, Tuned
from runtime.benchmark.bench import START_SECONDS
from runtime.benchmark.candidates import Contender, contenders
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


@dataclass(frozen=True, slots=True)
class RankOptions:
    """What to compare.

    Attributes:
        threads: of one inference; empty means one, and all cores.
        batches: images in one call; one image is always tried.
        seconds: of timing, for each engine with each number of threads and images.
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
        """About how long a file takes here; a slow device needs more to try the engines."""
        engines = sum(one.installed() for one in for_suffix(path.suffix))
        threads = len(self.threads) or 2
        return engines * (START_SECONDS + threads * len({1, *self.batches}) * self.seconds)


@dataclass(frozen=True, slots=True)
class Ranked:
    """How fast one engine is with so many threads and images.

    Attributes:
        backend: the engine.
        threads: of one inference.
        batch: images in one call.
        latency: of a call.
    """

    backend: str
    threads: int
    batch: int
    latency: Latency

    @property
    def image_ms(self) -> float:
        """The time of the fastest call by its images, in milliseconds.

        Other programs can only add to a call, and they add more to a long one: by medians,
        a busy machine would rank batches, not engines.
        """
        return self.latency.min_ms / self.batch

    def choice(self, load_ms: float) -> Choice:
        """Return what is worth remembering."""
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
        engines: those for such files, the preferred ones first; a refusal says why not.
        rows: the fastest first.
        seconds: of timing for each row.
        measured_at: UTC, ISO 8601.
    """

    file: Artifact
    machine: Host
    engines: tuple[Contender, ...]
    rows: tuple[Ranked, ...]
    seconds: float
    measured_at: str

    def best(self, *, many: bool) -> Ranked:
        """Return the fastest; the preferred engine where another one gains less than 3 %.

        Args:
            many: whether a call may get many images, not one.
        """
        rows = [row for row in self.rows if many or row.batch == 1]
        own = [row for row in rows if row.backend == self._sound()[0].name]
        return preferred.fastest([*own[:1], *rows], lambda row: row.image_ms)

    def to_tuned(self) -> Tuned:
        """Return what ``--backend auto`` is to remember."""
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

    def _sound(self) -> list[Contender]:
        """Return the engines that take part, the preferred one first."""
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

    An engine takes part if it runs the file in a process of its own and answers right.

    Args:
        path: a model file.
        options: what to compare.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: no engine runs it.
    """
    options = options or RankOptions()
    file, machine = artifacts.read(path), host()
    engines = contenders(file)
    sound = [one.name for one in engines if not one.refusal]
    if not sound:
        reasons = "; ".join(f"{one.name}: {one.refusal}" for one in engines)
        raise BackendError(f"no engine runs {path.name} here: {reasons} (runtime doctor)")
    threads = tuple(dict.fromkeys(options.threads or (1, machine.cores)))
    rows = _time(file, sound, threads, options)
    now = datetime.now(UTC).isoformat(timespec="seconds")
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
    """Open each engine once a number of threads; the stack closes them."""
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
