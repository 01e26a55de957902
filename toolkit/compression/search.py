"""Finds the widest network with a requested speed-up, by timing int8 files on this machine."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from exporters import formats
from exporters.calibration import CalibrationOptions
from exporters.graphs import FloatGraphs
from runtime.benchmark import measure_interleaved
from runtime.errors import ExportError
from runtime.terminal.silence import silenced
from toolkit.compression.channels import find
from toolkit.compression.importance import importance
from toolkit.compression.narrowing import Cut, largest_kernel, narrowed
from toolkit.compression.strides import pooled
from toolkit.compression.widths import keep, ladder
from toolkit.export.request import ExportOptions, build_request
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras

    from exporters.request import ExportRequest
    from runtime.modelfile.artifact import Artifact
    from toolkit.compression.widths import Widths
    from toolkit.trained_model import TrainedModel

TIMED_FORMAT = "tflite-int8"
_LOG = logging.getLogger("toolkit")
_KERNELS = (None, 3)  # as they are; no side above 3
_WORTH = 1.25  # times as fast: less is hardly more than the error of the timing
_SECONDS = 0.4  # of timing, per file and step
_SCORED = 1000  # training images for the importance of channels
_CALIBRATION = CalibrationOptions(samples=32)  # its ranges do not change the speed


@dataclass(frozen=True, slots=True)
class Form:
    """Changes besides the widths that make a network faster.

    Attributes:
        kernel: the largest side of a kernel; None if no kernel was changed.
        pooled: by the name of a removed pooling, the convolution that took its stride.

    Example:
        >>> str(Form(kernel=3))
        ', kernels 3x3'
    """

    kernel: int | None = None
    pooled: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the changes as text, each after a comma; empty if there are none."""
        kernel = f", kernels {self.kernel}x{self.kernel}" if self.kernel else ""
        pooled = f", a stride for pooling {' and '.join(self.pooled)}" if self.pooled else ""
        return kernel + pooled


@dataclass(frozen=True, slots=True)
class Student:
    """A narrower network before distillation.

    Attributes:
        model: with the kept weights.
        speedup: of its int8 file against that of the teacher, measured.
        shrink: how many times smaller its int8 file is.
        bytes: of its int8 file.
        widths: channels by the name of the first layer that produces them.
        form: the other changes.

    Example:
        >>> str(Student(None, 4.1, 3.0, 9000, {"conv1": 8, "conv2": 16}, Form()))
        'widths 8-16'
    """

    model: keras.Model
    speedup: float
    shrink: float
    bytes: int
    widths: dict[str, int]
    form: Form

    def __str__(self) -> str:
        """Return the widths and the other changes as text."""
        return f"widths {'-'.join(map(str, self.widths.values()))}{self.form}"


@dataclass(frozen=True, slots=True)
class Target:
    """Requirements for a student, relative to its teacher, both as int8 files.

    Attributes:
        speedup: how many times as fast.
        shrink: how many times smaller.

    Example:
        >>> str(Target(speedup=4.0, shrink=2.0))
        '4 times as fast and 2 times smaller'
    """

    speedup: float
    shrink: float = 1.0

    def __str__(self) -> str:
        """Return the requirements as text, for messages."""
        small = f" and {self.shrink:g} times smaller" if self.shrink > 1 else ""
        return f"{self.speedup:g} times as fast{small}"

    def is_met(self, student: Student) -> bool:
        """Whether a student meets the requirements."""
        return student.speedup >= self.speedup and student.shrink >= self.shrink


