"""Gathers the contents of a report: training, parity, speed, and the machine."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts
from toolkit.evaluation.metrics import Evaluation, evaluate
from toolkit.parity.flips import sheet
from toolkit.parity.reference import Reference
from toolkit.parity.verify import prepare
from toolkit.progress import SILENT, Reporter
from toolkit.recommend.measure import recommend
from toolkit.report.commands import commands
from toolkit.runs import run
from toolkit.runs.files import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.modelfile.artifact import Artifact
    from toolkit.recommend.choice import Measured
    from toolkit.recommend.measure import Recommendation, RecommendOptions
    from toolkit.trained_model import TrainedModel

_CHUNK = 500  # images between two steps of the progress bar


@dataclass(frozen=True, eq=False)
class Contents:
    """The contents of a report.

    Attributes:
        name: of the model.
        made: time in UTC, to the minute.
        training: options, data and results of the run, as recorded; empty for a bare file.
        history: one row per epoch; empty for a bare file.
        keras: evaluation of the Keras model on the test images.
        chosen: evaluation of the recommended file; None if none is recommended.
        measured: verdicts, latency, size, memory, and the choice.
        facts: quantization and calibration of each file, by path.
        flips: of each file in each engine that ran it: verdict and flipped images.
        commands: that reproduce all of this.
        versions: of the installed packages.
        parameters: of the Keras model.

    Example::

        contents = gather(trained, RecommendOptions(VerifyOptions(paths)))
        write(contents, HTML, Path("report.html"))
    """

    name: str
    made: str
    training: dict[str, Any]
    history: tuple[dict[str, float], ...]
    keras: Evaluation
    chosen: Evaluation | None
    measured: Recommendation
    facts: dict[str, dict[str, str]]
    flips: tuple[dict[str, Any], ...]
    commands: tuple[str, ...]
    versions: dict[str, str]
    parameters: int


def gather(
    trained: TrainedModel, options: RecommendOptions, reporter: Reporter = SILENT
) -> Contents:
    """Measure the files of a model and read what its run recorded.

    Args:
        trained: the Keras model with its data.
        options: the files, engines, number of images and seconds of timing.
        reporter: receives the progress.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
        MissingDependencyError: scikit-learn, or an engine, is not installed.

    Example::

        contents = gather(trained, RecommendOptions(VerifyOptions(limit=1000)), reporter)
    """
    from toolkit.runs.versions import versions

    trained = prepare(trained, options.verify, reporter).trained
    measured = recommend(trained, options, reporter)
    images = trained.dataset.x_test[: measured.images]
    truth = trained.dataset.y_test[: measured.images]
    outputs = Reference.of(trained).predict_images(images, reporter)
    folder = trained.source.path.parent
    training = _training(folder)
    paths = dict.fromkeys(entry.parity.path for entry in measured.entries)
    return Contents(
        name=trained.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        training=training,
        history=_history(folder / run.HISTORY) if training else (),
        keras=evaluate(outputs, truth, trained.labels),
        chosen=_evaluated(measured.chosen, trained, measured.images, reporter),
        measured=measured,
        facts={path: _facts(artifacts.read(path)) for path in paths},
        flips=tuple(sheet(one, images) for one in measured.parity.artifacts if one.metrics),
        commands=commands(trained, training, (entry.parity.format for entry in measured.entries)),
        versions=versions(),
        parameters=int(trained.source.model.count_params()),
    )


def _training(folder: Path) -> dict[str, Any]:
    """Return configuration and results of a run folder; empty if it is none."""
    if not (folder / run.CONFIG).is_file() or not (folder / run.METRICS).is_file():
        return {}
    return {"config": read_json(folder / run.CONFIG), "metrics": read_json(folder / run.METRICS)}


def _history(path: Path) -> tuple[dict[str, float], ...]:
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]
    return tuple(rows)


def _evaluated(
    chosen: Measured | None, trained: TrainedModel, count: int, reporter: Reporter
) -> Evaluation | None:
    """Evaluate the recommended file in its engine on the test images."""
    if chosen is None:
        return None
    images, parts = trained.dataset.x_test[:count], []
    with (
        open_silently(artifacts.read(chosen.parity.path), chosen.parity.backend) as classifier,
        reporter.task(f"{chosen.parity.format} on {chosen.parity.backend}", count) as tick,
    ):
        for start in range(0, count, _CHUNK):
            parts.append(classifier.predict_batch(images[start : start + _CHUNK]))
            tick(len(parts[-1]))
        order = [classifier.labels.index(label) for label in trained.labels]
    truth = trained.dataset.y_test[:count]
    return evaluate(np.concatenate(parts)[:, order], truth, trained.labels)


def _facts(file: Artifact) -> dict[str, str]:
    """Return the properties of a file, in the order of the table."""
    found = {"size": f"{len(file.data):,} bytes", "SHA-256": file.sha256}
    manifest = file.manifest
    if manifest is None:
        return found | {"made by": "another tool: the file has no manifest"}
    stored = manifest.quantization
    found["numbers"] = stored.scheme
    if stored.calibration:
        one = stored.calibration
        found["calibration"] = f"{one.samples} {one.dataset}, seed {one.seed}, {one.method}"
    if stored.float_layers:
        found["left in float"] = ", ".join(stored.float_layers)
    for name, tensor in (("input", manifest.input), ("output", manifest.output)):
        scale = (
            f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}" if tensor.scale else ""
        )
        found[name] = f"{tensor.dtype} {list(tensor.shape)}{scale}"
    if manifest.multiply_adds:
        count = manifest.multiply_adds
        text = f"{count / 1e6:,.1f} million" if count >= 100_000 else f"{count:,}"
        found["multiply-adds"] = f"{text} per image"
    if manifest.requirements.engines:
        engines = (f"{name} {version}" for name, version in manifest.requirements.engines.items())
        found["opened in"] = ", ".join(engines)
    return found | {"made by": manifest.created.tool}
