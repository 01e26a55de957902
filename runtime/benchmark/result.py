"""What a benchmark found, with everything that somebody needs to judge it."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runtime.host import Host, PowerState, host
from runtime.registry import installed_versions

if TYPE_CHECKING:
    from runtime.backends import Backend, BackendOptions
    from runtime.benchmark.fresh import Fresh
    from runtime.benchmark.latency import Latency
    from runtime.benchmark.throughput import Rate
    from runtime.modelfile.artifact import Artifact

CALL = "backend.run_images on ready uint8 pixels: scale, quantize, infer, dequantize"
_PACKAGES = ("edge-toolkit", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Setting:
    """What was measured, where and with what.

    Attributes:
        path: the model file.
        format: the export format, or ``unknown``.
        bytes: of the file.
        sha256: of the file.
        backend: the engine.
        backend_version: its version.
        device: where the model really ran.
        accelerator: what of a GPU ran it; empty on a CPU.
        precision: in which a GPU computed; None on a CPU, where the file itself decides.
        threads: of one inference, for the latency.
        multiply_adds: of one image; None where the file does not tell.
        host: the machine.
        versions: of Python and of the packages at work.
        measured_at: UTC, ISO 8601.
    """

    path: str
    format: str
    bytes: int
    sha256: str
    backend: str
    backend_version: str | None
    device: str
    accelerator: str
    precision: str | None
    threads: int
    multiply_adds: int | None
    host: Host
    versions: dict[str, str]
    measured_at: str

    @classmethod
    def of(cls, artifact: Artifact, backend: Backend, options: BackendOptions) -> Setting:
        """Describe a model file that is open with these options, now and here."""
        manifest = artifact.manifest
        return cls(
            path=str(artifact.path),
            format=artifact.format,
            bytes=len(artifact.data),
            sha256=artifact.sha256,
            backend=backend.name,
            backend_version=backend.version(),
            device=backend.device,
            accelerator=backend.accelerator,
            precision=options.precision if backend.device == "gpu" else None,
            threads=options.threads,
            multiply_adds=manifest.multiply_adds if manifest else None,
            host=host(),
            versions=_versions(),
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def rate(self, milliseconds: float) -> float | None:
        """Return the multiply-adds a second of one image in so much time, or None."""
        return self.multiply_adds * 1000 / milliseconds if self.multiply_adds else None


@dataclass(frozen=True, slots=True)
class Power:
    """How warm and fast the machine was before and after.

    Attributes:
        before: when the measurement began.
        after: when it had ended.
        reasons: throttle flags that rose in between; with one, the run is tainted.
    """

    before: PowerState
    after: PowerState
    reasons: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "tainted": bool(self.reasons),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Timing:
    """What was timed in this process, warm.

    Attributes:
        latency: of one call.
        images_per_second: the highest rate with the threads of the latency.
        preprocess: decoding and fitting of one image; None where it was not timed.
        picture: which image that was.
        throughput: by batch and threads; empty where it was not measured.
        batch: images of the call that the latency is of.
    """

    latency: Latency
    images_per_second: float
    preprocess: Latency | None = None
    picture: str | None = None
    throughput: tuple[Rate, ...] = ()
    batch: int = 1

    @property
    def image_ms(self) -> float:
        """The median time of one image, in milliseconds."""
        return self.latency.median_ms / self.batch


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was found about one file in one engine.

    Attributes:
        setting: what was measured.
        timing: how fast it is.
        fresh: load time, first prediction and memory of a new process.
        power: temperature, clock and throttling.
        seconds: that were asked for.
        notes: what a reader has to know.
    """

    setting: Setting
    timing: Timing
    fresh: Fresh
    power: Power
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float | None:
        """The multiply-adds a second that the model reaches; None where it cannot be told."""
        return self.setting.rate(self.timing.image_ms)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        timing, rate = self.timing, self.rate
        return {
            **asdict(self.setting),
            "host": self.setting.host.to_json(),
            "seconds": self.seconds,
            "call": CALL,
            "latency_ms": timing.latency.to_json(),
            "images_per_second": round(timing.images_per_second, 1),
            **self.fresh.to_json(),
            "preprocess_ms": timing.preprocess.to_json() if timing.preprocess else None,
            "image": timing.picture,
            "throughput": [one.to_json() for one in timing.throughput],
            "multiply_adds_per_second": None if rate is None else round(rate),
            "power": self.power.to_json(),
            "notes": list(self.notes),
        }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | installed_versions(_PACKAGES)
