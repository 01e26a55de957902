"""tflite-runtime: the last release of TensorFlow Lite under its old name (2.14, 2023)."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import numpy as np

from runtime.backends._interpreter import InterpreterBackend
from runtime.backends._wheels import BITS_64, Wheels
from runtime.errors import BackendError


class TfliteRuntime(InterpreterBackend):
    """Slower than LiteRT and only for Python 3.11 and older, but it runs on 32-bit Arm."""

    name: ClassVar[str] = "tflite-runtime"
    extra: ClassVar[str] = "tflite"
    package: ClassVar[str] = "tflite-runtime"
    module: ClassVar[str] = "tflite_runtime"
    rank: ClassVar[int] = 1
    wheels: ClassVar[Wheels | None] = Wheels(
        (3, 11), (*BITS_64, "armv7l", "armv8l"), bits_32=True, linux_only=True
    )

    @classmethod
    def _interpreter_class(cls) -> Any:
        cls._require()
        # Its import succeeds under numpy 2 and prints a traceback; only the
        # constructor fails. So the version is checked before the import.
        if int(np.__version__.split(".")[0]) >= 2:
            raise BackendError(
                f"tflite-runtime {cls.version()} was built for numpy 1 and numpy "
                f'{np.__version__} is installed; fix it: pip install "numpy<2", '
                'or use the current engine: pip install "edge-toolkit[litert]"'
            )
        if "tensorflow" in sys.modules and cls.module not in sys.modules:
            raise BackendError(
                "tflite-runtime does not work in a process that imported TensorFlow before it; "
                "import tflite_runtime first"
            )
        cls._import()
        from tflite_runtime.interpreter import Interpreter

        return Interpreter

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Return that it never uses one, and the engine that does."""
        del providers
        return "tflite-runtime never uses a GPU, litert does: --backend litert"

    @classmethod
    def preload(cls) -> None:
        """Import the engine now, in a process that will import TensorFlow later.

        Raises:
            MissingDependencyError: it is not installed.
            BackendError: it cannot be imported.
        """
        cls._interpreter_class()

    def _refused(self, error: Exception) -> BackendError:
        if "Didn't find op" not in str(error):
            return super()._refused(error)
        return BackendError(
            f"tflite-runtime {self.version()} is too old for {self._artifact.path.name} "
            f"({str(error).split('.')[0].strip()}); use the current engine: "
            'pip install "edge-toolkit[litert]", or another format: tflite-int8'
        )
