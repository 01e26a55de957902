"""What was found out about one engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.host import Host

WORKS, BROKEN, MISSING = "works", "broken", "missing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, and the one command that mends it.

    Attributes:
        problem: one sentence without a full stop.
        fix: a command; where none can help, what to do.
    """

    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a diagnosis is made from.

    Attributes:
        backend: the engine.
        version: of it; None where no distribution tells one.
        floor: the lowest version that this project takes; None where none is stated.
        distributions: the installed distributions that bring the engine's module; more
            than one overwrite each other's files.
        host: the machine.
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
        reason: why not; empty where it did.
    """

    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EngineState:
    """What was found out about one engine.

    Attributes:
        name: of the backend.
        status: ``works`` (it gave the right answer), ``broken``, or ``missing``.
        version: of the installed engine; None where there is none.
        device: where it ran, ``cpu`` or ``cpu, gpu``; None where it did not run.
        problem: what is wrong; a working engine can have one, too.
        fix: the command that mends it.
        gpu: what a GPU said; None where none was tried.
        needed: False where it is missing and others run the same files, or are to be
            preferred for them.
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
        """Whether it runs models here."""
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
