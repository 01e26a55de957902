"""How many multiply-adds a second a core of this machine can do, measured in a few seconds.

The fastest means at hand are the engines themselves: each one that is installed runs chains
of convolutions made for nothing else (:mod:`toolkit.benchmarking.peak_networks`), and the best call
counts. On a Zen 4 core that gave 57 G multiply-adds a second in float32 and 220 G in int8,
where the instructions allow 59 and 237 at 3.7 GHz; numpy's matmul gave 51 and has no int8.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from runtime.backends import registry
from runtime.errors import BackendError
from runtime.workers.process import WorkerProcess
from toolkit.benchmarking.peak_networks import BUILDERS, FLOAT32, INT8

if TYPE_CHECKING:
    from runtime.benchmark.result import BenchResult
    from runtime.modelfile.manifest import Manifest

HOW = (
    "the fastest call of chains of convolutions that fit the caches, in the fastest engine "
    "installed here, one thread: a lower bound of what the core can do, and lower while other "
    "programs run"
)
_SERVICE = "toolkit.benchmarking.peak_service"
_CHILD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest rate that was reached in one kind of arithmetic.

    Attributes:
        kind: ``float32`` or ``int8``.
        multiply_adds_per_second: of one core.
        engine: that reached it, with its version.
    """

    kind: str
    multiply_adds_per_second: float
    engine: str


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a core of this machine can do.

    Attributes:
        best: one a kind of arithmetic.
        seconds: how long it took to find out.
        problems: engines that did not answer, and why.
    """

    best: tuple[Peak, ...]
    seconds: float
    problems: tuple[str, ...] = ()

    def of(self, kind: str | None) -> Peak | None:
        """Return the peak of one kind of arithmetic, or None."""
        return next((peak for peak in self.best if peak.kind == kind), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **{peak.kind: asdict(peak) for peak in self.best},
            "how": HOW,
            "seconds": round(self.seconds, 2),
            "problems": list(self.problems),
        }


def measure_peaks() -> Peaks:
    """Run the networks in every installed engine, each in a process of its own.

    Returns:
        The best of all engines; a broken engine is told in it, not raised.
    """
    start, found, problems = perf_counter(), [], []
    for backend in registry().values():
        if not backend.installed() or not BUILDERS.keys() & set(backend.suffixes):
            continue
        answer = _run_process(backend.name)
        engine = f"{backend.name} {backend.version()}"
        found += [Peak(kind, rate, engine) for kind, rate in answer.get("rates", {}).items()]
        if "error" in answer:
            problems.append(f"{engine} gave no peak: {answer['error']}")
    kinds = [[peak for peak in found if peak.kind == kind] for kind in (FLOAT32, INT8)]
    best = (max(peaks, key=_rate) for peaks in kinds if peaks)
    return Peaks(tuple(best), perf_counter() - start, tuple(problems))


def arithmetic(manifest: Manifest | None) -> str | None:
    """Return in which kind of numbers a file multiplies: ``float32``, ``int8``; None if mixed.

    Half-precision weights are turned into float32 before a CPU multiplies them.
    """
    if manifest is None or manifest.quantization.float_layers:
        return None
    scheme = manifest.quantization.scheme
    if scheme.startswith("float"):
        return FLOAT32
    return INT8 if "int8" in scheme and "int16" not in scheme else None


def share_of_peak(found: BenchResult, kind: str | None, peaks: Peaks | None) -> float | None:
    """Return what part of the peak of its threads a model reaches, 0…1, or None.

    n threads are compared with n times the peak of one core, as far as there are cores.

    Args:
        found: what was measured.
        kind: of arithmetic, see :func:`arithmetic`.
        peaks: what the machine can do; None where it was not measured.
    """
    setting, peak = found.setting, peaks.of(kind) if peaks else None
    if peak is None or found.rate is None or setting.device != "cpu":
        return None
    cores = min(setting.threads, setting.host.cores)
    return found.rate / (peak.multiply_adds_per_second * cores)


def share_note(found: BenchResult, kind: str | None, peaks: Peaks | None) -> str | None:
    """Say why there is no share of the peak, or why it is more than all of it; else None."""
    if found.setting.device != "cpu":
        return "no share of the peak: that of a GPU is not measured"
    share = share_of_peak(found, kind, peaks)
    if peaks is None or (share is not None and share <= 1.0):
        return None
    if share is not None:
        return (
            "more than the peak: the engine needs fewer multiply-adds, or the probe was disturbed"
        )
    if found.setting.multiply_adds is None:
        return (
            "no share of the peak: the file does not tell its multiply-adds (made by another "
            "tool, or a layer that cannot be counted)"
        )
    if kind is None:
        return "no share of the peak: the file multiplies neither in float32 nor in int8 alone"
    return f"no share of the peak: no engine here gave one for {kind}"


def _rate(peak: Peak) -> float:
    return peak.multiply_adds_per_second


def _run_process(backend: str) -> dict[str, Any]:
    """A broken engine may end its process by a signal: this one must live on."""
    with WorkerProcess(_SERVICE, name="its process", seconds=_CHILD_SECONDS) as process:
        try:
            process.send(backend)
            found: dict[str, Any] = process.receive()
        except (BackendError, TimeoutError) as error:
            return {"error": str(error)}
        return found
