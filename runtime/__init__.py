"""Run a model file on a device: one import, one engine, no TensorFlow.

Example::

    import runtime

    with runtime.load("mnist-cnn.int8.tflite") as classifier:
        print(classifier.predict("seven.png").label)

Nothing is imported before it is used, so that ``runtime --help`` starts immediately.

The package logs to the logger ``runtime``: what it assumed and decided at level ``INFO``, what
it read and ran at level ``DEBUG``. Nothing is shown unless the application configures logging::

    logging.basicConfig()
    logging.getLogger("runtime").setLevel(logging.DEBUG)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.backends import Backend, BackendOptions
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
    from runtime.model import Classifier, load
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import Manifest, TensorSpec
    from runtime.preprocessing.spec import PreprocessSpec
    from runtime.selftest import Golden, GoldenReport, replay
    from runtime.session import LoadOptions, Session
    from runtime.tasks.classification import Prediction

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
    "Session",
    "TensorSpec",
    "UnknownNameError",
    "load",
    "replay",
]

_HOMES = {
    "Artifact": "modelfile.artifact",
    "Backend": "backends",
    "BackendOptions": "backends",
    "Classifier": "model",
    "Golden": "selftest",
    "GoldenReport": "selftest",
    "LoadOptions": "session",
    "Manifest": "modelfile.manifest",
    "Prediction": "tasks.classification",
    "PreprocessSpec": "preprocessing.spec",
    "Session": "session",
    "TensorSpec": "modelfile.manifest",
    "load": "model",
    "replay": "selftest",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runtime' has no attribute '{name}'")
    return getattr(importlib.import_module(f"runtime.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
