"""Peak multiply-adds per second of a core of this machine, measured in a few seconds.

The engines themselves are the fastest programs available: each installed one runs chains of
convolutions made for this purpose (:mod:`toolkit.benchmarking.peak_networks`), and the best
call counts. A Zen 4 core reached 57 G multiply-adds per second in float32 and 220 G in int8,
of 59 and 237 that the instructions allow at 3.7 GHz; numpy's matmul reached 51 and has no
int8.
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

METHOD = (
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

    Example:
        >>> Peak("int8", 2.2e11, "litert 2.1.0").kind
        'int8'
    """

    kind: str
    multiply_adds_per_second: float
    engine: str


@dataclass(frozen=True, slots=True)
class Peaks:
    """The peaks of a core of this machine.

    Attributes:
        best: one per kind of arithmetic.
        seconds: duration of the measurement.
        problems: engines that failed, and why.

    Example:
        >>> peaks = Peaks((Peak("int8", 2.2e11, "litert 2.1.0"),), seconds=2.0)
        >>> peaks.of("int8").engine, peaks.of("float32")
        ('litert 2.1.0', None)
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
            "how": METHOD,
            "seconds": round(self.seconds, 2),
            "problems": list(self.problems),
        }


def measure_peaks() -> Peaks:
    """Run the networks in every installed engine, each in a process of its own.

    Returns:
        The best of all engines; a broken engine is recorded in it, not raised.

    Example::

        peak = measure_peaks().of("int8")
        print(f"{peak.multiply_adds_per_second / 1e9:.0f} G/s by {peak.engine}")
    """
    start, found, problems = perf_counter(), [], []
    for backend in registry().values():
        if not backend.installed() or not BUILDERS.keys() & set(backend.suffixes):
            continue
        reply = _run_process(backend.name)
        engine = f"{backend.name} {backend.version()}"
        found += [Peak(kind, rate, engine) for kind, rate in reply.get("rates", {}).items()]
        if "error" in reply:
            problems.append(f"{engine} gave no peak: {reply['error']}")
    kinds = [[peak for peak in found if peak.kind == kind] for kind in (FLOAT32, INT8)]
    best = (max(peaks, key=_rate) for peaks in kinds if peaks)
    return Peaks(tuple(best), perf_counter() - start, tuple(problems))


def arithmetic(manifest: Manifest | None) -> str | None:
    """Return the arithmetic of a file: ``float32`` or ``int8``; None if it is mixed.

    A CPU converts half-precision weights to float32 before it multiplies them.

    Example::

        kind = arithmetic(artifacts.read(Path("mnist-cnn.int8.tflite")).manifest)  # "int8"
    """
    if manifest is None or manifest.quantization.float_layers:
        return None
    scheme = manifest.quantization.scheme
    if scheme.startswith("float"):
        return FLOAT32
    return INT8 if "int8" in scheme and "int16" not in scheme else None


def share_of_peak(found: BenchResult, kind: str | None, peaks: Peaks | None) -> float | None:
    """Return the share of the peak of its threads that a model reaches, 0…1, or None.

    n threads are compared with n times the peak of one core, at most with that of all cores.

    Args:
        found: the measured result.
        kind: of arithmetic, see :func:`arithmetic`.
        peaks: of the machine; None if they were not measured.

    Example::

        share = share_of_peak(bench(path, BenchOptions()), "int8", measure_peaks())
    """
    setting, peak = found.setting, peaks.of(kind) if peaks else None
    if peak is None or found.rate is None or setting.device != "cpu":
        return None
    cores = min(setting.threads, setting.host.cores)
    return found.rate / (peak.multiply_adds_per_second * cores)


def share_note(found: BenchResult, kind: str | None, peaks: Peaks | None) -> str | None:
    """Return the reason why a share is missing or above 1, otherwise None.

    Example::

        note = share_note(result, None, peaks)  # "no share of the peak: the file multiplies …"
    """
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
            "no share of the peak: the file does not contain its multiply-adds (made by another "
            "tool, or a layer that cannot be counted)"
        )
    if kind is None:
        return "no share of the peak: the file multiplies neither in float32 nor in int8 alone"
    return f"no share of the peak: no engine here gave one for {kind}"


def _rate(peak: Peak) -> float:
    return peak.multiply_adds_per_second


def _run_process(backend: str) -> dict[str, Any]:
    """Measure in a worker process: a broken engine may end its process by a signal."""
    with WorkerProcess(_SERVICE, name="its process", seconds=_CHILD_SECONDS) as process:
        try:
            process.send(backend)
            found: dict[str, Any] = process.receive()
        except (BackendError, TimeoutError) as error:
            return {"error": str(error)}
        return found
