"""First import of TensorFlow in a process: silent, and after tflite-runtime."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys

from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import EdgeError, MissingDependencyError
from runtime.terminal.silence import silenced

_TENSORFLOW = ("tensorflow", "export", "train and convert models")


def require_tensorflow() -> None:
    """Check that TensorFlow is installed, without importing it, which takes seconds.

    Raises:
        MissingDependencyError: it is not.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingDependencyError(*_TENSORFLOW)


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages.

    tflite-runtime, where it works, is imported first: loaded after TensorFlow 2.21 its
    constructor fails ("vector::reserve"), because both carry the same C++ symbols; in
    this order both work.

    Raises:
        MissingDependencyError: TensorFlow is not installed.

    Example::

        import_tensorflow()
        import keras
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.suppress(EdgeError):
        TfliteRuntime.preload()
    try:
        with silenced():
            import keras  # noqa: F401
            import tensorflow as tf  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(*_TENSORFLOW) from error
