"""Contents of a folder of runs: accuracy, size, time, files and their verdicts."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from runtime.errors import ArtifactError, EdgeError, InputError, UnknownNameError
from runtime.modelfile import artifact as artifacts
from toolkit.runs import run as runs
from toolkit.runs.files import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runtime.modelfile.artifact import Artifact

FINISHED, UNFINISHED, DAMAGED = "finished", "unfinished", "damaged"
# Verdicts on a file without running it, the worst first.
BROKEN, FAIL, STALE, UNVERIFIED = "damaged", "fail", "stale", "not verified"
CHECKED, PASS = "checked", "pass"
# Sort key: whether the largest comes first.
KEYS = {
    "name": False,
    "started": True,
    "status": False,
    "accuracy": True,
    "parameters": False,
    "seconds": False,
    "epochs": False,
    "files": True,
}


@dataclass(frozen=True, slots=True)
class RunFile:
    """A model file of a run.

    Attributes:
        format: of the file; empty if it is damaged.
        path: of the file.
        bytes: its size.
        verdict: ``pass`` (of ``toolkit verify --golden``, which embeds Keras's outputs into
            files that pass), ``checked`` (only by ``toolkit export``, on a few images),
            ``fail`` (written by ``--force``), ``stale`` (made from another model than the
            one in the run), ``damaged``, or ``not verified``.

    Example:
        >>> RunFile("tflite-int8", "runs/a/exports/a.int8.tflite", 12345, PASS).verdict
        'pass'
    """

    format: str
    path: str
    bytes: int
    verdict: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run folder.

    Attributes:
        name: of the folder.
        path: of the folder.
        status: ``finished``, ``unfinished`` (``problem`` is the command to continue) or
            ``damaged``.
        model: the name in its artifacts; None if it is not known.
        accuracy: on the test images, 0…1; None if it was not measured.
        parameters: of the Keras model.
        seconds: of training.
        epochs: that were trained.
        files: its model files.
        problem: why it is not finished; empty if it is.

    Example:
        >>> RunRow("a", "runs/a", DAMAGED, problem="config.json missing").to_json()["files"]
        []
    """

    name: str
    path: str
    status: str
    model: str | None = None
    accuracy: float | None = None
    parameters: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    files: tuple[RunFile, ...] = ()
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"files": [asdict(file) for file in self.files]}


def list_runs(parent: Path, sort: str = "started") -> tuple[RunRow, ...]:
    """Read all run folders in a folder.

    Args:
        parent: a folder of runs; ``latest`` in it is only a link and is not listed.
        sort: one of :data:`KEYS`; runs without this value come last.

    Raises:
        UnknownNameError: no such key.
        InputError: there is no such folder, or no run in it.

    Example::

        best = list_runs(Path("runs"), sort="accuracy")[0]
    """
    if sort not in KEYS:
        raise UnknownNameError("sort key", sort, KEYS)
    if not parent.is_dir():
        raise InputError(f"no folder {parent}; train a model first: toolkit train")
    rows = [row for path in sorted(parent.iterdir()) if (row := _row(path)) is not None]
    if not rows:
        raise InputError(f"no run in {parent} yet; train a model first: toolkit train")
    return _sorted(rows, sort)


def differences(first: Path, second: Path) -> dict[str, tuple[Any, Any]]:
    """Return what two finished runs record differently: options, data, versions, results.

    Returns:
        Dotted key, for example ``options.epochs``, to both values; None where one run does
        not have it.

    Raises:
        InputError: one is no finished run.

    Example::

        differences(Path("runs/a"), Path("runs/b"))["options.epochs"]  # (5, 30)
    """
    one, other = (_flat(_record(path)) for path in (first, second))
    keys = dict.fromkeys((*one, *other))
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def find(parent: Path, name: Path) -> Path:
    """Return the path of a run that is given by path, or by name in a folder of runs.

    Example:
        >>> from pathlib import Path
        >>> Path("runs/a").mkdir(parents=True)
        >>> find(Path("runs"), Path("a")).as_posix()
        'runs/a'
    """
    return name if name.exists() or not (parent / name).exists() else parent / name


def _record(path: Path) -> dict[str, Any]:
    run = runs.open_run(path)
    metrics = _read(run.path / runs.METRICS) if (run.path / runs.METRICS).is_file() else {}
    results = {key: value for key, value in metrics.items() if not isinstance(value, dict)}
    return run.config | {"results": results}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= (
            _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {prefix + key: inner}
        )
    return found


def _row(path: Path) -> RunRow | None:
    """Read one folder; None if it is no run at all."""
    if path.is_symlink() or not path.is_dir():
        return None
    parts = (runs.CONFIG, runs.MODEL, runs.METRICS)
    missing = [part for part in parts if not (path / part).is_file()]
    partial = path.name.endswith(runs.PARTIAL)
    if not partial and len(missing) == len(parts):
        return None
    if not partial and (runs.MODEL in missing or runs.CONFIG in missing):
        problem = f"{' and '.join(missing)} missing"
        return RunRow(path.name, str(path), DAMAGED, problem=problem)
    try:
        return _unfinished(path) if partial else _finished(path)
    except (EdgeError, KeyError, TypeError, ValueError, OSError) as error:
        problem = str(error) or type(error).__name__
        return RunRow(path.name, str(path), DAMAGED, problem=problem)


def _unfinished(path: Path) -> RunRow:
    kept = runs.has_checkpoint(path)
    problem = runs.resume_command(path) if kept else "no checkpoint yet"
    return RunRow(path.name, str(path), UNFINISHED, problem=problem)


def _finished(path: Path) -> RunRow:
    config = _read(path / runs.CONFIG)
    metrics = _read(path / runs.METRICS) if (path / runs.METRICS).is_file() else {}
    return RunRow(
        name=path.name,
        path=str(path),
        status=FINISHED,
        model=str(config["name"]),
        accuracy=metrics.get("test_accuracy"),
        parameters=metrics.get("parameters"),
        seconds=metrics.get("seconds"),
        epochs=metrics.get("epochs"),
        files=_files(path),
    )


def _read(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path} is broken: it contains no JSON object")
    return value


def _files(run: Path) -> tuple[RunFile, ...]:
    found = runs.export_paths(run / "exports")
    if not found:
        return ()
    digest = hashlib.sha256((run / runs.MODEL).read_bytes()).hexdigest()
    return tuple(_file(path, digest) for path in found)


def _file(path: Path, model_sha256: str) -> RunFile:
    size = path.stat().st_size
    try:
        file = artifacts.read(path)
    except ArtifactError:
        return RunFile("", str(path), size, BROKEN)
    return RunFile(file.format, str(path), size, _verdict(file, model_sha256))


def _verdict(file: Artifact, model_sha256: str) -> str:
    manifest = file.manifest
    if manifest is None:
        return UNVERIFIED
    if manifest.created.source_sha256 != model_sha256:
        return STALE
    if manifest.quantization.refusal:
        return FAIL
    if manifest.golden:
        return PASS
    return CHECKED if manifest.accuracy else UNVERIFIED


def _sorted(rows: Sequence[RunRow], sort: str) -> tuple[RunRow, ...]:
    def value(row: RunRow) -> Any:
        if sort in ("name", "started"):  # a folder's name begins with the time of its start
            return row.name
        return len(row.files) if sort == "files" else getattr(row, sort)

    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    return (*sorted(known, key=value, reverse=KEYS[sort]), *unknown)
