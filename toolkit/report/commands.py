"""The commands that reproduce a model and its report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporters import formats
from toolkit.runs.run import config_beside
from toolkit.trained_model import Overrides, TrainedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def commands(
    trained: TrainedModel, training: dict[str, Any], written: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the commands that reproduce a model, its files and its report, in order.

    Args:
        trained: the Keras model with its data.
        training: ``config`` and ``metrics`` of its run; empty for a bare file.
        written: the formats of its files; none means all.

    Example::

        export, report = commands(trained, {}, ["tflite-int8"])
    """
    distilled = bool(trained.lineage)
    made = (_made(training["config"]),) if training and not distilled else ()
    if distilled:
        made = (_compressed(trained),)
    folder = (shlex.quote(str(trained.source.path.parent)),)
    target = " ".join(folder if training else trained.as_arguments())
    return (*made, f"toolkit export {target} {_formats(written)}", f"toolkit report {target}")


def _compressed(trained: TrainedModel) -> str:
    model = Path(trained.lineage["teacher_model"])
    options = _flags(trained.lineage["options"], "compress")
    if config_beside(model):
        return f"toolkit compress {shlex.quote(str(model.parent))} {options}"
    stated = trained.lineage.get("stated", {})
    lists = {key: tuple(value) for key, value in stated.items() if isinstance(value, list)}
    overrides = Overrides(**stated | lists)
    selection = " ".join((*trained.data.as_arguments(), *overrides.as_arguments()))
    return f"toolkit compress {shlex.quote(str(model))} {selection} {options}"


def _formats(written: Iterable[str]) -> str:
    found = set(written)
    names = [name for name in formats.registry() if name in found]
    if len(names) in (0, len(formats.registry())):
        return "--all"
    return " ".join(f"--format {name}" for name in names)


def _made(config: dict[str, Any]) -> str:
    if "ensemble" not in config:
        return _train(config)
    members = (shlex.quote(one["run"]) for one in config["ensemble"]["members"])
    return f"toolkit ensemble {' '.join(members)}"


def _train(config: dict[str, Any]) -> str:
    data = config["data"]["options"]
    values = {"dataset": data["name"], "data_path": data["path"]}
    values |= {key: data.get(key) for key in ("image_size", "channels", "fit", "polarity")}
    if values["image_size"]:
        values["image_size"] = "x".join(map(str, values["image_size"]))
    return f"toolkit train {_flags(values | config['options'], 'train')}".strip()


def _flags(values: dict[str, Any], command: str) -> str:
    """Return the options of a command that differ from its defaults."""
    return " ".join(_each_flag(values, command))


def _each_flag(values: dict[str, Any], command: str) -> Iterator[str]:
    import importlib

    import click

    module = importlib.import_module(f"toolkit.commands.{command}")
    context = click.Context(module.command)
    for option in module.command.params:
        value = values.get(option.name)
        if value is None or value == option.get_default(context):
            continue
        if getattr(option, "is_flag", False):
            yield option.opts[0] if value else (option.secondary_opts or option.opts)[0]
        else:
            yield f"{option.opts[0]} {shlex.quote(str(value))}"
