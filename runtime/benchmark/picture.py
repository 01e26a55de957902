"""The image whose preprocessing is timed: a user's, or a drawn one."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from runtime.model import Classifier
    from runtime.preprocessing.inputs import Source

SIZE = (640, 480)  # width and height of the drawn image: those of a small camera


@dataclass(frozen=True, slots=True)
class Picture:
    """An image and its preprocessing.

    Attributes:
        name: the file, or a description of the drawing.
        prepare: decodes and fits it; returns uint8 or float (1, height, width, channels).

    Example::

        pixels = picture(classifier, None).prepare()
    """

    name: str
    prepare: Callable[[], NDArray[Any]]


def picture(classifier: Classifier, path: Path | None) -> Picture:
    """Return the image of a file, or a PNG with a dark seven on light grey.

    Args:
        classifier: its preprocessing is applied.
        path: an image file, or a ``.npy`` array of one image.

    Raises:
        InputError: the file cannot be read, or contains several images.

    Example::

        with runtime.load("mnist-cnn.int8.tflite") as classifier:
            name = picture(classifier, Path("seven.png")).name
    """
    if path is None:
        data = _drawn()
        name = f"a drawn {SIZE[0]}x{SIZE[1]} PNG"
        return Picture(name, lambda: _ready(classifier, data))
    source = read_one(path)
    one = Picture(path.name, lambda: _ready(classifier, source.read()))
    with _named(path):
        one.prepare()
    return one


def read_one(path: Path) -> Source:
    """Return the only image of a file, after reading it once as a check.

    Raises:
        InputError: the file cannot be read, or contains several images.

    Example::

        image = read_one(Path("seven.png")).read()
    """
    from runtime.preprocessing.inputs import Inputs

    sources = list(Inputs((str(path),)))
    if len(sources) != 1:
        raise InputError(f"--image takes one image; {path} contains {len(sources)}")
    with _named(path):
        sources[0].read()
    return sources[0]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Prefix input errors with the path."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _ready(classifier: Classifier, image: object) -> NDArray[Any]:
    pixels = classifier.prepare(image).pixels  # type: ignore[arg-type]
    return pixels.reshape(1, *classifier.spec.shape)


def _drawn() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", SIZE, (225, 225, 220))
    strokes = [(220, 120), (420, 120), (300, 380)]
    ImageDraw.Draw(image).line(strokes, fill=(40, 40, 50), width=28, joint="curve")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
