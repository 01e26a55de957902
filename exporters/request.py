"""Export request: the model to export and what its files record about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from exporters.check import CheckImages
from exporters.quantization_options import QuantizationOptions
from runtime.errors import CalibrationError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from exporters.calibration import CalibrationSet
    from exporters.graphs import FloatGraphs
    from exporters.keras_model.source import KerasSource
    from runtime.preprocessing.spec import PreprocessSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """Model, data and options of an export; one request serves all formats.

    Attributes:
        graphs: the Keras model with its float32 conversions.
        name: model name; files are called ``name.variant.suffix``.
        labels: class names, in the order of the outputs.
        spec: preprocessing from image to model input.
        check: test images on which each file is compared with Keras.
        calibration: training images; required by the quantized formats.
        dataset: name of the dataset the model was trained on.
        out: output folder.
        versions: package versions, recorded in the file.
        quantization: quantization options; a format that does not support one raises.
        force: write a file that fails the comparison, and record why it failed.
        lineage: see :class:`runtime.modelfile.manifest.Created`.

    Example::

        request = ExportRequest(
            graphs=FloatGraphs(load_keras(Path("model.keras"))),
            name="mnist-cnn",
            labels=tuple("0123456789"),
            spec=PreprocessSpec(28, 28, 1),
            check=CheckImages(batch, labels, "MNIST test images"),
            calibration=None,
            dataset="mnist",
            out=Path("exports"),
        )
    """

    graphs: FloatGraphs
    name: str
    labels: tuple[str, ...]
    spec: PreprocessSpec
    check: CheckImages
    calibration: CalibrationSet | None
    dataset: str
    out: Path
    versions: dict[str, str] = field(default_factory=dict)
    quantization: QuantizationOptions = field(default_factory=QuantizationOptions)
    force: bool = False
    lineage: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the fields against each other.

        Raises:
            InputError: the name is no file name, or the preprocessing or labels do not
                match the model.
        """
        require_name(self.name)
        self.source.require(self.spec, self.labels)

    @property
    def source(self) -> KerasSource:
        """The Keras model."""
        return self.graphs.source

    @cached_property
    def reference(self) -> NDArray[np.float32]:
        """Keras's predictions for the check images, (n, classes); computed once."""
        return self.source.predict(self.check.batch)

    def require_calibration(self, format_name: str) -> CalibrationSet:
        """Return the calibration images.

        Args:
            format_name: named in the error.

        Raises:
            CalibrationError: there are none.
        """
        if self.calibration is None:
            raise CalibrationError(f"format {format_name} needs calibration images: --data PATH")
        return self.calibration


def require_name(name: str) -> None:
    """Check that a model name can be part of a file name.

    Raises:
        InputError: it contains other characters than letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a file name: use letters, digits, . _ -")
