"""The whole workflow on real digits: train, export, verify and time all formats and engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit import report
from toolkit.datasets import DataOptions
from toolkit.engines import ALL
from toolkit.export import export
from toolkit.export.request import ExportOptions
from toolkit.parity.verify import VerifyOptions
from toolkit.recommend.measure import RecommendOptions
from toolkit.trained_model import resolve
from toolkit.training import train
from toolkit.training.options import TrainOptions

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.modelfile.artifact import Artifact
    from toolkit.parity import ParityReport
    from toolkit.training.results import TrainReporter
    from toolkit.training.train import TrainResult

EPOCHS = 12
_SECONDS = 0.2  # of timing, per file and engine
_DATA = DataOptions(name="digits")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Result of the demo.

    Attributes:
        training: the run folder and its metrics.
        artifacts: one file per format.
        parity: the verdicts.
        page: the report, one HTML file.

    Example::

        result = demo(Path("runs"), reporter)
        print(result.parity.verdict, result.page)
    """

    training: TrainResult
    artifacts: tuple[Artifact, ...]
    parity: ParityReport
    page: Path


def demo(parent: Path, reporter: TrainReporter, epochs: int = EPOCHS) -> DemoResult:
    """Train the tutorial network on scikit-learn's digits, export it, verify and report.

    Args:
        parent: the folder in which the run folder is made.
        reporter: receives the progress.
        epochs: of the training.

    Example::

        demo(Path("runs"), reporter, epochs=3)
    """
    result = train.train(TrainOptions(epochs=epochs), _DATA, parent, reporter)
    trained = resolve(result.run.path, DataOptions(), reporter=reporter)
    files = tuple(one.artifact for one in export.export(trained, ExportOptions(()), reporter))
    verify = VerifyOptions(tuple(file.path for file in files), backend=ALL, golden=True)
    contents = report.gather(trained, RecommendOptions(verify, seconds=_SECONDS), reporter)
    page = result.run.path / report.HTML
    report.write(contents, report.HTML, page)
    return DemoResult(result, files, contents.measured.parity, page)
