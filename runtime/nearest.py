"""What a person may have meant who named a file that is not there."""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 500  # names: more take a while, and are numbered, so that the nearest says little


def did_you_mean(path: Path | str) -> str:
    """Return the end of a message that says that a file or folder is missing.

    Args:
        path: what was named. The first of its folders that is missing is looked for.

    Returns:
        For example ``. Did you mean 'runs/latest'?``; empty where nothing has a name like it.
    """
    from difflib import get_close_matches

    named = Path(path)
    missing = next((one for one in reversed([named, *named.parents]) if not one.exists()), named)
    try:
        names = os.listdir(missing.parent)  # noqa: PTH208 - names only
    except OSError:
        return ""
    if len(names) > _MOST:
        return ""
    close = get_close_matches(missing.name, names, n=1)
    if not close:
        return ""
    meant = missing.parent / close[0] / named.relative_to(missing)
    return f". Did you mean '{meant if meant.exists() else missing.parent / close[0]}'?"
