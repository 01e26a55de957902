"""The request to an exporter: options, calibration images and check images of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exporters.calibration import (
    CalibrationOptions,
    CalibrationSet,
    TrainingImages,
    draw,
    stratified_sample,
)
from exporters.check import CheckImages
from exporters.quantization_options import QuantizationOptions
from exporters.request import ExportRequest
from toolkit.runs.versions import versions

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.trained_model import TrainedModel


_CHECK_IMAGES = 256
_LINEAGE = ("teacher", "teacher_sha256")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to write.

    Attributes:
        formats: format names; empty means all.
        out: folder; None means that of the run, or the current one.
        calibration: how calibration images are drawn.
        quantization: settings of some formats; the others refuse them.
        force: write a file even if it fails the check.

    Example:
        >>> options = ExportOptions(("tflite-int8",), calibration=CalibrationOptions(samples=128))
        >>> options.calibration.samples
        128
    """

    formats: tuple[str, ...]
    out: Path | None = None
    calibration: CalibrationOptions = CalibrationOptions()
    quantization: QuantizationOptions = field(default_factory=QuantizationOptions)
    force: bool = False


def build_request(
    trained: TrainedModel, options: ExportOptions, *, calibrate: bool
) -> ExportRequest:
    """Return the request to export a model.

    Args:
        trained: the model with its data.
        options: what to write.
        calibrate: whether to draw calibration images.

    Example::

        request = build_request(trained, ExportOptions(("tflite-int8",)), calibrate=True)
        artifact = formats.registry()["tflite-int8"]().export(request)
    """
    return ExportRequest(
        graphs=trained.graphs,
        name=trained.name,
        labels=trained.labels,
        spec=trained.spec,
        check=_check_images(trained),
        calibration=draw_calibration(trained, options.calibration) if calibrate else None,
        dataset=trained.dataset.name,
        out=options.out or trained.exports,
        versions=versions(),
        quantization=options.quantization,
        force=options.force,
        lineage={key: trained.lineage[key] for key in _LINEAGE if key in trained.lineage},
    )


def draw_calibration(trained: TrainedModel, options: CalibrationOptions) -> CalibrationSet:
    """Draw calibration images from the training images.

    Raises:
        CalibrationError: there is nothing to draw from, or all images are equal.

    Example::

        calibration = draw_calibration(trained, CalibrationOptions(samples=128, seed=0))
    """
    dataset = trained.dataset
    source = TrainingImages(dataset.x_train, dataset.y_train, trained.training, dataset.name)
    return draw(source, trained.spec, options)


def _check_images(trained: TrainedModel) -> CheckImages:
    """Draw test images, stratified by class, in random order."""
    dataset = trained.dataset
    everything = np.arange(len(dataset.y_test))
    options = CalibrationOptions(samples=_CHECK_IMAGES)
    chosen = np.random.default_rng(0).permutation(
        stratified_sample(dataset.y_test, everything, options)
    )
    return CheckImages(
        trained.spec.apply(dataset.x_test[chosen]),
        dataset.y_test[chosen],
        f"{dataset.name} test images",
    )
