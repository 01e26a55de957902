"""The result of the gate: a verdict per artifact and engine, and one for all."""

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
        accelerator: which GPU or provider ran it; empty on a CPU.
        teacher: how it compares with the network that the Keras model was distilled from;
            None if there is none.
        verdict: ``pass``, ``fail``, or ``refused`` (the engine does not take the file).
        reasons: why it is not ``pass``; empty if it is.
        causes: what most likely made it fail, if that is recognised.
        notes: what does not decide, but should be known.
        sentence: the verdict in words.
        metrics: the numbers; None without outputs.
        budget: the limits that were applied; None without outputs.

    Example:
        >>> entry = ArtifactParity("tflite", "a.tflite", "litert", PASS, device="gpu")
        >>> entry.engine, entry.accuracy
        ('litert (gpu)', None)
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
        """The engine and, if it is a GPU, the device."""
        return f"{self.backend} (gpu)" if self.device == "gpu" else self.backend

    @property
    def accuracy(self) -> float | None:
        """Share of correct predictions, 0…1; None without outputs."""
        return self.metrics.accuracy if self.metrics else None

    @property
    def accuracy_delta(self) -> float | None:
        """Accuracy of the artifact minus that of Keras; None without outputs."""
        return self.metrics.accuracy_delta if self.metrics else None

    @property
    def agreement(self) -> float | None:
        """Share of images with Keras's label; None without outputs."""
        return self.metrics.agreement if self.metrics else None

    @property
    def max_abs_error(self) -> float | None:
        """Largest difference of a probability; None without outputs."""
        return self.metrics.max_abs_error if self.metrics else None

    @property
    def mcnemar_p(self) -> float | None:
        """P-value of the exact McNemar test; None without outputs."""
        return self.metrics.mcnemar_p if self.metrics else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the metrics beside the other keys."""
        names = ("format", "path", "backend", *_WHERE, "verdict", "sentence", *_ALWAYS)
        always = {name: getattr(self, name) for name in names}
        texts = {name: list(getattr(self, name)) for name in ("reasons", "causes", "notes")}
        numbers = self.metrics.to_json() if self.metrics else {}
        teacher = {"teacher": self.teacher.to_json()} if self.teacher else {}
        return always | numbers | texts | teacher | {"budget": self._budget()}

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
        artifacts: one entry per artifact and engine.
        notes: what should be known of all of them.

    Example:
        >>> entry = ArtifactParity("onnx", "a.onnx", "onnxruntime", PASS, notes=("note",))
        >>> report = ParityReport(overall((entry,)), 0.99, 1000, (entry,), notes=("note",))
        >>> report.verdict, report.all_notes
        ('pass', ('note',))
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
        """The artifacts in groups that share one sentence; those with details stay alone."""
        groups: dict[str | int, tuple[ArtifactParity, ...]] = {}
        for number, entry in enumerate(self.artifacts):
            more = entry.metrics is None or entry.metrics.flips or entry.reasons or entry.teacher
            key = number if more else entry.sentence.removeprefix(entry.format)
            groups[key] = (*groups.get(key, ()), entry)
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
    """Return the verdict on all: ``fail`` if an artifact fails somewhere or passes nowhere.

    Example:
        >>> refused = ArtifactParity("tflite", "a.tflite", "tflite-runtime", REFUSED)
        >>> passed = ArtifactParity("tflite", "a.tflite", "litert", PASS)
        >>> overall((refused, passed)), overall((refused,))
        ('pass', 'fail')
    """
    passed = {entry.path for entry in entries if entry.verdict == PASS}
    failed = any(entry.verdict == FAIL for entry in entries)
    return FAIL if failed or any(entry.path not in passed for entry in entries) else PASS


def listed(entries: Iterable[ArtifactParity], name: Callable[[ArtifactParity], str]) -> str:
    """Name files with the engines of each: ``tflite (litert, openvino), onnx (onnxruntime)``.

    Args:
        entries: of the files.
        name: returns what to call a file.

    Example:
        >>> engines = ("litert", "openvino")
        >>> entries = [ArtifactParity("tflite", "a.tflite", name, PASS) for name in engines]
        >>> listed(entries, lambda entry: entry.format)
        'tflite (litert, openvino)'
    """
    engines: dict[str, list[ArtifactParity]] = {}
    for entry in entries:
        engines.setdefault(entry.path, []).append(entry)
    return ", ".join(
        f"{name(one)} ({', '.join(entry.engine for entry in (one, *others))})"
        for one, *others in engines.values()
    )


def of_several(entries: Sequence[ArtifactParity]) -> str:
    """Return the sentence that several artifacts share, without their names.

    Example:
        >>> entry = ArtifactParity("onnx", "a.onnx", "onnxruntime", PASS, sentence="onnx is equal")
        >>> of_several([entry, entry])
        'each is equal'
    """
    return f"each{entries[0].sentence.removeprefix(entries[0].format)}"
