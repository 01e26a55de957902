"""What pip puts on a 64-bit Raspberry Pi: sizes only, found without one.

The arm64 wheels that pip would choose there are unpacked here. They are the files that the
emulated Pi of tests/pi runs; nothing is started, so nothing is timed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import disk_bytes, package_count, run

if TYPE_CHECKING:
    from pathlib import Path

SUITES = {"bookworm": "3.11", "trixie": "3.13"}  # releases of Raspberry Pi OS and their Python
# The glibc of bookworm is 2.36: wheels for any older one fit.
PLATFORMS = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 26, 27, 28, 31, 34)))


@dataclass(frozen=True, slots=True)
class Size:
    """What an installation takes.

    Attributes:
        name: the engine, or TensorFlow.
        suite: the release of Raspberry Pi OS.
        disk_mb: unpacked files with byte code, in MB (1,000,000 bytes).
        packages: distributions.
    """

    name: str
    suite: str
    disk_mb: float
    packages: int


def size(name: str, suite: str, folder: Path, *requirements: str) -> Size:
    """Unpack what pip would install on a Pi with this release, and measure it.

    Raises:
        BackendError: there is no wheel for it; pip's line is told.
    """
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder]
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={SUITES[suite]}"]
    platforms = [f"--platform={platform}_aarch64" for platform in PLATFORMS]
    run(*pip, *options, *platforms, *requirements)
    return Size(name, suite, round(disk_bytes(folder) / 1e6, 1), package_count(folder))


def table(rows: list[Size]) -> str:
    """Return the sizes as Markdown: a line an engine, two columns a release."""
    names = list(dict.fromkeys(row.name for row in rows))
    widest = max(map(len, names))
    heads = [f"{suite} (Python {python})" for suite, python in SUITES.items()]
    found = {(row.name, row.suite): f"{row.disk_mb:,.0f} MB, {row.packages} pkgs" for row in rows}
    lines = [["engine".ljust(widest), *heads], ["-" * widest, *("-" * len(h) for h in heads)]]
    for name in names:
        cells = [found.get((name, suite), "no wheel") for suite in SUITES]
        padded = (cell.ljust(len(head)) for cell, head in zip(cells, heads, strict=True))
        lines.append([name.ljust(widest), *padded])
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)
