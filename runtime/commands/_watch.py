"""A folder in which images appear while it is watched."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runtime.errors import InputError
from runtime.preprocessing.decode import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = TypeVar("Answer")
    Stamp = tuple[int, int]  # time of the last change in nanoseconds, size in bytes


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a folder is watched.

    Attributes:
        existing: whether the images that are there at the start count as new.
        interval: seconds between two looks.
        patience: seconds for which a file that cannot be read may stay as it is before it
            counts as bad: a slow writer may pause in the middle.
    """

    existing: bool = False
    interval: float = 0.1
    patience: float = 2.0


def watch(
    folder: Path,
    answer: Callable[[Path], Answer | InputError],
    options: WatchOptions | None = None,
) -> Iterator[tuple[Path, Answer | InputError]]:
    """Answer each image that appears in a folder, or changes there; never ends.

    Looking is used, not inotify: it needs no library and works on network folders. A file
    counts once two looks found it alike. Names that begin with a dot, and other endings than
    those of images, are left alone: a writer may use them until a file is whole. Subfolders
    are not looked into.

    Args:
        folder: an existing folder.
        answer: is given the path of an image.
        options: how to watch.

    Returns:
        Each path with its answer, files of one look by the time of their last change.

    Raises:
        InputError: there is no such folder, or no longer.
    """
    options = options or WatchOptions()
    there = _look(folder)  # now, not at the first answer: what comes from here on is new
    return _watch(folder, answer, options, {} if options.existing else there)


def _watch(
    folder: Path,
    answer: Callable[[Path], Answer | InputError],
    options: WatchOptions,
    seen: dict[Path, Stamp],
) -> Iterator[tuple[Path, Answer | InputError]]:
    waiting: dict[Path, tuple[Stamp, float]] = {}  # and since when they are alike
    while True:
        now = time.monotonic()
        there = _look(folder)
        seen = {path: stamp for path, stamp in seen.items() if path in there}
        found = {path: stamp for path, stamp in there.items() if seen.get(path) != stamp}
        ready = [path for path, stamp in found.items() if _stamp(waiting, path) == stamp]
        waiting = {p: waiting[p] if p in ready else (stamp, now) for p, stamp in found.items()}
        for path in sorted(ready, key=lambda path: (found[path], path)):
            given = answer(path)
            bad = isinstance(given, InputError)
            if bad and (now - waiting[path][1] < options.patience or not path.exists()):
                continue
            seen[path] = found[path]
            yield path, given
        time.sleep(options.interval)


def _stamp(waiting: dict[Path, tuple[Stamp, float]], path: Path) -> Stamp | None:
    return waiting[path][0] if path in waiting else None


def _look(folder: Path) -> dict[Path, Stamp]:
    """Return the images in a folder; a file that vanishes meanwhile is none."""
    found: dict[Path, Stamp] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not _is_image_name(entry.name):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                found[Path(entry.path)] = (status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise InputError(f"cannot watch {folder}: {error.strerror or error}") from error
    return found


def _is_image_name(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
