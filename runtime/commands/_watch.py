"""Watching a folder for new and changed images."""

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

    Result = TypeVar("Result")
    Stamp = tuple[int, int]  # time of the last change in nanoseconds, size in bytes


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a folder is watched.

    Attributes:
        existing: whether images that exist at the start count as new.
        interval: seconds between two scans.
        patience: seconds for which an unreadable file may stay unchanged before it counts as
            bad: a slow writer may pause in the middle.

    Example:
        >>> WatchOptions(interval=1.0)
        WatchOptions(existing=False, interval=1.0, patience=2.0)
    """

    existing: bool = False
    interval: float = 0.1
    patience: float = 2.0


def watch(
    folder: Path,
    predict: Callable[[Path], Result | InputError],
    options: WatchOptions | None = None,
) -> Iterator[tuple[Path, Result | InputError]]:
    """Predict each image that appears or changes in a folder; never ends.

    The folder is polled, without inotify: that needs no library and works on network folders. A
    file counts once two scans find it unchanged. Names that begin with a dot, and other suffixes
    than those of images, are ignored: a writer may use them until a file is complete. Subfolders
    are not scanned.

    Args:
        folder: an existing folder.
        predict: called with the path of an image.
        options: how to watch.

    Returns:
        Each path with its result; files of one scan by the time of their last change.

    Raises:
        InputError: the folder does not exist, or was removed.

    Example::

        for path, prediction in watch(Path("inbox"), classifier.predict):
            print(path, prediction)
    """
    options = options or WatchOptions()
    present = _scan(folder)  # now, not at the first result: later files are new
    return _watch(folder, predict, options, {} if options.existing else present)


def _watch(
    folder: Path,
    predict: Callable[[Path], Result | InputError],
    options: WatchOptions,
    seen: dict[Path, Stamp],
) -> Iterator[tuple[Path, Result | InputError]]:
    waiting: dict[Path, tuple[Stamp, float]] = {}  # and since when unchanged
    while True:
        now = time.monotonic()
        present = _scan(folder)
        seen = {path: stamp for path, stamp in seen.items() if path in present}
        found = {path: stamp for path, stamp in present.items() if seen.get(path) != stamp}
        ready = [path for path, stamp in found.items() if _stamp(waiting, path) == stamp]
        waiting = {p: waiting[p] if p in ready else (stamp, now) for p, stamp in found.items()}
        for path in sorted(ready, key=lambda path: (found[path], path)):
            result = predict(path)
            bad = isinstance(result, InputError)
            if bad and (now - waiting[path][1] < options.patience or not path.exists()):
                continue
            seen[path] = found[path]
            yield path, result
        time.sleep(options.interval)


def _stamp(waiting: dict[Path, tuple[Stamp, float]], path: Path) -> Stamp | None:
    return waiting[path][0] if path in waiting else None


def _scan(folder: Path) -> dict[Path, Stamp]:
    """Return the images in a folder; a file that vanishes meanwhile is ignored."""
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
