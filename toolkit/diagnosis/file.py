"""The diagnosis of a model file against the Keras model that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporters.calibration import CalibrationOptions, stratified_sample
from runtime.backends import for_suffix
from runtime.errors import InputError
from runtime.modelfile import artifact as artifacts
from toolkit.diagnosis.measure import diagnose
from toolkit.inspection import view
from toolkit.inspection.float_view import float_view
from toolkit.progress import SILENT, Reporter
from toolkit.trained_model import as_exported

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from toolkit.diagnosis.report import Diagnosis
    from toolkit.trained_model import TrainedModel

DEFAULT_IMAGES = 128
_INTEGER = {".tflite": "tflite-int8", ".onnx": "onnx-int8"}


@dataclass(frozen=True, slots=True)
class DiagnoseOptions:
    """Which images are run.

    Attributes:
        images: how many training images; the test images stay untouched.
        seed: the same seed draws the same images. That of the calibration is 0: another
            one draws images that calibration did not use.

    Example:
        >>> DiagnoseOptions(images=64).seed
        1
    """

    images: int = DEFAULT_IMAGES
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: fewer than one image, or a negative seed.
        """
        if self.images < 1:
            raise InputError(f"--images must be at least 1, not {self.images}")
        if self.seed < 0:
            raise InputError(f"--seed must not be negative, not {self.seed}")


@dataclass(frozen=True, slots=True)
class FileDiagnosis:
    """The diagnosis of one file.

    Attributes:
        path: the file.
        format: the export format, ``unknown`` if the file does not record it.
        backend: the engine that ran it.
        found: its layers.

    Example::

        diagnosis = diagnose_file(trained, Path("mnist-cnn.int8.tflite"), DiagnoseOptions())
        print(diagnosis.found.worst.name, diagnosis.advice)
    """

    path: Path
    format: str
    backend: str
    found: Diagnosis

    @property
    def next_format(self) -> str | None:
        """The format to export again for a remedy; None if there is nothing to fix."""
        if self.found.is_exact or (self.found.is_good and not self.found.notes):
            return None
        return _INTEGER[self.path.suffix.lower()] if self.format == "unknown" else self.format

    @property
    def advice(self) -> str:
        """Which layer is worst, and what to do, as a sentence."""
        worst = self.found.worst
        if self.found.is_exact:
            least = "no difference at all" if worst.own_sqnr > 1e3 else f"{worst.own_sqnr:.0f} dB"
            return f"Nothing to diagnose: each layer computes what it computes in float ({least})."
        if worst.wrong:
            return f"Layer {worst.name} is damaged: {worst.remark}. Export the file again."
        what = f"The worst layer is {worst.name}: alone it is at {worst.own_sqnr:.0f} dB"
        if worst.remark:
            what = f"{what}; {worst.remark}"
        if self.found.is_good:
            last = self.found.in_order[-1]
            return f"{what}. No layer stands out; all together leave {last.sqnr:.0f} dB at the end."
        return f"{what}. Let the export find a calibration or layers to leave in float."

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        head = {"format": self.format, "path": str(self.path), "backend": self.backend}
        return head | self.found.to_json() | {"advice": self.advice}


def diagnose_file(
    trained: TrainedModel, path: Path, options: DiagnoseOptions, reporter: Reporter = SILENT
) -> FileDiagnosis:
    """Compare a file layer by layer with the Keras model, on training images.

    Raises:
        InputError: no such file.
        ArtifactError: it is damaged, or made from another network.
        ExportError: the Keras model cannot be converted.
        BackendError: the engine refuses it.

    Example::

        diagnosis = diagnose_file(trained, Path("mnist-cnn.int8.tflite"), DiagnoseOptions())
        decibels = {layer.name: layer.own_sqnr for layer in diagnosis.found.layers}
    """
    file = artifacts.read(path)
    trained = as_exported(trained, (file,), reporter)
    inside = view(file.data, file.suffix)
    original = float_view(trained.graphs, file.suffix)
    found = diagnose(inside, original, _images(trained, options), reporter)
    return FileDiagnosis(path, file.format, for_suffix(file.suffix)[0].name, found)


def _images(trained: TrainedModel, options: DiagnoseOptions) -> NDArray[np.float32]:
    dataset = trained.dataset
    wanted = CalibrationOptions(options.images, options.seed)
    chosen = stratified_sample(dataset.y_train, trained.training, wanted)
    return trained.spec.apply(dataset.x_train[chosen])
