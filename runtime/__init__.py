"""Run a model file on a device: one import, one engine, no TensorFlow.

Example::

    import runtime

    with runtime.load("mnist-cnn.int8.tflite") as classifier:
        print(classifier.predict("seven.png").label)

Nothing is imported before it is used, so that ``runtime --help`` starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.artifact import Artifact
    from runtime.backends import Backend, BackendOptions
    from runtime.classifier import Classifier, LoadOptions, load
    from runtime.errors import (
        ArtifactError,
        BackendError,
        CalibrationError,
        DataError,
        DeviceUnavailableError,
        EdgeError,
        ExportError,
        InputError,
        IntegrityError,
        MissingDependencyError,
        ParityError,
        UnknownNameError,
    )
    from runtime.golden import Golden, GoldenReport, replay
    from runtime.manifest import Manifest, TensorSpec
    from runtime.prediction import Prediction
    from runtime.preprocess import PreprocessSpec

__all__ = [
    "Artifact",
    "ArtifactError",
    "Backend",
    "BackendError",
    "BackendOptions",
    "CalibrationError",
    "Classifier",
    "DataError",
    "DeviceUnavailableError",
    "EdgeError",
    "ExportError",
    "Golden",
    "GoldenReport",
    "InputError",
    "IntegrityError",
    "LoadOptions",
    "Manifest",
    "MissingDependencyError",
    "ParityError",
    "Prediction",
    "PreprocessSpec",
    "TensorSpec",
    "UnknownNameError",
    "load",
    "replay",
]

_HOMES = {
    "Artifact": "artifact",
    "Backend": "backends",
    "BackendOptions": "backends",
    "Classifier": "classifier",
    "Golden": "golden",
    "GoldenReport": "golden",
    "LoadOptions": "classifier",
    "Manifest": "manifest",
    "Prediction": "prediction",
    "PreprocessSpec": "preprocess",
    "TensorSpec": "manifest",
    "load": "classifier",
    "replay": "golden",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runtime' has no attribute '{name}'")
    return getattr(importlib.import_module(f"runtime.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
