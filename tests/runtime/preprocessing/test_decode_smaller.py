"""JPEG photos that are decoded at a part of their size, and plugins that are not imported."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from runtime.preprocessing.decode import decode, size_in_file
from runtime.preprocessing.spec import PreprocessSpec

DIGIT = PreprocessSpec(28, 28, fit="center-of-mass", polarity="auto")


def photo(size, kind="JPEG", orientation=1):
    """A dark stroke on light paper."""
    width, height = size
    picture = np.full((height, width, 3), 200, np.uint8)
    picture[height // 4 : height // 2, width // 3 : width // 3 + width // 16] = 40
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("size", "least", "wanted"),
    [
        ((1280, 1280), 320, (320, 320)),
        ((1280, 960), 320, (320, 240)),
        ((4608, 2592), 320, (576, 324)),
        ((640, 320), 320, (320, 160)),
        ((639, 320), 320, (639, 320)),
        ((100, 80), 320, (100, 80)),
        ((1280, 1280), 0, (1280, 1280)),
        ((1280, 2), 320, (640, 1)),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_is_allowed(size, least, wanted):
    image = decode(photo(size), least)
    assert image.size == wanted
    assert size_in_file(image) == size


def test_other_files_keep_their_size():
    assert decode(photo((1280, 960), "PNG"), 320).size == (1280, 960)


@pytest.mark.parametrize(("orientation", "size"), [(1, (1280, 640)), (6, (640, 1280))])
def test_the_full_size_is_told_upright(orientation, size):
    image = decode(photo((1280, 640), orientation=orientation), 320)
    assert size_in_file(image) == size
    assert image.size == (size[0] // 4, size[1] // 4)


def test_a_photo_decoded_smaller_gives_nearly_the_same_digit():
    data = photo((1280, 1280))
    small, full = DIGIT.prepare(DIGIT.decode(data)), DIGIT.prepare(decode(data))
    assert small.steps[0] == full.steps[0] == "1280x1280: found dark strokes"
    assert np.abs(small.pixels.astype(int) - full.pixels).mean() < 4


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_the_other_fits_use_every_pixel(fit):
    data = photo((1280, 960))
    spec = PreprocessSpec(28, 28, fit=fit)
    assert spec.decode(data).size == (1280, 960)


def test_only_the_plugin_of_the_file_is_imported(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (20, 20)).save(path)
    code = (
        "import sys; from runtime.preprocessing.decode import decode; decode(sys.argv[1]);"
        "print(*(name for name in sys.modules if name.endswith('ImagePlugin')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["PIL.PngImagePlugin"]
