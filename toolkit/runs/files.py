"""JSON files of a run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError
from runtime.modelfile.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file (2 spaces, UTF-8) atomically.

    Example:
        >>> from pathlib import Path
        >>> write_json(Path("metrics.json"), {"accuracy": 0.99})
        >>> read_json(Path("metrics.json"))
        {'accuracy': 0.99}
    """
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: its content is no JSON.

    Example::

        accuracy = read_json(run.path / "metrics.json")["test_accuracy"]
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is broken: {error}") from error
