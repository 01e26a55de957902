"""Short names of model files for tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def short_names(files: Iterable[tuple[str, str]]) -> list[str]:
    """Return the format of each file, or its name if files share a format.

    Args:
        files: format and path; a file may be listed several times.
    """
    pairs = list(files)
    counts = Counter(format_name for format_name, _ in set(pairs))
    shared = {name for name, count in counts.items() if count > 1} | {"unknown"}
    return [Path(path).name if name in shared else name for name, path in pairs]
