"""03: your own Keras models: one on a grid of numbers, one on colour images.

    python 03_own_keras_model.py [FOLDER]

Writes two .keras files and their data into FOLDER, then exports and verifies them as you would:

    toolkit export grid.keras --format tflite-int8 --data grid.npz
    toolkit verify grid.int8.tflite --against grid.keras --data grid.npz

The first model does not take images, but 64 measurements as an 8x8 grid, with dense layers. Any
single input of numbers can be exported that way. The second takes RGB images, scales them itself
(hence `--scale 1`), and returns logits.
"""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits


def grid(folder: Path) -> None:
    """Train on 64 numbers per example: the digits of scikit-learn, 0...16 scaled to 0...255."""
    numbers, truth = load_digits(return_X_y=True)
    x = (numbers.reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    save(folder / "grid.npz", x, truth)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    fit(model, x[..., None] / np.float32(255), truth, from_logits=False)
    model.save(folder / "grid.keras")


def colours(folder: Path) -> None:
    """Train on patches of three colours, 16x16, with noise."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 900)
    x = rng.integers(0, 120, (900, 16, 16, 3)).astype(np.uint8)
    x[np.arange(900), :, :, truth] += 100
    save(folder / "colours.npz", x, truth)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    fit(model, x.astype(np.float32), truth, from_logits=True)
    model.save(folder / "colours.keras")


def save(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    """Write the data as the toolkit reads it; every fifth image is a test image."""
    test = np.arange(len(x)) % 5 == 0
    np.savez(path, x_train=x[~test], y_train=y[~test], x_test=x[test], y_test=y[test])


def fit(model: keras.Model, x: np.ndarray, y: np.ndarray, *, from_logits: bool) -> None:
    """Train on the images that are not test images."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(keras.optimizers.Adam(0.01), loss)
    train = np.arange(len(x)) % 5 != 0
    model.fit(x[train], y[train], epochs=10, verbose=0)


def toolkit(*words: str) -> None:
    """Run a command; stop if it fails."""
    print("$ toolkit", *words)
    subprocess.run([sys.executable, "-m", "toolkit", *words], check=True)


def main(folder: Path) -> None:
    """Train both models, export them, and compare the files with Keras."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    grid(folder)
    colours(folder)
    for name, options in (
        ("grid", ()),
        ("colours", ("--scale", "1", "--labels", "red,green,blue")),
    ):
        model, data = str(folder / f"{name}.keras"), str(folder / f"{name}.npz")
        out = ("--out", str(folder))
        toolkit("export", model, "--format", "tflite-int8", "--data", data, *out, *options)
        file = str(folder / f"{name}.int8.tflite")
        toolkit("verify", file, "--against", model, "--data", data, *options)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-models"))
