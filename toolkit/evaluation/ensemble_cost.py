"""Cost of an ensemble compared with its best member: bytes and measured latency."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from toolkit.benchmarking.bench import CompareOptions, compare_speed
from toolkit.export.export import DEFAULT_FORMAT, export
from toolkit.export.request import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.modelfile.artifact import Artifact
    from toolkit.evaluation.ensemble import Member
    from toolkit.progress import Reporter


@dataclass(frozen=True, slots=True)
class Cost:
    """A model file of an ensemble, compared with the same format of its best member.

    Attributes:
        format: of both files.
        backend: the engine that ran both.
        bytes: of the ensemble's file.
        member_bytes: of the member's file.
        latency_ms: median of one image, batch 1, one thread, in milliseconds.
        member_latency_ms: the same of the member.
        ratio: latency of the ensemble divided by that of the member, compared turn by turn.

    Example:
        >>> Cost("tflite-int8", "litert", 900, 300, 1.5, 0.5, 3.0).to_json()["ratio"]
        3.0
    """

    format: str
    backend: str
    bytes: int
    member_bytes: int
    latency_ms: float
    member_latency_ms: float
    ratio: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def measure(
    files: Sequence[Artifact],
    best: Member,
    reporter: Reporter,
    timing: CompareOptions,
) -> Cost:
    """Time the ensemble's int8 file (or its first one) against its best member in turns.

    Args:
        files: the model files of the ensemble.
        best: its best member; it is exported to a temporary folder for this.
        reporter: receives the progress.
        timing: settings of the timing; the files are set here.

    Raises:
        EdgeError: the member cannot be exported, or no engine runs the files.

    Example::

        cost = measure(files, ensemble.best, reporter)
        print(f"{cost.ratio:.1f} times the latency of one member")
    """
    chosen = next((file for file in files if file.format == DEFAULT_FORMAT), files[0])
    with TemporaryDirectory() as folder:
        options = ExportOptions((chosen.format,), out=Path(folder))
        (exported,) = export(best.trained, options, reporter)
        single = exported.artifact
        paths = (chosen.path, single.path)
        comparison = replace(timing, paths=paths, baseline=single.path)
        ensemble, member = compare_speed(comparison, reporter).entries
        return Cost(
            format=chosen.format,
            backend=ensemble.result.setting.backend,
            bytes=chosen.path.stat().st_size,
            member_bytes=single.path.stat().st_size,
            latency_ms=ensemble.result.timing.latency.median_ms,
            member_latency_ms=member.result.timing.latency.median_ms,
            ratio=ensemble.ratio,
        )