class Search:
    """Searches among narrower networks of one teacher.

    Example::

        for student in Search(trained, reporter).students(Target(speedup=4.0)):
            print(student, student.speedup, student.bytes)
    """

    def __init__(self, trained: TrainedModel, reporter: Reporter = SILENT) -> None:
        """Measure the importance of the teacher's channels.

        Raises:
            ExportError: the teacher has nothing to narrow.
        """
        self._model = trained.source.model
        self._reporter = reporter
        self._channels = find(self._model)
        chosen = trained.training[:: max(1, len(trained.training) // _SCORED)][:_SCORED]
        data = trained.dataset
        batch = trained.spec.apply(data.x_train[chosen])
        truth, kind = data.y_train[chosen], trained.source.scores
        self._scores = importance(self._model, self._channels, batch, truth, kind)
        options = ExportOptions((TIMED_FORMAT,), calibration=_CALIBRATION)
        self._request = build_request(trained, options, calibrate=True)
        self._exporter = formats.registry()[TIMED_FORMAT]()
        self._teacher = self._draft(self._request)
        self._pixels, self._spec = data.x_train[chosen[:1]], trained.spec

    def students(self, target: Target) -> tuple[Student, ...]:
        """Return the widest network of each form that meets the requirements.

        Raises:
            ExportError: there is none; the message names the fastest.
        """
        rungs, forms = ladder(self._channels.groups), tuple(self._forms())
        most = len(forms) * (1 + math.ceil(math.log2(len(rungs))))
        with self._reporter.task("networks timed", most) as tick:

            def timed(widths: Widths, form: Form) -> Student:
                student = self._student(widths, form)
                tick(1)
                return student

            least = [timed(rungs[-1], form) for form in forms]
            found = [
                _widest(rungs, student, target, timed)
                for student in least
                if target.is_met(student)
            ]
        if not found:
            raise ExportError(self._out_of_reach(target, least))
        for student in found:
            self._reporter.say(
                f"{student}: {student.speedup:.1f} times as fast, {student.bytes:,} bytes"
            )
        return tuple(found)

    def _out_of_reach(self, target: Target, narrowest: list[Student]) -> str:
        fastest = max(student.speedup for student in narrowest)
        smallest = max(student.shrink for student in narrowest)
        reason = (
            f"no narrower {self._model.name} is {target} here; the fastest is {fastest:.1f} times "
            f"as fast, the smallest {smallest:.1f} times smaller: "
        )
        if fastest < _WORTH:
            return f"{reason}it has too few channels to spare"
        if fastest < target.speedup:
            return f"{reason}--target-speedup {fastest * 0.9:.1f}"
        return f"{reason}--target-shrink {math.floor(smallest)}"

    def _forms(self) -> Iterator[Form]:
        """Yield the useful forms; early poolings are removed first: they have most pixels."""
        largest, replaced = largest_kernel(self._model), list(pooled(self._model).items())
        kernels = [kernel for kernel in _KERNELS if kernel is None or kernel < largest]
        for kernel, count in product(kernels, range(len(replaced) + 1)):
            yield Form(kernel, dict(replaced[:count]))

    def _student(self, widths: Widths, form: Form) -> Student:
        cut = Cut(keep(self._scores, widths), form.kernel, form.pooled)
        model = narrowed(self._model, self._channels, cut)
        graphs = FloatGraphs(replace(self._request.source, model=model))
        draft = self._draft(replace(self._request, graphs=graphs))
        with self._exporter.open(draft) as small, self._exporter.open(self._teacher) as large:
            ours, theirs = measure_interleaved(
                tuple(partial(one.run_images, self._pixels, self._spec) for one in (small, large)),
                _SECONDS,
            )
        student = Student(
            model=model,
            speedup=theirs.median_ms / ours.median_ms,
            shrink=len(self._teacher.data) / len(draft.data),
            bytes=len(draft.data),
            widths={group.makers[0]: width for group, width in widths.items()},
            form=form,
        )
        _LOG.debug("%s: %.2f times as fast, %d bytes", student, student.speedup, student.bytes)
        return student

    def _draft(self, request: ExportRequest) -> Artifact:
        with silenced():
            return self._exporter.draft(request)


def _widest(
    rungs: list[Widths], least: Student, target: Target, timed: Callable[[Widths, Form], Student]
) -> Student:
    """Bisect from the narrowest: narrower is faster, apart from errors of the timing."""
    slow, fast, best = 0, len(rungs) - 1, least
    while fast - slow > 1:
        middle = (slow + fast) // 2
        student = timed(rungs[middle], least.form)
        if target.is_met(student):
            fast, best = middle, student
        else:
            slow = middle
    return best
