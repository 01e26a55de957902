"""Options that several commands of ``toolkit`` take."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporters import formats
from runtime import backends
from runtime.commands._options import DEVICE, FIT, POLARITY, gpu_options
from runtime.errors import InputError
from runtime.terminal.cli import Existing, Names
from toolkit.datasets import DataOptions, registry
from toolkit.engines import check_engine

if TYPE_CHECKING:
    from collections.abc import Callable


class _Writable(click.Path):
    """A file or folder to write; checked before the work starts."""

    def __init__(self, *, folder: bool) -> None:
        """Set whether it is a folder; missing parent folders are created with it."""
        super().__init__(path_type=Path)
        self._folder = folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path.

        Raises:
            InputError: nothing can be written there.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if reason := self._obstacle(path):
            raise InputError(f"{param.opts[-1] if param else 'path'} {path} {reason}")
        return path

    def _obstacle(self, path: Path) -> str:
        if not self._folder and path.is_dir():
            return "is a folder"
        home = path if self._folder else path.parent
        there = next(one for one in (home, *home.absolute().parents) if one.exists())
        if not there.is_dir():
            return "is no folder" if there == path else f"cannot be made: {there} is no folder"
        return "" if os.access(there, os.W_OK) else f"cannot be written: no right to {there}"


PATH = click.Path(path_type=Path)
FILE = _Writable(folder=False)
FOLDER = _Writable(folder=True)
EXISTING = Existing()
ENGINE = Names(lambda: ("auto", "all", *backends.registry()))
FORMAT = Names(formats.registry)
_DATASET = Names(registry)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a dataset as one ``data`` argument (DataOptions)."""

    @click.option(
        "--dataset",
        type=_DATASET,
        help=f"{', '.join(registry())} [default: that of the run; to train mnist].",
    )
    @click.option("--data", "data_path", type=EXISTING, help="Where the data is: a file or folder.")
    @click.option("--image-size", help="Model input of an image folder, like 32 or 32x48 (HxW).")
    @click.option("--channels", type=int, help="1 (grey) or 3 (RGB) for an image folder.")
    @click.option(
        "--fit",
        type=FIT,
        help="Images of other sizes: pad (default), stretch or center-of-mass.",
    )
    @click.option(
        "--polarity", type=POLARITY, help="as-is, invert or auto (dark on light is inverted)."
    )
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        dataset: str | None,
        data_path: Path | None,
        image_size: str | None,
        channels: int | None,
        fit: str | None,
        polarity: str | None,
        **kw: Any,
    ) -> Any:
        data = DataOptions(dataset, data_path, _size(image_size), channels, fit, polarity)
        return command(*args, data=data, **kw)

    return wrapper


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add labels and numbers of a user's own model as one ``overrides`` argument."""

    @click.option("--name", help="Name of the model and its files.")
    @click.option("--labels", help="Class names: a,b,c or a file with one a line.")
    @click.option("--scale", type=float, help="Factor on pixels 0…255 [default: 1/255].")
    @click.option("--mean", help="Subtracted after scaling: one number or one a channel.")
    @click.option("--std", help="Divided by after that: one number or one a channel.")
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        name: str | None,
        labels: str | None,
        scale: float | None,
        mean: str | None,
        std: str | None,
        **kw: Any,
    ) -> Any:
        from runtime.commands._options import parse_labels, parse_numbers
        from toolkit.trained_model import Overrides

        overrides = Overrides(
            name,
            parse_labels(labels) if labels else None,
            scale,
            parse_numbers(mean, "--mean"),
            parse_numbers(std, "--std"),
        )
        return command(*args, overrides=overrides, **kw)

    return wrapper


@dataclass(frozen=True, slots=True)
class ArtifactChoice:
    """Which model files are compared with which Keras model, where, on how many images.

    Attributes:
        paths: model files; empty means all exports of the run.
        against: a run folder or .keras file; None means the latest run.
        backend: an engine, ``auto`` or ``all``.
        engine: device, precision and providers.
        limit: use only the first n test images.
    """

    paths: tuple[Path, ...]
    against: Path | None
    backend: str
    engine: backends.BackendOptions
    limit: int | None


def artifact_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ARTIFACTS and what they are compared with as one ``choice`` argument."""
    engines = ", ".join(backends.registry())

    @click.argument("artifacts", type=EXISTING, nargs=-1)
    @click.option(
        "--against", type=EXISTING, help="Run folder or .keras file [default: the latest run]."
    )
    @click.option(
        "--backend", type=ENGINE, default="auto", show_default=True, help=f"auto, all, {engines}."
    )
    @click.option(
        "--device", type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or auto."
    )
    @gpu_options
    @click.option("--limit", type=int, help="Compare on the first N test images only.")
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        artifacts: tuple[Path, ...],
        against: Path | None,
        backend: str,
        device: str,
        precision: str,
        providers: tuple[str, ...],
        limit: int | None,
        **kw: Any,
    ) -> Any:
        engine = backends.BackendOptions(device, precision=precision, providers=providers)
        check_engine(backend)  # a mistyped name is told before Keras is loaded
        choice = ArtifactChoice(artifacts, against, backend, engine, limit)
        return command(*args, choice=choice, **kw)

    return wrapper


_LIMITS = {
    "max_drop": "Highest loss of accuracy, in points (0.5 is half a point).",
    "min_agreement": "Least share of images with Keras's label, 0…1; near ties and one image "
    "never count against it.",
    "max_abs_error": "Largest difference of a probability, 0…1.",
    "max_mean_error": "Mean difference of a probability, 0…1.",
    "max_kl": "Mean Kullback-Leibler divergence, nats.",
    "min_cosine": "Mean cosine similarity, 0…1.",
    "min_sqnr": "Signal to quantization noise ratio, dB.",
    "tie_margin": "Keras is unsure below this margin of its first two classes, 0…1.",
}


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the limits of the gate as one ``budgets`` argument (Budgets)."""

    @click.option(
        "--config",
        type=EXISTING,
        help="TOML with [tool.edge-toolkit.parity] [default: pyproject.toml].",
    )
    @functools.wraps(command)
    def wrapper(*args: Any, config: Path | None, **kw: Any) -> Any:
        from toolkit.parity.budgets import load_budgets

        limits = {name: kw.pop(name) for name in _LIMITS}
        given = {name: value for name, value in limits.items() if value is not None}
        return command(*args, budgets=load_budgets(given, config), **kw)

    for name, text in reversed(_LIMITS.items()):
        wrapper = click.option(f"--{name.replace('_', '-')}", name, type=float, help=text)(wrapper)
    return wrapper


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise click.BadParameter(
            f"'{text}' is neither like 32 nor like 32x48", param_hint="--image-size"
        )
    return int(parts[0]), int(parts[-1])
