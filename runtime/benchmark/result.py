"""Result of a benchmark, with everything that a reader needs to judge it."""

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
    """File, engine and machine of a measurement.

    Attributes:
        path: the model file.
        format: the export format, or ``unknown``.
        bytes: of the file.
        sha256: of the file.
        backend: the engine.
        backend_version: its version.
        device: on which the model really ran.
        accelerator: which GPU or provider ran it; empty on a CPU.
        precision: of the GPU; None on a CPU, where the file determines it.
        threads: of one inference, for the latency.
        multiply_adds: of one image; None if the file does not contain them.
        host: the machine.
        versions: of Python and of the packages in use.
        measured_at: UTC, ISO 8601.

    Example::

        setting = Setting.of(artifact, classifier.backend, BackendOptions(threads=2))
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
        """Describe a model file that is open with these options on this machine."""
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
        """Return the multiply-adds per second if one image takes this time, or None."""
        return self.multiply_adds * 1000 / milliseconds if self.multiply_adds else None


@dataclass(frozen=True, slots=True)
class Power:
    """Temperature, clock and throttling before and after.

    Attributes:
        before: at the start of the measurement.
        after: at its end.
        reasons: throttle flags that rose in between; with one, the run is tainted.

    Example::

        before = power_state()
        ...
        power = Power(before, after := power_state(), risen(before, after))
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
    """Times measured in this process, warm.

    Attributes:
        latency: of one call.
        images_per_second: the highest rate with the threads of the latency.
        preprocess: decoding and fitting of one image; None if it was not timed.
        picture: name of that image.
        throughput: by batch and threads; empty if it was not measured.
        batch: images per call of the latency.

    Example::

        Timing(Latency.of(nanoseconds), images_per_second=1100.0, batch=8).image_ms
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
    """Result of one file in one engine.

    Attributes:
        setting: file, engine and machine.
        timing: latency and throughput.
        fresh: load time, first prediction and memory of a new process.
        power: temperature, clock and throttling.
        seconds: requested duration of each timing.
        notes: remarks for the reader.

    Example::

        result = bench(Path("mnist-cnn.int8.tflite"), BenchOptions())
        json.dumps(result.to_json())
    """

    setting: Setting
    timing: Timing
    fresh: Fresh
    power: Power
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float | None:
        """The multiply-adds per second of the model; None if they are not known."""
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
