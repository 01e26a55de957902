"""Remembers which engine was measured to be the fastest for a model file on this machine.

``runtime tune`` writes one small JSON file a model, named by the model's SHA-256, into the
user's cache; ``--backend auto`` looks there. A record that was made on another processor, or
before an engine was installed, upgraded or removed, is not used.
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
# By so much an engine must beat the preferred one: less may be chance, and turns next time.
_GAIN = 1.03
_LOAD = 20.0  # ms: so much sooner an engine must be done where its loading counts; it varies
_NO_END = 10**12  # images: loading weighs nothing
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Choice:
    """One engine, and how it runs a file the fastest.

    Attributes:
        backend: the engine.
        threads: of one inference.
        batch: images in one call.
        image_ms: the time of the fastest call by its images, in milliseconds.
        load_ms: import of the engine and opening of the file, in milliseconds.
    """

    backend: str
    threads: int
    batch: int
    image_ms: float
    load_ms: float

    def total_ms(self, images: int) -> float:
        """Return the time to load the file and answer so many images one after the other."""
        return self.load_ms + images * self.image_ms

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Choice:
        """Read the fields of one.

        Raises:
            KeyError: one is missing.
            ValueError: one is no number above 0 (of load_ms: at least 0).
            TypeError: it is no record, or a field is of another type.
            OverflowError: a number is too large.
        """
        threads, batch = int(record["threads"]), int(record["batch"])
        image_ms, load_ms = float(record["image_ms"]), float(record["load_ms"])
        if not (min(threads, batch) > 0 and 0 < image_ms < inf and 0 <= load_ms < inf):
            raise ValueError("a number is out of its range")
        return cls(str(record["backend"]), threads, batch, image_ms, load_ms)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found out about one file.

    Attributes:
        file: its path when it was measured.
        sha256: of the file.
        cpu: the processor.
        engines: the engines for such files, and which distributions brought them.
        tuned_at: UTC, ISO 8601.
        one: each engine with one image in a call, for each number of threads; the preferred
            engines come first.
        many: the same with the number of images in a call that suits it best.
    """

    file: str
    sha256: str
    cpu: str
    engines: dict[str, str]
    tuned_at: str
    one: tuple[Choice, ...]
    many: tuple[Choice, ...]

    def best(self, threads: int = 1, images: int | None = None) -> Choice | None:
        """Return the engine to take; None if there is none.

        Args:
            threads: of one inference, and of many where each engine has one; where so many were
                not measured, the next lower number counts, else the lowest.
            images: so many are to be answered, and loading has to pay; None answers single
                images for a long time.
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
        """Return what is taken for single images, for each number of threads measured."""
        counts = sorted({row.threads for row in self.one})
        return [choice for count in counts if (choice := self.best(count))]

    def by_number(self) -> list[tuple[int, Choice]]:
        """Return which engine answers how many images with one thread: from so many on, this."""
        found: list[tuple[int, Choice]] = []
        number, last = 2, self.best(1, _NO_END)
        while last is not None and (now := self.best(1, number)) is not None:
            found.append((number, now))
            if now == last:
                break
            number = self._until(now, number)
        return found

    def _until(self, choice: Choice, number: int) -> int:
        """Return the first number of images above one that another engine answers."""
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
            KeyError: an engine lacks a field.
            TypeError: fields are missing, unknown, or of another type.
        """
        fields = dict(record)
        if fields.pop("schema_version") != _SCHEMA:
            raise ValueError("another schema")
        for name in ("one", "many"):
            fields[name] = tuple(map(Choice.from_json, fields[name]))
        return cls(**fields)


def fastest(rows: Sequence[Row], time: Callable[[Row], float], least: float = 0.0) -> Row:
    """Return the row with the least time; the first stays where another gains too little.

    Args:
        rows: the preferred one first.
        time: of a row.
        least: what another one must gain, in the unit of ``time``, beside 3 %.
    """
    own = rows[0]
    return min(rows, key=lambda row: time(row) if row is own else time(row) * _GAIN + least)


def folder() -> Path:
    """Return where the records lie; it need not exist."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    # "must be absolute … otherwise ignored": XDG Base Directory Specification
    root = Path(given) if os.path.isabs(given) else Path(os.path.expanduser("~/.cache"))  # noqa: PTH117, PTH111 - the one of Path raises where nobody has a home
    return root / "edge-toolkit" / "tuned"


def find(artifact: Artifact, engines: Callable[[], dict[str, str]]) -> Tuned | None:
    """Return what is remembered of a file, if it still holds on this machine.

    A record that is damaged or cannot be read counts as none. Without any record nothing is
    read, and the file is not hashed.

    Args:
        artifact: the model file.
        engines: returns all engines for such files, by name, with their versions; called only
            where there is a record.
    """
    place = folder()
    try:
        if not place.is_dir():
            return None
        found = _read(place / f"{artifact.sha256}.json")
        current = (artifact.sha256, cpu(), engines())
    except _UNREADABLE:
        return None
    return found if (found.sha256, found.cpu, found.engines) == current else None


def save(record: Tuned) -> Path:
    """Remember a file; what was known of it before is replaced.

    Raises:
        OSError: the cache cannot be written.
    """
    from runtime.modelfile.files import write_atomically

    path = folder() / f"{record.sha256}.json"
    write_atomically(path, json.dumps(record.to_json(), indent=1).encode())
    return path


def saved() -> tuple[Tuned, ...]:
    """Return all records that can be read, the newest first."""
    found = []
    for path in _paths():
        try:
            found.append(_read(path))
        except _UNREADABLE:
            continue
    return tuple(sorted(found, key=lambda one: one.tuned_at, reverse=True))


def is_stale(record: Tuned) -> bool:
    """Whether a file is gone, or another one than that which was measured."""
    try:
        return hashlib.sha256(Path(record.file).read_bytes()).hexdigest() != record.sha256
    except OSError:
        return True


def clear() -> int:
    """Forget all files; return how many there were.

    Raises:
        OSError: the cache cannot be written.
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
