"""What the gate returns: a verdict per artifact and engine, and one for all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporters.budget import ParityBudget
    from toolkit.parity.metrics import Metrics
    from toolkit.parity.teacher import TeacherParity

PASS, FAIL, REFUSED = "pass", "fail", "refused"
_WHERE = ("device", "accelerator")
_ALWAYS = ("accuracy", "accuracy_delta", "agreement", "max_abs_error", "mcnemar_p")


@dataclass(frozen=True, slots=True)
class ArtifactParity:
    """The verdict on one artifact in one engine.

    Attributes:
        format: of the artifact.
        path: of the artifact.
        backend: the engine that ran it.
        device: where it ran, ``cpu`` or ``gpu``; empty if it did not.
        accelerator: what of the GPU ran it; empty on a CPU.
        teacher: how it compares with the network that the Keras model learned from; None
            where there is none.
        verdict: ``pass``, ``fail``, or ``refused`` (the engine does not take the file).
        reasons: why it is not ``pass``; empty if it is.
        causes: what most likely made it fail, where that can be told.
        notes: what does not decide, but should be known.
        sentence: the verdict in words.
        metrics: the numbers; None if nothing was answered.
        budget: the limits that were applied; None if nothing was answered.
    """

    format: str
    path: str
    backend: str
    verdict: str
    reasons: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sentence: str = ""
    metrics: Metrics | None = None
    budget: ParityBudget | None = None
    device: str = ""
    accelerator: str = ""
    teacher: TeacherParity | None = None

    @property
    def engine(self) -> str:
        """The engine and, where it is a GPU, the device."""
        return f"{self.backend} (gpu)" if self.device == "gpu" else self.backend

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, 0…1; None if nothing was answered."""
        return self.metrics.accuracy if self.metrics else None

    @property
    def accuracy_delta(self) -> float | None:
        """Artifact minus Keras; None if nothing was answered."""
        return self.metrics.accuracy_delta if self.metrics else None

    @property
    def agreement(self) -> float | None:
        """Share of images with Keras's label; None if nothing was answered."""
        return self.metrics.agreement if self.metrics else None

    @property
    def max_abs_error(self) -> float | None:
        """Largest difference of a probability; None if nothing was answered."""
        return self.metrics.max_abs_error if self.metrics else None

    @property
    def mcnemar_p(self) -> float | None:
        """P-value of the exact McNemar test; None if nothing was answered."""
        return self.metrics.mcnemar_p if self.metrics else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the metrics beside the other keys."""
        names = ("format", "path", "backend", *_WHERE, "verdict", "sentence", *_ALWAYS)
        always = {name: getattr(self, name) for name in names}
        texts = {name: list(getattr(self, name)) for name in ("reasons", "causes", "notes")}
        numbers = self.metrics.to_json() if self.metrics else {}
        taught = {"teacher": self.teacher.to_json()} if self.teacher else {}
        return always | numbers | texts | taught | {"budget": self._budget()}

    def _budget(self) -> dict[str, float | None] | None:
        if self.budget is None:
            return None
        finite = float("inf")
        return {k: v if abs(v) < finite else None for k, v in asdict(self.budget).items()}


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All verdicts.

    Attributes:
        verdict: ``pass`` if every artifact passes in at least one engine and none fails.
        reference_accuracy: of the Keras model, 0…1.
        images: how many were compared.
        artifacts: one entry an artifact and engine.
        notes: what should be known of all of them.
    """

    verdict: str
    reference_accuracy: float
    images: int
    artifacts: tuple[ArtifactParity, ...]
    notes: tuple[str, ...] = ()

    @property
    def all_notes(self) -> tuple[str, ...]:
        """The notes of the artifacts and of all of them, each once."""
        single = (note for entry in self.artifacts for note in entry.notes)
        return tuple(dict.fromkeys((*single, *self.notes)))

    @property
    def alike(self) -> tuple[tuple[ArtifactParity, ...], ...]:
        """The artifacts, those together of which the same is to be said, and nothing else."""
        groups: dict[str | int, tuple[ArtifactParity, ...]] = {}
        for number, entry in enumerate(self.artifacts):
            more = entry.metrics is None or entry.metrics.flips or entry.reasons or entry.teacher
            said = number if more else entry.sentence.removeprefix(entry.format)
            groups[said] = (*groups.get(said, ()), entry)
        return tuple(groups.values())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "images": self.images,
            "reference": {"accuracy": self.reference_accuracy},
            "notes": list(self.notes),
            "artifacts": [entry.to_json() for entry in self.artifacts],
        }


def overall(entries: tuple[ArtifactParity, ...]) -> str:
    """Fail if an artifact fails somewhere, or is refused everywhere."""
    passed = {entry.path for entry in entries if entry.verdict == PASS}
    failed = any(entry.verdict == FAIL for entry in entries)
    return FAIL if failed or any(entry.path not in passed for entry in entries) else PASS


def listed(entries: Iterable[ArtifactParity], name: Callable[[ArtifactParity], str]) -> str:
    """Name files with the engines of each: ``tflite (litert, openvino), onnx (onnxruntime)``.

    Args:
        entries: of the files.
        name: returns what to call a file.
    """
    engines: dict[str, list[ArtifactParity]] = {}
    for entry in entries:
        engines.setdefault(entry.path, []).append(entry)
    return ", ".join(
        f"{name(one)} ({', '.join(e.engine for e in (one, *others))})"
        for one, *others in engines.values()
    )


def of_several(entries: Sequence[ArtifactParity]) -> str:
    """Return the sentence of artifacts of which the same is said, without their names."""
    return f"each{entries[0].sentence.removeprefix(entries[0].format)}"
