"""The engine that was measured to be the fastest for a model file on this machine.

``runtime tune`` writes one small JSON file per model, named by the model's SHA-256, to the
user's cache; ``--backend auto`` reads it. A record made on another processor, or before an
engine was installed, upgraded or removed, is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from runtime.modelfile.artifact import Artifact

    Row = TypeVar("Row")

_SCHEMA = 2
# An engine must beat the preferred one by this factor: less may be noise.
_GAIN = 1.03
_LOAD = 20.0  # ms that an engine must gain if its loading counts, which varies
_NO_END = 10**12  # images: loading does not matter
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Choice:
    """One engine with its fastest settings for a file.

    Attributes:
        backend: name of the engine.
        threads: threads of one inference.
        batch: images per call.
        image_ms: time of the fastest call, per image, in milliseconds.
        load_ms: import of the engine and opening of the file, in milliseconds.

    Example:
        >>> Choice("litert", threads=1, batch=8, image_ms=0.25, load_ms=50.0).total_ms(1000)
        300.0
    """

    backend: str
    threads: int
    batch: int
    image_ms: float
    load_ms: float

    def total_ms(self, images: int) -> float:
        """Return the time to load the file and predict so many images, in milliseconds."""
        return self.load_ms + images * self.image_ms

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Choice:
        """Read the fields from plain JSON values.

        Raises:
            KeyError: a field is missing.
            ValueError: a field is not a number above 0 (``load_ms``: at least 0).
            TypeError: it is no record, or a field has another type.
            OverflowError: a number is too large.
        """
        threads, batch = int(record["threads"]), int(record["batch"])
        image_ms, load_ms = float(record["image_ms"]), float(record["load_ms"])
        if not (min(threads, batch) > 0 and 0 < image_ms < inf and 0 <= load_ms < inf):
            raise ValueError("a number is out of range")
        return cls(str(record["backend"]), threads, batch, image_ms, load_ms)


@dataclass(frozen=True, slots=True)
class Tuned:
    """Measurements of all engines for one file.

    Attributes:
        file: path of the file when it was measured.
        sha256: SHA-256 of the file.
        cpu: name of the processor.
        engines: the engines for such files, with their distributions.
        tuned_at: UTC, ISO 8601.
        one: each engine with one image per call, for each number of threads; the preferred
            engines come first.
        many: the same with the fastest number of images per call.

    Example::

        record = find(artifact, lambda: {"litert": "ai_edge_litert-2.3.0"})
        if record:
            print(record.best(threads=1, images=1000).backend)
    """

    file: str
    sha256: str
    cpu: str
    engines: dict[str, str]
    tuned_at: str
    one: tuple[Choice, ...]
    many: tuple[Choice, ...]

    def best(self, threads: int = 1, images: int | None = None) -> Choice | None:
        """Return the best engine; None if there is none.

        Args:
            threads: threads of one inference; if so many were not measured, the next lower
                number counts, else the lowest.
            images: number of images to predict, with the time to load the file counted; None
                means single images for a long time.
        """
        rows = self.one if images in (None, 1) else self.many
        counts = {row.threads for row in rows}
        known = max((n for n in counts if n <= threads), default=min(counts, default=0))
        fitting = [row for row in rows if row.threads == known]
        if not fitting:
            return None
        if images is None:
            return fastest(fitting, lambda row: row.image_ms)
        return fastest(fitting, lambda row: row.total_ms(images), _LOAD)

    def one_by_one(self) -> list[Choice]:
        """Return the best engine for single images, for each number of threads measured."""
        counts = sorted({row.threads for row in self.one})
        return [choice for count in counts if (choice := self.best(count))]

    def by_number(self) -> list[tuple[int, Choice]]:
        """Return the best engine by number of images, with one thread: from this number on."""
        found: list[tuple[int, Choice]] = []
        number, last = 2, self.best(1, _NO_END)
        while last is not None and (now := self.best(1, number)) is not None:
            found.append((number, now))
            if now == last:
                break
            number = self._until(now, number)
        return found

    def _until(self, choice: Choice, number: int) -> int:
        """Return the first larger number of images with another best engine."""
        low, high = number, _NO_END
        while high - low > 1:
            middle = (low + high) // 2
            same = self.best(1, middle) == choice
            low, high = (middle, high) if same else (low, middle)
        return high

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"schema_version": _SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Tuned:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: another schema.
            KeyError: a field of an engine is missing.
            TypeError: fields are missing, unknown, or have another type.
        """
        fields = dict(record)
        if fields.pop("schema_version") != _SCHEMA:
            raise ValueError("another schema")
        for name in ("one", "many"):
            fields[name] = tuple(map(Choice.from_json, fields[name]))
        return cls(**fields)


