"""From a trained model to a smaller one in a run folder of its own."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.keras_model.source import run_keras
from runtime.errors import ExportError, ParityError
from toolkit.compression.distillation_data import prepare
from toolkit.compression.search import Search, Student, Target
from toolkit.datasets.splits import train_validation
from toolkit.parity.statistics import mcnemar, paired_interval
from toolkit.runs import run as runs
from toolkit.runs.files import write_json
from toolkit.trained_model import Overrides
from toolkit.training import checkpoint
from toolkit.training.checkpoint import State
from toolkit.training.input_pipeline import Schedule
from toolkit.training.loop import run_epochs
from toolkit.training.results import describe, write_results
from toolkit.training.schedules import Cosine
from toolkit.training.train import TrainingInterruptedError

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from toolkit.compression.distillation_data import DistillationData
    from toolkit.compression.options import CompressOptions
    from toolkit.trained_model import TrainedModel
    from toolkit.training.results import TrainReporter

RECORD = "compression.json"
_TRIAL_EPOCHS = 2
_UNRECORDED = {"limit": None, "validation_split": 0.1, "seed": 0}  # of a bare .keras file


@dataclass(frozen=True, slots=True)
class Compression:
    """Result of a compression.

    Attributes:
        run: the run folder of the student.
        record: the content of ``compression.json``.

    Example::

        found = Compressor(trained, CompressOptions(), reporter).compress(Path("runs"))
        print(found.record["speedup"], found.record["accuracy"])
    """

    run: runs.Run
    record: dict[str, Any]


class Compressor:
    """Makes students of one teacher.

    Example::

        trained = resolve(Path("runs/latest"), DataOptions())
        compressor = Compressor(trained, CompressOptions(target_speedup=4.0), reporter)
        student = compressor.compress(Path("runs")).run
    """

    def __init__(
        self,
        trained: TrainedModel,
        options: CompressOptions,
        reporter: TrainReporter,
    ) -> None:
        """Measure the importance of the teacher's channels.

        Args:
            trained: the teacher with its data.
            options: size and training of the student.
            reporter: receives the progress.

        Raises:
            ExportError: the teacher has nothing to narrow.
        """
        self._options, self._reporter = options, reporter
        # training, evaluation and use of the student are those of its teacher, whatever the data
        dataset = replace(trained.dataset, labels=trained.labels, spec=trained.spec)
        self._trained = replace(trained, dataset=dataset)
        recorded = runs.config_beside(trained.source.path) or {"options": _UNRECORDED}
        split = recorded["options"]
        self._config = recorded | describe(split, trained.data, dataset) | {"name": trained.name}
        _, self._validation = train_validation(
            trained.dataset, split["validation_split"], split["seed"]
        )
        self._search = Search(trained, reporter)

    @cached_property
    def _distillation_data(self) -> DistillationData:
        """Training data of the students; it takes minutes, so only once there is a student."""
        trained = self._trained
        kept = np.setdiff1d(trained.training, self._validation)
        return prepare(trained, kept, self._validation, self._options, self._reporter)

    def compress(self, parent: Path) -> Compression:
        """Make a student, distil it, and write its run folder.

        Args:
            parent: the folder in which the run folder is made.

        Raises:
            ExportError: no narrower network is fast enough.
            ParityError: each student lost more accuracy than ``max_drop`` allows; the run
                folder of the last one stays.
            TrainingInterruptedError: Ctrl-C.
        """
        *_, slowest = self._options.speedups
        for speedup in self._options.speedups:
            try:
                students = self._search.students(Target(speedup, self._options.target_shrink))
            except ExportError as error:
                if speedup == slowest:
                    raise
                self._reporter.say(str(error))  # the next one may be possible
                continue
            student = self._best_after_trial(students)
            found = self._distil(student, parent)
            drop = found.record["validation_drop"]
            if self._options.max_drop is None or drop <= self._options.max_drop:
                return found
            self._reporter.say(
                f"{student.speedup:.1f} times as fast loses {drop:.2f} points on the validation "
                f"images, more than {self._options.max_drop:g}"
            )
        raise ParityError(
            f"no student stays within {self._options.max_drop:g} points; the last one is kept in "
            f"{found.run.path}. More --epochs, a smaller --target-speedup, or a larger "
            "--max-drop may help"
        )

    def _best_after_trial(self, students: tuple[Student, ...]) -> Student:
        """Train each for two epochs and take the one with the lowest distillation loss."""
        if len(students) == 1:
            return students[0]
        return min(students, key=self._loss_after_trial)

    def _loss_after_trial(self, student: Student) -> float:
        weights = student.model.get_weights()
        self._compile(student.model)
        batches = self._distillation_data.epoch_batches(self._schedule(_TRIAL_EPOCHS))
        for number in range(1, _TRIAL_EPOCHS + 1):
            logs = student.model.fit(batches(number), epochs=1, shuffle=False, verbose=0).history
        student.model.set_weights(weights)
        loss = logs["loss"][-1]
        self._reporter.say(f"{student}: loss {loss:.4f} after a trial of {_TRIAL_EPOCHS} epochs")
        return float(loss)

    def _distil(self, student: Student, parent: Path) -> Compression:
        self._compile(student.model)
        name = f"{self._config['name']}-small"
        folder = runs.start(parent, name)
        write_json(folder / runs.CONFIG, self._described(name, student))
        rule = Cosine(self._options.learning_rate, self._options.epochs)
        state, schedule = State(rule), self._schedule(self._options.epochs)
        try:
            data = self._distillation_data
            run_epochs(folder, student.model, state, data, schedule, self._reporter)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, KeyboardInterrupt):
                raise TrainingInterruptedError(None, state) from None
            raise
        model = checkpoint.load_best(folder)
        write_results(folder, model, state, self._trained.dataset)
        shutil.rmtree(folder / runs.CHECKPOINT)
        record = self._record(student, model)
        write_json(folder / RECORD, record)
        return Compression(runs.open_run(runs.finish(folder)), record)

    def _schedule(self, epochs: int) -> Schedule:
        return Schedule(epochs, self._options.batch_size, self._options.seed)

    def _compile(self, model: keras.Model) -> None:
        import keras

        logits = self._trained.source.scores == "logits"
        model.compile(
            optimizer=keras.optimizers.Adam(self._options.learning_rate),
            loss=keras.losses.CategoricalCrossentropy(from_logits=logits),
            metrics=["accuracy"],
        )

    def _described(self, name: str, student: Student) -> dict[str, Any]:
        """Return the configuration of the teacher with the changes made to it."""
        teacher = self._trained.source
        lineage = {
            "teacher": self._trained.name,
            "teacher_sha256": teacher.sha256,
            "teacher_model": str(teacher.path.resolve()),
            "stated": asdict(self._trained.stated or Overrides()),
            "widths": student.widths,
            "kernel": student.form.kernel,
            "pooled": student.form.pooled,
            "options": asdict(self._options),
        }
        return self._config | {"name": name, "lineage": lineage}

    def _record(self, student: Student, model: keras.Model) -> dict[str, Any]:
        """Compare student and teacher on the test images, and on the validation images."""
        data = self._trained.dataset
        teacher, small = self._correct(model, data.x_test, data.y_test)
        chosen = self._validation
        before, after = self._correct(model, data.x_train[chosen], data.y_train[chosen])
        return {
            "speedup": round(student.speedup, 2),
            "shrink": round(student.shrink, 2),
            "bytes": student.bytes,
            "parameters": int(model.count_params()),
            "teacher_parameters": int(self._trained.source.model.count_params()),
            "teacher_accuracy": float(teacher.mean()),
            "accuracy": float(small.mean()),
            "accuracy_interval": list(paired_interval(teacher, small)),
            "mcnemar_p": mcnemar(teacher, small),
            "test_images": len(teacher),
            "validation_drop": 100 * float(before.mean() - after.mean()) if len(before) else 0.0,
        }

    def _correct(
        self, model: keras.Model, images: NDArray[np.uint8], truth: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return for which images the prediction of teacher and student is correct."""
        batch = self._trained.spec.apply(images)
        teacher = self._trained.source.predict(batch)
        return teacher.argmax(axis=1) == truth, run_keras(model, batch).argmax(axis=1) == truth
