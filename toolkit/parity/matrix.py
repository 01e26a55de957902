"""The engine matrix: one file in every engine, batch size and number of threads."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import BackendOptions, for_suffix
from runtime.errors import BackendError, InputError
from runtime.model import Classifier, open_silently
from runtime.tasks.classification import margins
from toolkit.parity.report import FAIL, PASS, REFUSED
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.modelfile.artifact import Artifact

BATCHES, THREADS = (1, 7, 64), (1, 2)
_IMAGES, _IMAGES_OF_SLOW_FILES = 256, 64
_SLOW = 0.005  # seconds per image; int16x8 without XNNPACK takes four times that


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One file in one engine, with one batch size and one number of threads.

    Attributes:
        format: of the artifact.
        path: of the artifact.
        backend: the engine.
        batch: images per call; None if the engine refuses the file.
        threads: of one inference; None if the engine refuses the file.
        images: how many were run.
        different: on how many the label differs from that of the first cell of the file.
        near_ties: on how many of those the first cell was itself unsure.
        max_difference: largest difference of a probability to the first cell; None if
            the engine refuses the file.
        verdict: ``pass`` if the labels are the same, near ties aside, ``fail``, or
            ``refused``.
        reason: why it is not ``pass``.

    Example::

        failed = [cell.backend for cell in engine_matrix(files, images, budget_for)
                  if cell.verdict == FAIL]
    """

    format: str
    path: str
    backend: str
    batch: int | None
    threads: int | None
    images: int
    different: int
    near_ties: int
    max_difference: float | None
    verdict: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def engine_matrix(
    files: Sequence[Artifact],
    images: NDArray[np.uint8],
    budget_of: Callable[[str], ParityBudget],
    reporter: Reporter = SILENT,
) -> tuple[MatrixCell, ...]:
    """Run the same images in every installed engine, at batch 1, 7 and 64, 1 and 2 threads.

    Args:
        files: the artifacts.
        images: uint8 (n, height, width, channels); the first 256 are used, 64 of them
            for files that take more than 5 ms per image.
        budget_of: returns the budget of a format, for its ``tie_margin``.
        reporter: shows progress.

    Returns:
        One cell each. The first of a file (first engine, batch 1, 1 thread) is the one that
        the others are compared with.

    Raises:
        InputError: no files, no images, or images of another size than a file takes.

    Example::

        cells = engine_matrix(read_exports(folder), dataset.x_test, budget_for)
        verdicts = {(cell.backend, cell.batch): cell.verdict for cell in cells}
    """
    if not files or len(images) == 0:
        raise InputError("nothing to compare: no images or no artifacts")
    cells: list[MatrixCell] = []
    with reporter.task("engines", len(files)) as tick:
        for file in files:
            cells += _rows(file, images[:_IMAGES], budget_of(file.format).tie_margin)
            tick(1)
    return tuple(cells)


def _rows(file: Artifact, images: NDArray[np.uint8], tie_margin: float) -> Iterator[MatrixCell]:
    first: NDArray[np.float32] | None = None
    for backend in for_suffix(file.suffix):
        if not backend.installed():
            continue
        for threads in THREADS:
            try:
                classifier = open_silently(file, backend.name, BackendOptions(threads=threads))
            except BackendError as error:
                yield _refused(file, backend.name, str(error))
                break
            with classifier:
                if first is None:
                    images = _bounded(classifier, images)
                for batch in BATCHES:
                    outputs = _in_batches(classifier, images, batch)
                    first = outputs if first is None else first
                    yield _cell(file, backend.name, batch, threads, first, outputs, tie_margin)


def _bounded(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take fewer images for a slow file."""
    seconds = []
    for _ in range(4):  # the best of them, so that a busy machine does not count
        started = time.perf_counter()
        classifier.predict_batch(images[:1])
        seconds.append(time.perf_counter() - started)
    return images[:_IMAGES_OF_SLOW_FILES] if min(seconds) > _SLOW else images


def _in_batches(
    classifier: Classifier, images: NDArray[np.uint8], size: int
) -> NDArray[np.float32]:
    return np.concatenate(
        [
            classifier.predict_batch(images[start : start + size])
            for start in range(0, len(images), size)
        ]
    )


def _cell(
    file: Artifact,
    backend: str,
    batch: int,
    threads: int,
    first: NDArray[np.float32],
    outputs: NDArray[np.float32],
    tie_margin: float,
) -> MatrixCell:
    moved = first.argmax(axis=1) != outputs.argmax(axis=1)
    unsure = moved & (margins(first) < tie_margin)
    different, near_ties = int(moved.sum()), int(unsure.sum())
    return MatrixCell(
        format=file.format,
        path=str(file.path),
        backend=backend,
        batch=batch,
        threads=threads,
        images=len(outputs),
        different=different,
        near_ties=near_ties,
        max_difference=float(np.abs(first - outputs).max()),
        verdict=PASS if different == near_ties else FAIL,
        reason="" if different == near_ties else f"other labels on {different - near_ties} images",
    )


def _refused(file: Artifact, backend: str, reason: str) -> MatrixCell:
    return MatrixCell(
        format=file.format,
        path=str(file.path),
        backend=backend,
        batch=None,
        threads=None,
        images=0,
        different=0,
        near_ties=0,
        max_difference=None,
        verdict=REFUSED,
        reason=reason,
    )
