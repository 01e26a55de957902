"""How a person names a model and its data on a command line."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.datasets import DataOptions
    from toolkit.trained_model import Overrides, Subject


def named(subject: Subject) -> str:
    """Return the arguments that name a model, and what has to be said of it, quoted.

    Args:
        subject: the Keras model with its data.

    Returns:
        A run folder, which knows the rest, or a file with its options, for example
        ``colors.keras --data colors.npz --scale 1.0``.
    """
    source = subject.source.path
    if subject.exports != Path():  # only a run has a place for them
        return shlex.quote(str(source.parent))
    return " ".join([shlex.quote(str(source)), *options(subject.data, subject.stated)])


def options(data: DataOptions, said: Overrides | None) -> Iterator[str]:
    """Yield the options of a model file, quoted; the size of its images is its own.

    Args:
        data: how its data is named.
        said: what a user says of the model; None for nothing.
    """
    values: dict[str, Any] = {
        "dataset": data.name,
        "data": data.path,
        "fit": data.fit,
        "polarity": data.polarity,
    }
    if said:
        values |= {"name": said.name, "labels": said.labels}
        values |= {"scale": said.scale, "mean": said.mean, "std": said.std}
    for name, value in values.items():
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield f"--{name} {shlex.quote(text)}"