def fastest(rows: Sequence[Row], time: Callable[[Row], float], least: float = 0.0) -> Row:
    """Return the row with the least time; the first one wins if another gains too little.

    Args:
        rows: the preferred one first.
        time: returns the time of a row.
        least: what another one must gain besides 3 %, in the unit of ``time``.

    Example:
        >>> fastest([("a", 1.02), ("b", 1.0)], lambda row: row[1])
        ('a', 1.02)
        >>> fastest([("a", 1.1), ("b", 1.0)], lambda row: row[1])
        ('b', 1.0)
    """
    own = rows[0]
    return min(rows, key=lambda row: time(row) if row is own else time(row) * _GAIN + least)


def folder() -> Path:
    """Return the folder of the records; it need not exist.

    Example:
        >>> "/".join(folder().parts[-2:])
        'edge-toolkit/tuned'
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # "must be absolute … otherwise ignored": XDG Base Directory Specification
    root = Path(cache) if os.path.isabs(cache) else Path(os.path.expanduser("~/.cache"))  # noqa: PTH117, PTH111 - that of Path raises if there is no home
    return root / "edge-toolkit" / "tuned"


def find(artifact: Artifact, engines: Callable[[], dict[str, str]]) -> Tuned | None:
    """Return the record of a file, if it is still valid on this machine.

    A damaged or unreadable record counts as none. Without any record nothing is read, and the
    file is not hashed.

    Args:
        artifact: the model file.
        engines: returns all engines for such files, by name, with their versions; called only
            if there is a record.

    Example::

        record = find(artifact, lambda: {"litert": "ai_edge_litert-2.3.0"})
    """
    records = folder()
    try:
        if not records.is_dir():
            return None
        found = _read(records / f"{artifact.sha256}.json")
        current = (artifact.sha256, cpu(), engines())
    except _UNREADABLE:
        return None
    return found if (found.sha256, found.cpu, found.engines) == current else None


def save(record: Tuned) -> Path:
    """Write the record of a file, in place of an older one; return its path.

    Raises:
        OSError: the cache cannot be written.

    Example::

        path = save(record)
    """
    from runtime.modelfile.files import write_atomically

    path = folder() / f"{record.sha256}.json"
    write_atomically(path, json.dumps(record.to_json(), indent=1).encode())
    return path


def saved() -> tuple[Tuned, ...]:
    """Return all readable records, the newest first.

    Example::

        for record in saved():
            print(record.file, record.best().backend)
    """
    found = []
    for path in _paths():
        try:
            found.append(_read(path))
        except _UNREADABLE:
            continue
    return tuple(sorted(found, key=lambda one: one.tuned_at, reverse=True))


def is_stale(record: Tuned) -> bool:
    """Whether the file of a record is missing, or has changed since it was measured.

    Example::

        current = [record for record in saved() if not is_stale(record)]
    """
    try:
        return hashlib.sha256(Path(record.file).read_bytes()).hexdigest() != record.sha256
    except OSError:
        return True


def clear() -> int:
    """Remove all records; return how many there were.

    Raises:
        OSError: the cache cannot be written.

    Example::

        print(f"{clear()} records removed")
    """
    paths = _paths()
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def cpu() -> str:
    """Return the name of the processor."""
    from runtime.proc import ROOT
    from runtime.processor import cpu_name

    return cpu_name(ROOT)


def _read(path: Path) -> Tuned:
    return Tuned.from_json(json.loads(path.read_bytes()))


def _paths() -> list[Path]:
    return sorted(folder().glob("*.json"))
