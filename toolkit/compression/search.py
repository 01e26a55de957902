"""Finds the widest network that is as fast as asked, by timing int8 files on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporters import formats
from exporters.calibration import CalibrationOptions
from runtime.benchmark import measure_interleaved
from runtime.errors import ExportError
from runtime.quiet import silenced
from toolkit import exporting
from toolkit.compression.channels import find
from toolkit.compression.importance import importance
from toolkit.compression.narrowing import Cut, narrowed
from toolkit.compression.widths import keep, ladder
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    import keras

    from exporters.base import ExportRequest
    from runtime.artifact import Artifact
    from toolkit.compression.widths import Widths
    from toolkit.subject import Subject

TIMED_FORMAT = "tflite-int8"
KERNELS = (None, 3)  # as they are; no side above 3
_SECONDS = 0.4  # of timing, a file and step
_SCORED = 1000  # training images on which importance is measured
_CALIBRATION = CalibrationOptions(samples=32)  # its ranges do not change the speed


@dataclass(frozen=True, slots=True)
class Student:
    """A narrower network, not yet taught.

    Attributes:
        model: with the weights that stayed.
        speedup: of its int8 file against that of the teacher, measured.
        bytes: of its int8 file.
        widths: channels by the name of the first layer that makes them.
        kernel: the largest side of a kernel; None if all stayed as they were.
    """

    model: keras.Model
    speedup: float
    bytes: int
    widths: dict[str, int]
    kernel: int | None


class Search:
    """Searches among narrower networks of one teacher."""

    def __init__(self, subject: Subject, reporter: Reporter = SILENT) -> None:
        """Measure what each channel of the teacher is worth.

        Raises:
            ExportError: the teacher has nothing to narrow.
        """
        self._model = subject.source.model
        self._reporter = reporter
        self._channels = find(self._model)
        chosen = subject.training[:: max(1, len(subject.training) // _SCORED)][:_SCORED]
        data = subject.dataset
        batch = subject.spec.apply(data.x_train[chosen])
        self._scores = importance(self._model, self._channels, batch, data.y_train[chosen])
        options = exporting.ExportOptions((TIMED_FORMAT,), calibration=_CALIBRATION)
        self._request = exporting.build_request(subject, options, calibrate=True)
        self._exporter = formats.registry()[TIMED_FORMAT]()
        self._teacher = self._draft(self._request)
        self._batch = batch[:1]

    def students(self, target: float) -> tuple[Student, ...]:
        """Return the widest network of each kernel size that is fast enough.

        Args:
            target: how much faster than the teacher, as int8 files.

        Raises:
            ExportError: none is fast enough; the message names the fastest.
        """
        rungs = ladder(self._channels.groups)
        found, fastest = [], 0.0
        for kernel in KERNELS:
            least = self._student(rungs[-1], kernel)
            fastest = max(fastest, least.speedup)
            if least.speedup >= target and not self._is_repeated(kernel):
                found.append(self._widest(rungs, kernel, target, least))
        if not found:
            raise ExportError(
                f"no narrower {self._model.name} is {target:g} times as fast here; the fastest "
                f"is {fastest:.1f} times: --target-speedup {fastest * 0.9:.1f}"
            )
        return tuple(found)

    def _is_repeated(self, kernel: int | None) -> bool:
        """Whether a model has no kernel above this side, so that cutting changes nothing."""
        sides = [max(getattr(layer, "kernel_size", (1,))) for layer in self._model.layers]
        return kernel is not None and max(sides) <= kernel

    def _widest(
        self, rungs: list[Widths], kernel: int | None, target: float, least: Student
    ) -> Student:
        """Bisect: narrower is faster, but for what the clock makes of it."""
        slow, fast, best = 0, len(rungs) - 1, least
        while fast - slow > 1:
            middle = (slow + fast) // 2
            student = self._student(rungs[middle], kernel)
            if student.speedup >= target:
                fast, best = middle, student
            else:
                slow = middle
        return best

    def _student(self, widths: Widths, kernel: int | None) -> Student:
        cut = Cut(keep(self._scores, widths), kernel)
        model = narrowed(self._model, self._channels, cut)
        draft = self._draft(
            replace(self._request, source=replace(self._request.source, model=model))
        )
        with self._exporter.open(draft) as small, self._exporter.open(self._teacher) as large:
            ours, theirs = measure_interleaved(
                (lambda: small.run(self._batch), lambda: large.run(self._batch)), _SECONDS
            )
        student = Student(
            model=model,
            speedup=theirs.median_ms / ours.median_ms,
            bytes=len(draft.data),
            widths={group.makers[0]: width for group, width in widths.items()},
            kernel=kernel,
        )
        self._reporter.say(
            f"widths {'-'.join(map(str, widths.values()))}"
            f"{f', kernels {kernel}x{kernel}' if kernel else ''}: "
            f"{student.speedup:.1f} times as fast, {student.bytes:,} bytes"
        )
        return student

    def _draft(self, request: ExportRequest) -> Artifact:
        with silenced():
            return self._exporter.draft(request)
