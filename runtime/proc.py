"""Reading of the small text files of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")  # the folder of proc and sys; tests use another one


def colon_fields(text: str) -> dict[str, str]:
    """Parse the lines ``key : value`` of a file in /proc; of equal keys the last one counts.

    Args:
        text: content of the file.

    Example:
        >>> colon_fields("model name : Cortex-A76")
        {'model name': 'Cortex-A76'}
    """
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def text_of(path: Path | str) -> str:
    """Return the text of a file in /proc or /sys, stripped; empty if it cannot be read.

    Args:
        path: the file.

    Example:
        >>> size = Path("governor").write_text("ondemand  ")
        >>> text_of("governor"), text_of("missing")
        ('ondemand', '')
    """
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
