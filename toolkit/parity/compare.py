"""The comparison of model files, each in its real engine, with the Keras model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runtime.backends import AUTO, BackendOptions
from runtime.errors import (
    BackendError,
    DeviceUnavailableError,
    InputError,
    MissingDependencyError,
)
from runtime.model import Classifier, open_silently
from toolkit.parity import audits, words
from toolkit.parity.budgets import budget_for
from toolkit.parity.causes import Failure, explain, input_range, preprocessing
from toolkit.parity.metrics import measure
from toolkit.parity.report import FAIL, PASS, REFUSED, ArtifactParity, ParityReport, overall
from toolkit.parity.teacher import Teacher, against
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.modelfile.artifact import Artifact
    from toolkit.inspection import GraphView
    from toolkit.parity.reference import Reference

_CHUNK = 100  # images between two steps of the progress bar


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact in an engine.

    Attributes:
        artifact: the model file.
        backend: the engine's name, or ``auto``.
        options: device and threads.
        budget: its limits; None takes those of its format.
        gpu_budget: its limits if a GPU runs it; None takes ``budget``.

    Example::

        candidate = Candidate(artifacts.read("mnist-cnn.int8.tflite"), "litert")
    """

    artifact: Artifact
    backend: str = AUTO
    options: BackendOptions = BackendOptions()
    budget: ParityBudget | None = None
    gpu_budget: ParityBudget | None = None

    def limits(self, device: str) -> ParityBudget:
        """Return its limits on a device, ``cpu`` or ``gpu``.

        Example::

            limits = Candidate(artifact).limits("cpu")  # those of its format
        """
        chosen = self.gpu_budget if device == "gpu" else None
        return chosen or self.budget or budget_for(self.artifact.format)


