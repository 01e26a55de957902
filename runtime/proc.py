"""Reads the small text files in which Linux tells of itself."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")  # where /proc and /sys lie; tests take a folder


def colon_fields(text: str) -> dict[str, str]:
    """Read the lines ``key : value`` of a file in /proc; of equal keys the last one counts."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def text_of(path: Path | str) -> str:
    """Return the text of a file in /proc or /sys, stripped; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
