"""A ranking of engines as text of at most 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.benchmark.candidates import Candidate
    from runtime.benchmark.ranking import Ranked, Ranking

_WIDTH = 80
_HEAD = f"{'ms per image':16}{'threads':>8}{'batch':>7}{'fastest':>12}{'median':>12}{'times':>8}"


def text(found: Ranking) -> str:
    """Return two tables, for one image and for many, and one line per engine.

    Example::

        print(text(rank("mnist-cnn.int8.tflite", RankOptions())))
    """
    one = [row for row in found.rows if row.batch == 1]
    many = [row for row in found.rows if row.batch > 1]
    machine = found.machine
    lines = [
        f"{found.file.path} ({found.file.format})",
        *_wrapped(f"{machine.cpu}, {machine.cores} cores, {machine.architecture}"),
        *_table("One image in a call", one),
        *(_table("Many images in a call", many) if many else []),
        "",
        *(line for engine in found.engines for line in _engine(engine)),
        "",
        _best("One image  ", found.best(many=False)),
        _best("Many images", found.best(many=True)),
    ]
    return "\n".join(lines)


def _table(title: str, rows: list[Ranked]) -> Iterator[str]:
    yield from ("", title, _HEAD)
    for row in rows:
        median, times = row.latency.median_ms / row.batch, row.image_ms / rows[0].image_ms
        yield (
            f"{row.backend:16}{row.threads:>8}{row.batch:>7}{row.image_ms:>12.4f}"
            f"{median:>12.4f}{times:>8.2f}"
        )


def _engine(one: Candidate) -> list[str]:
    status = one.refusal or f"load {one.load_ms:.0f} ms, peak memory {one.peak_rss_mb:.0f} MB"
    title = f"{one.name} {one.version or ''}".strip()
    return _wrapped(f"{title}: {status}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _best(label: str, row: Ranked) -> str:
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    return f"{label}: {row.backend}, {threads}, batch {row.batch}: {row.image_ms:.4f} ms per image"