@dataclass(frozen=True, eq=False)
class Comparison:
    """The images that every artifact runs, and what Keras predicts for them.

    Attributes:
        reference: the Keras model.
        images: uint8 (n, height, width, channels).
        truth: int64 (n,).
        expected: Keras's probabilities (n, classes).
        teacher: the network that the Keras model was distilled from, or None.

    Example::

        comparison = Comparison.of(reference, images, labels)
        entries = [one.entry for one in compare_each(comparison, candidates)]
        report = comparison.report(entries)
    """

    reference: Reference
    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    expected: NDArray[np.float32]
    teacher: Teacher | None = None

    @classmethod
    def of(
        cls,
        reference: Reference,
        images: NDArray[np.uint8],
        truth: NDArray[np.int64],
        teacher: Teacher | None = None,
        reporter: Reporter = SILENT,
    ) -> Comparison:
        """Run the Keras model.

        Args:
            reference: the Keras model.
            images: uint8 (n, height, width, channels).
            truth: int64 (n,), the labels.
            teacher: the network that the Keras model was distilled from, or None.
            reporter: shows progress.

        Raises:
            InputError: no images.

        Example::

            comparison = Comparison.of(reference, dataset.x_test, dataset.y_test)
        """
        if len(images) == 0:
            raise InputError("nothing to compare: no images or no artifacts")
        return cls(reference, images, truth, reference.predict_images(images, reporter), teacher)

    def report(self, entries: Sequence[ArtifactParity]) -> ParityReport:
        """Return the report on all artifacts.

        Example::

            verdict = comparison.report(entries).verdict
        """
        count = len(self.images)
        return ParityReport(
            verdict=overall(tuple(entries)),
            reference_accuracy=float((self.expected.argmax(axis=1) == self.truth).mean()),
            images=count,
            artifacts=tuple(entries),
            notes=words.unseen(count, (entry.budget.max_drop for entry in entries if entry.budget)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The result of one artifact in one engine.

    Attributes:
        entry: the verdict.
        outputs: its probabilities (n, classes), in Keras's order of classes; None if
            there are none.

    Example::

        for one in compare_each(comparison, candidates):
            print(one.entry.path, one.entry.verdict)
    """

    entry: ArtifactParity
    outputs: NDArray[np.float32] | None = None


def compare(
    reference: Reference,
    candidates: Sequence[Candidate],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    budget: ParityBudget | None = None,
    reporter: Reporter = SILENT,
    teacher: Teacher | None = None,
) -> ParityReport:
    """Run the same images through Keras and through each artifact in its real engine.

    Args:
        reference: the Keras model.
        candidates: what to judge.
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), the truth.
        budget: the limits for all; None takes those of each candidate.
        reporter: shows progress.
        teacher: the network that the Keras model was distilled from, if files are compared
            with it as well.

    Returns:
        One verdict for each, and one for all.

    Raises:
        InputError: no images or no candidates.
        DeviceUnavailableError: none of them runs on the requested device.

    Example::

        trained = resolve(None, DataOptions())  # the latest run
        report = compare(
            Reference.of(trained),
            [Candidate(artifacts.read("mnist-cnn.int8.tflite"))],
            trained.dataset.x_test,
            trained.dataset.y_test,
        )
        print(report.verdict, report.artifacts[0].sentence)
    """
    comparison = Comparison.of(reference, images, labels, teacher, reporter)
    found = compare_each(comparison, candidates, budget, reporter)
    return comparison.report([one.entry for one in found])


def compare_each(
    comparison: Comparison,
    candidates: Sequence[Candidate],
    budget: ParityBudget | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[Compared]:
    """Run the images through one artifact after the other, each in its real engine.

    Args:
        comparison: the images, and what Keras predicts for them.
        candidates: what to judge.
        budget: the limits for all; None takes those of each candidate.
        reporter: shows progress.

    Yields:
        The verdict on each, with its outputs, which are large: keep what is needed.

    Raises:
        InputError: no candidates.
        DeviceUnavailableError: none of them runs on the requested device.

    Example::

        failed = [
            one.entry.path
            for one in compare_each(comparison, candidates)
            if one.entry.verdict == FAIL
        ]
    """
    if not candidates:
        raise InputError("nothing to compare: no images or no artifacts")
    lacking: list[DeviceUnavailableError] = []
    for candidate in candidates:
        yield _judge(candidate, comparison, budget, reporter, lacking)
    if len(lacking) == len(candidates):
        raise lacking[0]


def outputs_in_order(
    classifier: Classifier,
    reference: Reference,
    images: NDArray[np.uint8],
    reporter: Reporter = SILENT,
) -> NDArray[np.float32]:
    """Return an artifact's probabilities (n, classes), its classes in Keras's order.

    Classes are matched by name; if the two do not use the same names, by position.

    Example::

        with load("mnist-cnn.int8.tflite") as classifier:
            outputs = outputs_in_order(classifier, reference, images)
    """
    title = f"{classifier.artifact.path.name} on {classifier.backend.name}"
    chunks = []
    with reporter.task(title, len(images)) as tick:
        for start in range(0, len(images), _CHUNK):
            chunks.append(classifier.predict_batch(images[start : start + _CHUNK]))
            tick(len(chunks[-1]))
    outputs = np.concatenate(chunks)
    ours, theirs = reference.labels, classifier.labels
    if ours == theirs or sorted(ours) != sorted(theirs) or len(set(ours)) != len(ours):
        return outputs
    ordered: NDArray[np.float32] = outputs[:, [theirs.index(name) for name in ours]]
    return ordered


def _judge(
    candidate: Candidate,
    comparison: Comparison,
    budget: ParityBudget | None,
    reporter: Reporter,
    lacking: list[DeviceUnavailableError],
) -> Compared:
    path = str(candidate.artifact.path)
    entry = ArtifactParity(candidate.artifact.format, path, candidate.backend, REFUSED)
    try:
        classifier = open_silently(candidate.artifact, candidate.backend, candidate.options)
    except MissingDependencyError:
        raise
    except BackendError as error:
        lacking += [error] if isinstance(error, DeviceUnavailableError) else []
        return Compared(_without_outputs(entry, str(error)))
    entry = _opened(entry, classifier)
    limits = budget or candidate.limits(classifier.backend.device)
    with classifier:
        classes = comparison.expected.shape[1]
        if not classifier.spec.matches(comparison.images) or len(classifier.labels) != classes:
            what = f"{classifier.spec.shape}, {len(classifier.labels)} classes"
            return Compared(_without_outputs(entry, f"made for other data: {what}"))
        try:
            outputs = outputs_in_order(
                classifier, comparison.reference, comparison.images, reporter
            )
        except BackendError as error:
            graph = audits.read_graph(candidate.artifact)
            causes = _constant(classifier, comparison.reference, graph)
            entry = _without_outputs(entry, str(error))
            return Compared(replace(entry, causes=causes, reasons=(*entry.reasons, *causes)))
        entry = _verdict(entry, classifier, comparison, outputs, limits)
    return Compared(entry, outputs)


def _opened(entry: ArtifactParity, classifier: Classifier) -> ArtifactParity:
    engine = classifier.backend
    notes: tuple[str, ...] = ()
    if engine.fallback:
        notes = (f"on the CPU, not on a GPU: {engine.fallback}",)
    if engine.accelerator:
        notes = (f"{engine.name} ran on the {engine.place}",)
    return replace(
        entry,
        backend=engine.name,
        device=engine.device,
        accelerator=engine.accelerator,
        verdict=FAIL,
        notes=notes,
    )


def _without_outputs(entry: ArtifactParity, reason: str) -> ArtifactParity:
    name = Path(entry.path).name
    what = f"refuses {name}" if entry.verdict == REFUSED else f"returns no outputs for {name}"
    return replace(entry, reasons=(reason,), sentence=f"{entry.backend} {what}: {reason}")


def _verdict(
    entry: ArtifactParity,
    classifier: Classifier,
    comparison: Comparison,
    outputs: NDArray[np.float32],
    limits: ParityBudget,
) -> ArtifactParity:
    reference, images = comparison.reference, comparison.images
    found = measure(
        comparison.expected, outputs, comparison.truth, reference.labels, limits.tie_margin
    )
    failure = Failure(
        classifier=classifier,
        graph=audits.read_graph(classifier.artifact),
        reference=reference,
        images=images,
        expected=comparison.expected,
        outputs=outputs,
        budget=limits,
    )
    over = words.reasons(found, limits)
    teacher = None
    if comparison.teacher:
        teacher = against(comparison.teacher, outputs, comparison.truth, reference.labels)
    causes = _causes(failure, over_budget=bool(over))
    return replace(
        entry,
        verdict=FAIL if over or causes or (teacher and teacher.reasons) else PASS,
        reasons=(*over, *causes, *(teacher.reasons if teacher else ())),
        teacher=teacher,
        causes=causes,
        notes=entry.notes + words.notes(found, limits) + _remarks(classifier, reference.labels),
        sentence=words.sentence(entry.format, found, limits),
        metrics=found,
        budget=limits,
    )


def _causes(case: Failure, *, over_budget: bool) -> tuple[str, ...]:
    """Return what is wrong with the file, even if the outputs do not show it."""
    found = _constant(case.classifier, case.reference, case.graph)
    found += preprocessing(case, over_budget=over_budget)
    found += audits.pictures(case.classifier, case.reference, case.images, case.budget)
    if found:
        return found
    return explain(case) if over_budget else input_range(case)


def _constant(
    classifier: Classifier, reference: Reference, graph: GraphView | None
) -> tuple[str, ...]:
    """Return what is wrong with names, weights, biases or scales; nothing is run for it."""
    found = audits.label_names(reference.labels, classifier.labels)
    if graph is not None:
        found += audits.weights(graph, classifier.artifact, reference)
    return found


def _remarks(classifier: Classifier, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return what should be known of a file although it does not decide."""
    rows = []
    manifest = classifier.artifact.manifest
    if manifest and manifest.quantization.refusal:
        rows.append(
            f"{classifier.artifact.path.name} was written with --force: its export refused it"
        )
    if sorted(labels) != sorted(classifier.labels):
        pairs = zip(labels, classifier.labels, strict=True)
        named = ", ".join(f"{theirs} = {ours}" for ours, theirs in pairs if ours != theirs)
        rows.append(f"its class names are others than Keras's, taken in their order: {named}")
    return tuple(rows)
