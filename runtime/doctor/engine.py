"""Records of the diagnosis of one engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.host import Host

WORKS, BROKEN, MISSING = "works", "broken", "missing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A problem, and the command that fixes it.

    Attributes:
        problem: one sentence without a full stop.
        fix: a command; if no command helps, what to do.

    Example:
        >>> Diagnosis("not installed", 'pip install "edge-toolkit[litert]"').problem
        'not installed'
    """

    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts that a diagnosis is based on.

    Attributes:
        backend: the engine.
        version: its version; None if no distribution states one.
        floor: the lowest version that this project accepts; None if none is stated.
        distributions: the installed distributions that contain the engine's module; more
            than one overwrite each other's files.
        host: the machine.

    Example::

        backend = registry()["onnxruntime"]
        evidence = Evidence(backend, backend.version(), "1.20", ("onnxruntime",), host())
    """

    backend: type[Backend]
    version: str | None
    floor: str | None
    distributions: tuple[str, ...]
    host: Host

    @property
    def title(self) -> str:
        """The engine's package and its version."""
        return f"{self.backend.package} {self.version}" if self.version else self.backend.package


@dataclass(frozen=True, slots=True)
class Gpu:
    """Whether an engine ran the tiny model on a GPU.

    Attributes:
        available: whether it did.
        reason: why not; empty if it did.

    Example:
        >>> Gpu(available=False, reason="it never uses one").available
        False
    """

    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EngineState:
    """The diagnosis of one engine.

    Attributes:
        name: name of the backend.
        status: ``works`` (it predicts correctly), ``broken``, or ``missing``.
        version: version of the installed engine; None if there is none.
        device: where it ran, ``cpu`` or ``cpu, gpu``; None if it did not run.
        problem: the problem; a working engine can have one, too.
        fix: the command that fixes it.
        gpu: the result on a GPU; None if none was tried.
        needed: False if it is missing and others run the same files, or are preferred for
            them.

    Example:
        >>> state = EngineState("litert", WORKS, "2.0.2", "cpu")
        >>> state.available, state.to_json()["device"]
        (True, 'cpu')
    """

    name: str
    status: str
    version: str | None = None
    device: str | None = None
    problem: str | None = None
    fix: str | None = None
    gpu: Gpu | None = None
    needed: bool = True

    @property
    def available(self) -> bool:
        """Whether it runs models on this machine."""
        return self.status == WORKS

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "available": self.available,
            "version": self.version,
            "device": self.device,
            "problem": self.problem,
            "fix": self.fix,
            "status": self.status,
            "gpu": asdict(self.gpu) if self.gpu else None,
        }
