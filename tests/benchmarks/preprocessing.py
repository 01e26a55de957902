"""From an image file to the pixels a model takes: decode, orient, crop, centre, scale.

    python tests/benchmarks/preprocessing.py
    python tests/benchmarks/preprocessing.py --json

The files are made here from a digit of examples/images: in MNIST's framing, as its negative, as
a dim photo of 28x28, and as photos of 1280x1280. Each file is read from the disk (cache) by
PreprocessSpec.from_file with the framing of MNIST. `decode` is the part of it that opens and
decodes the file. Medians of calls that took turns, in microseconds.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from runtime.benchmark.latency import measure_interleaved
from runtime.preprocessing.spec import PreprocessSpec

DIGIT = Path(__file__).parents[2] / "examples" / "images" / "four.png"
SPEC = PreprocessSpec(28, 28, fit="center-of-mass", polarity="auto")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """One row; times in microseconds.

    Attributes:
        file: what it is.
        kilobytes: of the file.
        decode_us: open and decode.
        whole_us: from the file to the pixels.
        best_us: the fastest call.
    """

    file: str
    kilobytes: float
    decode_us: float
    whole_us: float
    best_us: float


def make(folder: Path) -> dict[str, Path]:
    """Write the files; return them by what they are."""
    digit = SPEC.from_file(DIGIT)[..., 0]
    small, large = _photo(digit, 28), _photo(digit, 1280)
    files = {
        "28x28 PNG, framed": (Image.fromarray(digit), "framed.png", {}),
        "28x28 PNG, negative": (Image.fromarray(255 - digit), "negative.png", {}),
        "28x28 PNG, photo": (small, "photo.png", {}),
        "1280x1280 JPEG, grey": (large.convert("L"), "grey.jpg", {}),
        "1280x1280 JPEG": (large, "colour.jpg", {}),
        "1280x1280 JPEG, quality 95": (large, "fine.jpg", {"quality": 95}),
    }
    for image, name, options in files.values():
        image.save(folder / name, **options)
    return {kind: folder / name for kind, (_, name, _) in files.items()}


def _photo(digit: np.ndarray, side: int) -> Image.Image:
    """Draw a digit, off the middle, on paper with uneven light and some noise."""
    rng = np.random.default_rng(0)
    moved = Image.fromarray(np.roll(digit, (3, -3), (0, 1)))
    ink = np.asarray(moved.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    light = np.linspace(170, 220, side, dtype=np.float32)[:, None] * (1 - 0.7 * ink)
    colours = light[..., None] * np.array([1, 0.97, 0.9]) + rng.normal(0, 2, (side, side, 1))
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def measure(files: dict[str, Path], seconds: float) -> list[Preprocessing]:
    """Time all files in turns."""
    runs = [partial(way, path) for path in files.values() for way in (SPEC.decode, SPEC.from_file)]
    times = measure_interleaved(runs, seconds)
    return [
        Preprocessing(
            kind,
            round(path.stat().st_size / 1000, 1),
            round(decode.median_ms * 1e3, 1),
            round(whole.median_ms * 1e3, 1),
            round(whole.min_ms * 1e3, 1),
        )
        for (kind, path), decode, whole in zip(files.items(), times[::2], times[1::2], strict=True)
    ]


def table(rows: list[Preprocessing]) -> str:
    """Return the rows as Markdown."""
    lines = [
        f"|{'file':28}|{'kB':>7}|{'decode µs':>10}|{'whole µs':>9}|{'best µs':>8}|",
        f"|{'-' * 28}|{'-' * 6}:|{'-' * 9}:|{'-' * 8}:|{'-' * 7}:|",
    ]
    for row in rows:
        times = f"{row.decode_us:10.0f}|{row.whole_us:9.0f}|{row.best_us:8.0f}"
        lines.append(f"|{row.file:28}|{row.kilobytes:7.1f}|{times}|")
    return "\n".join(lines)


@click.command()
@click.option("--seconds", type=float, default=2.0, show_default=True, help="For each file.")
@click.option("--quick", is_flag=True, help="Only see that it works: the figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(seconds: float, quick: bool, as_json: bool) -> None:
    """Time the way from an image file to model input."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(make(Path(folder)), 0.02 if quick else seconds)
    click.echo(json.dumps([asdict(row) for row in rows]) if as_json else table(rows))


if __name__ == "__main__":
    command()
