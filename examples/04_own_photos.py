"""04: your own photos, in one folder per class.

    python 04_own_photos.py [FOLDER]

Draws "photos" of coloured shapes on a background of varying brightness into FOLDER/photos/CLASS/,
and then runs the commands that you run with your own:

    toolkit train --data photos --image-size 32 --channels 3 --epochs 12 --batch-size 16
    toolkit export --format tflite-int8
    toolkit verify
    runtime predict runs/latest/exports/photos-cnn.int8.tflite photos/circle
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SHAPES = ("circle", "square", "triangle")
COUNT = 150  # per class


def photo(shape: str, rng: np.random.Generator) -> Image.Image:
    """Draw one photo: 120x90, random colour and position, slightly out of focus."""
    light = int(rng.integers(190, 240))
    image = Image.new("RGB", (120, 90), (light, light, light - 10))
    colour = tuple(int(v) for v in rng.integers(0, 150, 3))
    x, y, size = rng.integers(35, 85), rng.integers(30, 60), rng.integers(18, 28)
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse([x - size, y - size, x + size, y + size], fill=colour)
    elif shape == "square":
        draw.rectangle([x - size, y - size, x + size, y + size], fill=colour)
    else:
        draw.polygon([(x, y - size), (x - size, y + size), (x + size, y + size)], fill=colour)
    return image.rotate(float(rng.uniform(-12, 12)), fillcolor=(light,) * 3).filter(
        ImageFilter.GaussianBlur(1)
    )


def main(folder: Path) -> None:
    """Draw, train, export, verify, predict."""
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        target = folder / "photos" / shape
        target.mkdir(parents=True, exist_ok=True)
        for index in range(COUNT):
            photo(shape, rng).save(target / f"{index:03}.jpg")
    run, photos = folder / "runs", str(folder / "photos")
    size = ("--image-size", "32", "--channels", "3")
    steps = ("--epochs", "12", "--batch-size", "16")
    command("toolkit", "train", "--data", photos, *size, *steps, "--out", str(run))
    command("toolkit", "export", str(run), "--format", "tflite-int8")
    command("toolkit", "verify", "--against", str(run))
    (model,) = (run / "latest" / "exports").glob("*.int8.tflite")
    command("runtime", "predict", str(model), str(folder / "photos" / "circle" / "00*.jpg"))


def command(*words: str) -> None:
    """Run a command; stop if it fails."""
    print("$", *words)
    subprocess.run([sys.executable, "-m", *words], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-photos"))
