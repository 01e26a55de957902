"""The commands that make a model and its report again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from exporters import formats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.subject import Subject


def commands(
    subject: Subject, training: dict[str, Any], written: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return them in the order in which they are typed.

    Args:
        subject: the Keras model with its data.
        training: ``config`` and ``metrics`` of its run; empty for a bare file.
        written: the formats of its files; none means all.
    """
    taught = bool(subject.lineage)
    made = (_made(training["config"]),) if training and not taught else ()
    if taught:
        teacher = shlex.quote(str(subject.lineage["teacher_model"]))
        made = (f"toolkit compress {teacher} {_flags(subject.lineage['options'], 'compress')}",)
    source = subject.source.path
    where = source.parent if training else source
    target = shlex.quote(str(where))
    data = "" if training else f" --dataset {shlex.quote(subject.dataset.name)}"
    exported = f"toolkit export {target} {_formats(written)}{data}"
    return (*made, exported, f"toolkit report {target}{data}")


def _formats(written: Iterable[str]) -> str:
    known, found = formats.registry(), set(written)
    names = [name for name in known if name in found]
    if len(names) in (0, len(known)):
        return "--all"
    return " ".join(f"--format {name}" for name in names)


def _made(config: dict[str, Any]) -> str:
    if "ensemble" not in config:
        return _train(config)
    members = (shlex.quote(one["run"]) for one in config["ensemble"]["members"])
    return f"toolkit ensemble {' '.join(members)}"


def _train(config: dict[str, Any]) -> str:
    data = config["data"]["options"]
    named = {"dataset": data["name"], "data_path": data["path"]}
    named |= {key: data.get(key) for key in ("image_size", "channels", "fit", "polarity")}
    if named["image_size"]:
        named["image_size"] = "x".join(map(str, named["image_size"]))
    return f"toolkit train {_flags(named | config['options'], 'train')}".strip()


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
