"""Training options as TOML: written into each run folder, read by ``train --config``."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError, UnknownNameError
from runtime.modelfile.files import write_atomically
from toolkit.training.options import TrainOptions

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_TOML = "train.toml"
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
}
# Names of the data options in the command, and in config.json.
_DATA = {
    "dataset": "name",
    "data": "path",
    "image_size": "image_size",
    "channels": "channels",
    "fit": "fit",
    "polarity": "polarity",
}


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write the options in ``config.json`` as TOML, one option per line.

    Args:
        path: of the TOML file.
        config: the content of ``config.json``.

    Example:
        >>> from pathlib import Path
        >>> data = {"options": {"name": "digits", "image_size": None}}
        >>> write_config(Path("train.toml"), {"data": data, "options": {"epochs": 3}})
        >>> print(Path("train.toml").read_text().strip())
        dataset = "digits"
        epochs = 3
    """
    data = config["data"]["options"]
    values = {name: data.get(stored) for name, stored in _DATA.items()} | config["options"]
    if values["image_size"]:
        values["image_size"] = "x".join(map(str, values["image_size"]))
    # a TOML string, number or truth value is written as JSON writes it
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if value is not None
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def read_config(path: Path) -> dict[str, Any]:
    """Read the options of ``toolkit train`` from a TOML file.

    Returns:
        Values by the name of the option; ``-`` in a name becomes ``_``.

    Raises:
        InputError: it cannot be read, is no TOML, or an option has a value of another type.
        UnknownNameError: there is no such option.

    Example:
        >>> from pathlib import Path
        >>> Path("train.toml").write_text("batch-size = 32")
        15
        >>> read_config(Path("train.toml"))
        {'batch_size': 32}
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--config {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"--config {path} is no TOML: {error}") from error
    known = [*_DATA, *(field.name for field in fields(TrainOptions))]
    options = {key.replace("-", "_"): value for key, value in found.items()}
    for key, value in options.items():
        if key not in known:
            raise UnknownNameError(f"option in {path}:", key, known)
        if not isinstance(value, str | int | float):
            raise InputError(f"--config {path}: {key} takes one number, text or truth value")
        if wanted := _other_kind(key, value):
            raise InputError(f"--config {path}: {key} takes {wanted}, not {json.dumps(value)}")
    return options


def _other_kind(key: str, value: str | float | bool) -> str:
    """Return the expected type if the value has another one, which click would convert."""
    kinds = {field.name: str(field.type).split(" | ")[0] for field in fields(TrainOptions)}
    kind = kinds.get(key, "str")
    wanted = _KINDS.get(kind)
    if wanted is None or (
        isinstance(value, wanted[0]) and isinstance(value, bool) == (kind == "bool")
    ):
        return ""
    return wanted[1]
