"""The run folder: the files of one training, and the link to the latest one."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets import DataOptions, Dataset, load_dataset
from toolkit.progress import SILENT, Reporter
from toolkit.runs.files import read_json

DEFAULT_PARENT = Path("runs")
PARTIAL = ".partial"
MODEL, CONFIG, METRICS, HISTORY = "model.keras", "config.json", "metrics.json", "history.csv"
LATEST = "latest"
SUFFIXES = (".tflite", ".onnx")  # of exported files
# The folder of an unfinished training, and its files.
CHECKPOINT, STATE, BEST, FAILED = "checkpoint", "state.json", "best.keras", "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run folder.

    Attributes:
        path: the folder.
        config: the content of ``config.json``: options, data, versions.

    Example::

        run = open_run(Path("runs/latest"))
        print(run.name, run.labels, run.spec)
    """

    path: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The name in the artifacts of this run, for example ``mnist-cnn``."""
        return str(self.config["name"])

    @property
    def model(self) -> Path:
        """The trained model, a ``.keras`` file."""
        return self.path / MODEL

    @property
    def exports(self) -> Path:
        """The folder in which ``toolkit export`` writes the artifacts of this run."""
        return self.path / "exports"

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names."""
        return tuple(self.config["data"]["labels"])

    @property
    def spec(self) -> PreprocessSpec:
        """The preprocessing of the model."""
        return PreprocessSpec.from_json(self.config["preprocess"])

    def dataset(self, path: Path | None = None, reporter: Reporter = SILENT) -> Dataset:
        """Load the data of this run again.

        Args:
            path: of the data, if it was moved.
            reporter: receives the progress of slow reading.

        Raises:
            DataError: the data cannot be found.
        """
        return load_dataset(data_options(self.config["data"], path), reporter)


def data_options(record: dict[str, Any], path: Path | None = None) -> DataOptions:
    """Return the options in the ``data`` record of a configuration.

    Example:
        >>> data_options({"options": {"name": "digits", "path": None}}).name
        'digits'
    """
    options = dict(record["options"])
    stored = options.get("path")
    options["path"] = path or (Path(stored) if stored else None)
    if options.get("image_size"):
        options["image_size"] = tuple(options["image_size"])
    return DataOptions(**options)


def slug(text: str) -> str:
    """Return a text as part of a file name: letters, digits, ``.``, ``_`` and ``-``.

    Example:
        >>> slug("My model (v2)")
        'My-model-v2'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "model"


def open_run(path: Path) -> Run:
    """Open a run folder, or a folder of runs (then its latest one).

    Raises:
        InputError: there is no finished run.

    Example:
        >>> open_run(Path("nowhere"))
        Traceback (most recent call last):
        runtime.errors.InputError: nowhere is not a finished run folder
    """
    if (path / LATEST / CONFIG).is_file() and not (path / CONFIG).is_file():
        path = path / LATEST
    if not (path / MODEL).is_file() or not (path / CONFIG).is_file():
        hint = f"; go on with: {resume_command(path)}" if PARTIAL in path.name else ""
        raise InputError(f"{path} is not a finished run folder{hint}")
    return Run(path.resolve() if path.is_symlink() else path, read_json(path / CONFIG))


def has_checkpoint(folder: Path) -> bool:
    """Whether an unfinished training has a checkpoint to resume from.

    Example:
        >>> has_checkpoint(Path("runs/nothing.partial"))
        False
    """
    return (folder / CHECKPOINT / STATE).is_file()


def has_failed(folder: Path) -> bool:
    """Whether an unfinished training ended by a failure, not by an interruption.

    Example:
        >>> has_failed(Path("runs/nothing.partial"))
        False
    """
    return (folder / CHECKPOINT / FAILED).exists()


def best_path(folder: Path) -> Path:
    """Return the path of the best epoch's model of an unfinished training.

    Example:
        >>> best_path(Path("runs/a.partial")).as_posix()
        'runs/a.partial/checkpoint/best.keras'
    """
    return folder / CHECKPOINT / BEST


def export_paths(folder: Path) -> list[Path]:
    """Return the model files in an export folder, sorted; none if there is no such folder.

    Example:
        >>> for name in ("b.onnx", "a.int8.tflite", "notes.txt"):
        ...     Path(name).touch()
        >>> [path.name for path in export_paths(Path())]
        ['a.int8.tflite', 'b.onnx']
    """
    return sorted(p for p in folder.glob("*") if p.suffix in SUFFIXES and p.is_file())


def resume_command(folder: Path) -> str:
    """Return the command that continues an unfinished training.

    After a failure it starts from the best weights, on the same data: the last epoch, with the
    same options, would fail again.

    Example:
        >>> resume_command(Path("runs/a.partial"))
        'toolkit train --resume runs/a.partial'
    """
    if not has_failed(folder):
        return f"toolkit train --resume {shlex.quote(str(folder))}"
    data = data_options(read_json(folder / CONFIG)["data"])
    words = (f"--from {shlex.quote(str(best_path(folder)))}", *data.as_arguments(size=True))
    return f"toolkit train {' '.join(words)}"


def config_beside(model: Path) -> dict[str, Any] | None:
    """Return the record of the training beside a ``.keras`` file, or None.

    Example:
        >>> config_beside(Path("downloaded.keras")) is None
        True
    """
    path = model.parent / CONFIG
    if not path.is_file():
        return None
    config: dict[str, Any] = read_json(path)
    known = isinstance(config, dict) and {"options", "data", "name"} <= config.keys()
    return config if known and model.stem in (config["name"], Path(MODEL).stem) else None


def latest_run(parent: Path = DEFAULT_PARENT) -> Run:
    """Open the run that finished last.

    Raises:
        InputError: there is none.

    Example:
        >>> latest_run(Path("nothing"))
        Traceback (most recent call last):
        runtime.errors.InputError: no run in nothing/ yet; train a model first: toolkit train
    """
    if not (parent / LATEST / CONFIG).is_file():
        raise InputError(f"no run in {parent}/ yet; train a model first: toolkit train")
    link = parent / LATEST
    target = parent / link.readlink() if link.is_symlink() else link
    return open_run(target)


def start(parent: Path, name: str) -> Path:
    """Create the folder of a new run, under a name that marks it as unfinished.

    Example:
        >>> start(Path("runs"), "mnist-cnn").name  # doctest: +ELLIPSIS
        '...-mnist-cnn.partial'
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        suffix = f"-{attempt + 1}" if attempt else ""
        path = parent / f"{stamp}-{name}{suffix}{PARTIAL}"
        if path.with_name(path.name.removesuffix(PARTIAL)).exists():
            continue
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"cannot make {path}: {error.strerror}") from error
        return path
    raise InputError(f"cannot make a new folder in {parent}")


def finish(partial: Path) -> Path:
    """Give a complete run its final name and let ``latest`` point to it.

    Example:
        >>> final = finish(start(Path("runs"), "digits-cnn"))
        >>> Path("runs/latest").resolve().name == final.name
        True
    """
    final = partial.with_name(partial.name.removesuffix(PARTIAL))
    if final != partial:
        partial.rename(final)
    link = final.parent / f".{LATEST}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(final.name)
    link.replace(final.parent / LATEST)
    return final
