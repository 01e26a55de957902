"""Draw the digit pictures in this folder: pen strokes on a lit background, no dataset needed.

Run it again with: python examples/images/draw.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

POINT = tuple[float, float]

# Strokes in a box of 1 x 1.5 (x to the right, y down), smoothed before drawing.
STROKES: dict[str, list[list[POINT]]] = {
    "zero": [
        [
            (0.5, 0.02),
            (0.12, 0.35),
            (0.08, 1.0),
            (0.45, 1.48),
            (0.85, 1.1),
            (0.88, 0.4),
            (0.55, 0.02),
        ]
    ],
    "one": [[(0.3, 0.35), (0.55, 0.05), (0.52, 0.8), (0.5, 1.48)]],
    "two": [
        [(0.1, 0.4), (0.3, 0.06), (0.75, 0.12), (0.78, 0.55), (0.4, 1.05), (0.08, 1.42)],
        [(0.08, 1.42), (0.5, 1.38), (0.95, 1.44)],
    ],
    "three": [
        [(0.12, 0.2), (0.45, 0.02), (0.8, 0.25), (0.65, 0.6), (0.35, 0.7)],
        [(0.35, 0.7), (0.8, 0.8), (0.85, 1.2), (0.5, 1.48), (0.1, 1.3)],
    ],
    "four": [
        [(0.5, 0.05), (0.3, 0.5), (0.08, 0.95)],
        [(0.08, 0.95), (0.5, 0.93), (0.95, 0.92)],
        [(0.66, 0.5), (0.65, 1.0), (0.62, 1.48)],
    ],
    "five": [
        [(0.85, 0.05), (0.5, 0.06), (0.2, 0.08)],
        [(0.2, 0.08), (0.18, 0.35), (0.15, 0.6)],
        [(0.15, 0.6), (0.55, 0.52), (0.88, 0.9), (0.65, 1.4), (0.1, 1.4)],
    ],
    "six": [
        [
            (0.7, 0.03),
            (0.3, 0.5),
            (0.12, 1.05),
            (0.4, 1.47),
            (0.8, 1.25),
            (0.7, 0.85),
            (0.4, 0.82),
            (0.16, 1.1),
        ]
    ],
    "seven": [[(0.08, 0.1), (0.5, 0.08), (0.9, 0.1)], [(0.9, 0.1), (0.65, 0.7), (0.4, 1.48)]],
    "eight": [
        [
            (0.75, 0.25),
            (0.5, 0.03),
            (0.2, 0.25),
            (0.4, 0.62),
            (0.75, 0.95),
            (0.72, 1.35),
            (0.4, 1.48),
            (0.15, 1.2),
            (0.35, 0.85),
            (0.7, 0.5),
            (0.75, 0.25),
        ]
    ],
    "nine": [
        [(0.8, 0.35), (0.5, 0.05), (0.18, 0.3), (0.3, 0.65), (0.65, 0.65), (0.8, 0.3)],
        [(0.8, 0.3), (0.78, 0.9), (0.6, 1.48)],
    ],
}
BACKGROUNDS = [(244, 241, 232), (236, 226, 96), (205, 208, 212)]
FOREGROUNDS = [(32, 44, 110), (25, 60, 90), (70, 70, 74)]
OVERSAMPLE = 4


def smooth(points: list[POINT], steps: int = 24) -> np.ndarray:
    """Return a Catmull-Rom curve through the points, (n, 2)."""
    padded = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, steps)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                   + (3 * b - a - 3 * c + d) * t**3)
        )  # fmt: skip
    return np.concatenate(parts)


def picture(name: str, index: int) -> Image.Image:
    """Draw one digit on a background with a lighting gradient and some noise."""
    rng = np.random.default_rng(index)
    size = (150 + 10 * index, 200)
    big = Image.new("RGB", (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE), BACKGROUNDS[index % 3])
    pen, scale = ImageDraw.Draw(big), 90 * OVERSAMPLE
    offset = np.array([28 + 4 * index, 30]) * OVERSAMPLE
    width = (5 + index % 3) * OVERSAMPLE
    for stroke in STROKES[name]:
        for x, y in smooth(stroke) * scale + offset:
            box = (x - width / 2, y - width / 2, x + width / 2, y + width / 2)
            pen.ellipse(box, FOREGROUNDS[index % 3])
    small = big.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))
    pixels = np.asarray(small, float)
    light = 1 - 0.25 * np.linspace(0, 1, size[0])[None, :, None] * (index % 4) / 3
    noisy = pixels * light + rng.normal(0, 3, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def main() -> None:
    """Write all pictures beside this file."""
    folder = Path(__file__).parent
    for index, name in enumerate(STROKES):
        suffix = "jpg" if index % 3 == 2 else "png"
        picture(name, index).save(folder / f"{name}.{suffix}")


if __name__ == "__main__":
    main()
