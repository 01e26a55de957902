"""What must precede the first import of TensorFlow in a process."""

from __future__ import annotations

import contextlib
import os
import sys

from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import EdgeError


def prepare_tensorflow() -> None:
    """Set up what must precede the first import of TensorFlow in a process.

    Its start-up messages are turned off. tflite-runtime, where it works, is imported
    first: loaded after TensorFlow 2.21 its constructor fails ("vector::reserve"),
    because both carry the same C++ symbols; before it, both work.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if "tensorflow" not in sys.modules:
        with contextlib.suppress(EdgeError):
            TfliteRuntime.preload()
