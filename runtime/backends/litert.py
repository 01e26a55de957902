"""LiteRT (ai-edge-litert): Google's current engine for TFLite files, with XNNPACK."""

from __future__ import annotations

from typing import Any, ClassVar

from runtime.backends._interpreter import InterpreterBackend


class LiteRt(InterpreterBackend):
    """The ``Interpreter`` of ai-edge-litert with its default delegates."""

    name: ClassVar[str] = "litert"
    extra: ClassVar[str] = "litert"
    package: ClassVar[str] = "ai-edge-litert"
    module: ClassVar[str] = "ai_edge_litert"

    @classmethod
    def _interpreter_class(cls) -> Any:
        cls._import()
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
