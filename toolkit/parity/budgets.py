"""Which limits apply: those of format and device, of a TOML table, of options, in this order."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporters import formats
from exporters.budget import INTEGER, ON_GPU, ParityBudget
from runtime.errors import InputError, UnknownNameError

GPU = "gpu"
TABLE = "[tool.edge-toolkit.parity]"
_HERE = Path("pyproject.toml")


@dataclass(frozen=True, slots=True)
class Budgets:
    """The limits for every format.

    Attributes:
        options: limits from the command line; they win.
        table: limits from a TOML file for all formats.
        by_format: limits from a TOML file for single formats.
        gpu: limits from a TOML file for whatever runs on a GPU.
        origin: the TOML file; None if there was none.

    Example:
        >>> Budgets(options={"max_drop": 0.2}).of("tflite-int8").max_drop
        0.2
    """

    options: Mapping[str, float] = field(default_factory=dict)
    table: Mapping[str, float] = field(default_factory=dict)
    by_format: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    gpu: Mapping[str, float] = field(default_factory=dict)
    origin: Path | None = None

    def __post_init__(self) -> None:
        """Check the limits, whatever the format.

        Raises:
            InputError: a limit is out of its range.
        """
        for name in formats.registry():
            self.of(name)
            self.on_gpu(name, "float32")

    def of(self, format_name: str) -> ParityBudget:
        """Return the limits of one format on a CPU.

        Raises:
            InputError: a limit is out of its range.

        Example:
            >>> Budgets(by_format={"onnx": {"max_drop": 0.3}}).of("onnx").max_drop
            0.3
        """
        changes = {**self.table, **self.by_format.get(format_name, {}), **self.options}
        return replace(budget_for(format_name), **changes)

    def on_gpu(self, format_name: str, precision: str) -> ParityBudget:
        """Return the limits of one format on a GPU.

        Args:
            format_name: of the file.
            precision: in which the GPU computes.

        Raises:
            InputError: a limit is out of its range.

        Example:
            >>> Budgets().on_gpu("tflite", "float16").max_abs_error
            0.05
        """
        changes = {**self.table, **self.by_format.get(format_name, {}), **self.gpu, **self.options}
        return replace(budget_for(format_name).or_looser(ON_GPU[precision]), **changes)


def load_budgets(options: Mapping[str, float], path: Path | None = None) -> Budgets:
    """Read the limits of a TOML file; those of the command line replace them.

    The table ``[tool.edge-toolkit.parity]`` holds limits by their name, for example
    ``max-drop = 0.2``; ``[tool.edge-toolkit.parity.tflite-int8]`` those of one format;
    ``[tool.edge-toolkit.parity.gpu]`` those of every format on a GPU, before the format's.

    Args:
        options: limits by name; only those that the user set.
        path: the file; None takes ``pyproject.toml`` of the current folder, if that has
            the table.

    Raises:
        InputError: the file cannot be read, has no such table, or an unknown or wrong limit.

    Example:
        >>> file = Path("limits.toml")
        >>> size = file.write_text("tool.edge-toolkit.parity.max-drop = 0.3")
        >>> load_budgets({}, file).of("tflite-int8").max_drop
        0.3
    """
    table = _table(path or _HERE, needed=path is not None)
    if table is None:
        return Budgets(options)
    common: dict[str, float] = {}
    single: dict[str, dict[str, float]] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            single[_format(key)] = dict(_limit(name, number) for name, number in value.items())
        else:
            common |= [_limit(key, value)]
    gpu = single.pop(GPU, {})
    return Budgets(options, common, single, gpu, path or _HERE)


def _table(path: Path, *, needed: bool) -> dict[str, Any] | None:
    if not needed and not path.is_file():
        return None
    try:
        values: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        for part in ("tool", "edge-toolkit", "parity"):
            values = values.get(part) if isinstance(values, dict) else None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if not needed:
            return None  # the file of another project, found by default only
        raise InputError(f"{path} is no TOML: {error}") from error
    if values is None and needed:
        raise InputError(f"{path} has no table {TABLE}")
    if values is not None and not isinstance(values, dict):
        raise InputError(f"{path}: {TABLE} must be a table")
    return values


def _limit(name: str, value: object) -> tuple[str, float]:
    known = ParityBudget.names()
    key = name.replace("-", "_")
    if key not in known:
        raise UnknownNameError(f"limit in {TABLE}", name, [k.replace("_", "-") for k in known])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{TABLE}: {name} must be a number, not {value!r}")
    return key, float(value)


def _format(name: str) -> str:
    known = [*formats.registry(), GPU]
    if name not in known:
        raise UnknownNameError(f"format in {TABLE}", name, known)
    return name


def budget_for(format_name: str) -> ParityBudget:
    """Return the budget of a format; a file of unknown format gets that of int8.

    Example:
        >>> budget_for("tflite-int8").max_drop, budget_for("onnx").max_drop
        (0.5, 0.06)
    """
    exporter = formats.registry().get(format_name)
    return exporter.budget if exporter else INTEGER
