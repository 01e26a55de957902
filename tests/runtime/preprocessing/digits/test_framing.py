"""From a photo to MNIST's framing: what must come through, and what must be refused."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from runtime.errors import InputError
from runtime.preprocessing.digits.framing import already_framed, center_by_mass, isolate_strokes
from runtime.preprocessing.digits.segmentation import _background, find_strokes
from runtime.preprocessing.spec import PreprocessSpec

SPEC = PreprocessSpec(height=28, width=28, fit="center-of-mass", polarity="auto")
WHITE, BLACK = (250, 250, 248), (30, 30, 35)
SEVEN = [(0.2, 0.1), (0.8, 0.1), (0.4, 0.9)]


def draw(background=WHITE, strokes=BLACK, *, size=(120, 160), box=(20, 20, 100, 140), stroke=8):
    """A 7 in the given box of a sheet."""
    image = Image.new("RGB", size, background)
    left, top, right, bottom = box
    points = [(left + x * (right - left), top + y * (bottom - top)) for x, y in SEVEN]
    ImageDraw.Draw(image).line(points, fill=strokes, width=stroke, joint="curve")
    return image


def noisy(image, sigma=2.0):
    pixels = np.asarray(image).astype(float)
    pixels += np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def lit(image, light):
    pixels = np.asarray(image) * light[..., None]
    return Image.fromarray(pixels.astype(np.uint8))


def framed(image, polarity="auto"):
    strokes = isolate_strokes(image, polarity)
    return center_by_mass(Image.fromarray(strokes.pixels), 28, 28).pixels


def likeness(first, second):
    """Correlation of two images after a slight blur: 1 is equal."""

    def soft(pixels):
        p = np.pad(pixels.astype(float), 1)
        return sum(p[y : y + 28, x : x + 28] for y in range(3) for x in range(3)).ravel()

    return float(np.corrcoef(soft(first), soft(second))[0, 1])


def mnist_like():
    """A 7 on exact 0 that fits 20x20 and is centred by mass."""
    large = draw((0, 0, 0), (255, 255, 255), size=(80, 80), box=(0, 0, 80, 80)).convert("L")
    return Image.fromarray(center_by_mass(large, 28, 28).pixels)


REFERENCE = framed(draw())


def test_framing_is_that_of_mnist():
    rows, columns = np.flatnonzero(REFERENCE.any(1)), np.flatnonzero(REFERENCE.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    y, x = (np.average(np.arange(28), weights=REFERENCE.sum(axis)) for axis in (1, 0))
    assert math.hypot(y - 14, x - 14) < 1
    assert REFERENCE.max() > 240
    assert np.median(REFERENCE) == 0


def test_framed_image_comes_through_untouched():
    image = mnist_like()
    assert already_framed(image)
    for polarity in ("auto", "as-is"):
        assert np.array_equal(framed(image, polarity), np.asarray(image))
    assert np.array_equal(SPEC.prepare(image).pixels[..., 0], np.asarray(image))
    assert np.array_equal(framed(image.convert("RGB")), np.asarray(image))


@pytest.mark.parametrize("polarity", ["auto", "invert"])
def test_negative_of_a_framed_image_gives_the_same_pixels(polarity):
    image = mnist_like()
    negative = Image.fromarray(255 - np.asarray(image))
    assert not already_framed(negative)
    assert np.array_equal(framed(negative, polarity), np.asarray(image))


def test_framed_pixels_are_a_copy():
    image = mnist_like()
    before = np.array(image)
    framed(image)[:] = 7
    assert np.array_equal(np.asarray(image), before)


@pytest.mark.parametrize("shift", [0, 6])
def test_off_centre_image_is_not_taken_as_framed(shift):
    moved = Image.fromarray(np.roll(np.asarray(mnist_like()), shift, axis=1))
    assert already_framed(moved) == (shift == 0)


@pytest.mark.parametrize(
    ("background", "strokes", "dark"),
    [
        (WHITE, BLACK, True),
        ((35, 60, 45), (235, 235, 230), False),  # chalk on a blackboard
        ((10, 10, 10), (120, 120, 120), False),
        ((228, 228, 90), (15, 85, 125), True),  # blue on a yellow note
        ((200, 198, 200), (110, 108, 112), True),  # pencil
    ],
)
def test_polarity_is_found_out(background, strokes, dark):
    image = noisy(draw(background, strokes))
    assert find_strokes(image, "auto").dark is dark
    assert likeness(framed(image), REFERENCE) > 0.95


def test_named_polarity_chooses_between_two_inks():
    image = draw((128, 128, 128), BLACK, size=(240, 160))
    right = draw((128, 128, 128), (250, 250, 250), size=(240, 160), box=(160, 20, 230, 140))
    both = np.where(np.asarray(right) == 128, np.asarray(image), np.asarray(right))
    for polarity, dark in (("invert", True), ("as-is", False)):
        assert find_strokes(Image.fromarray(both.astype(np.uint8)), polarity).dark is dark


def test_ink_as_bright_as_the_paper_is_seen_by_its_colour():
    image = draw((120, 150, 90), (215, 105, 85))
    grey = np.asarray(image.convert("L")).astype(int)
    assert np.ptp(grey) < 8
    assert likeness(framed(noisy(image)), REFERENCE) > 0.95


def test_a_photo_without_colours_is_looked_at_in_grey():
    image = draw((240, 235, 225), (40, 38, 36))
    in_colour, in_grey = find_strokes(image, "auto"), find_strokes(image.convert("L"), "auto")
    assert np.array_equal(in_colour.coverage, in_grey.coverage)


COLOURS = {  # background, strokes
    "orange on blue": ((60, 110, 200), (235, 120, 30)),
    "yellow on white": ((250, 250, 245), (225, 150, 20)),
    "red on green as bright": ((90, 150, 90), (215, 105, 85)),
}


@pytest.mark.parametrize("colours", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("dirt", ["dot", "line"])
def test_ink_that_differs_in_colour_wins_over_dirt_that_is_clear_in_grey(colours, dirt):
    image = draw(*colours)
    pen = ImageDraw.Draw(image)
    if dirt == "dot":
        pen.ellipse((95, 145, 101, 151), fill=(20, 20, 20))
    else:
        pen.line((0, 152, 119, 152), fill=(60, 60, 60), width=2)
    assert likeness(framed(image), REFERENCE) > 0.9


@pytest.mark.parametrize("box", [(0, 0, 40, 60), (150, 10, 190, 70), (80, 180, 120, 240)])
def test_off_centre_in_a_large_margin(box):
    image = draw(size=(200, 250), box=box, stroke=4)
    assert likeness(framed(noisy(image)), REFERENCE) > 0.93


@pytest.mark.parametrize("side", [161, 330])
def test_a_small_digit_is_read_the_same_at_any_size_of_the_picture(side):
    """Pictures just above working size were reduced to half of it."""
    start, stop = side * 0.4, side * 0.55
    stroke = max(2, round(side * 0.015))
    small = draw(size=(side, side), box=(start, start, stop, stop), stroke=stroke)
    large = draw(size=(1440, 1440), box=(576, 576, 792, 792), stroke=22)
    assert likeness(framed(noisy(small)), framed(noisy(large))) > 0.945


def test_paper_is_found_where_ink_fills_every_fourth_column():
    """Samples of it were taken at a step that fell on the strokes alone."""
    keep = np.zeros((24, 160), bool)
    keep[:, ::4] = True
    contrast = np.where(keep, 50, np.arange(160) % 7).astype(np.float32)
    background = _background(contrast, keep)
    assert set(background.tolist()) == set(range(7))
    keep[:] = True
    keep[3, 1] = False
    assert _background(contrast, keep).tolist() == [1.0]


def test_gradient_vignette_and_hard_shadow():
    y, x = np.mgrid[0:160, 0:120]
    lights = {
        "gradient": 1 - 0.6 * x / 120,
        "vignette": 1 - 0.7 * ((y / 160 - 0.5) ** 2 + (x / 120 - 0.5) ** 2) * 2,
        "shadow": np.where(x + y > 150, 0.6, 1.0),
    }
    for name, light in lights.items():
        assert likeness(framed(noisy(lit(draw(), light))), REFERENCE) > 0.93, name


def test_dirt_table_edge_and_neighbour_are_left_out():
    image = draw()
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 6, 159), fill=(60, 45, 35))
    pen.line((110, 60, 119, 90), fill=BLACK, width=6)
    pen.ellipse((30, 130, 33, 133), fill=BLACK)
    strokes = isolate_strokes(noisy(image), "auto")
    assert (
        likeness(center_by_mass(Image.fromarray(strokes.pixels), 28, 28).pixels, REFERENCE) > 0.95
    )
    assert any("left out" in step for step in strokes.steps)


@pytest.mark.parametrize("stroke", [2, 4, 16])
def test_stroke_width_is_brought_into_the_range_of_mnist(stroke):
    pixels = framed(draw(stroke=stroke))
    assert pixels.max() > 200
    assert likeness(pixels, REFERENCE) > 0.85


@pytest.mark.parametrize("scale", [0.2, 0.5, 2, 8])
def test_any_size(scale):
    image = draw()
    size = (int(image.width * scale), int(image.height * scale))
    scaled = image.resize(size, Image.Resampling.BOX)
    assert likeness(framed(scaled), REFERENCE) > 0.9


def test_steps_are_short_sentences():
    steps = SPEC.prepare(draw(stroke=2)).steps
    assert "dark strokes" in steps[0]
    assert all(0 < len(step) < 80 and "\n" not in step for step in steps)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (28, 28), (50, 40), (640, 480)])
@pytest.mark.parametrize("polarity", ["auto", "as-is", "invert"])
def test_blank_images_are_refused(size, polarity):
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    noise = np.random.default_rng(0).normal(0, 3, x.shape)
    ramp = 200 - 100 * (x / size[0] + y / size[1]) / 2
    for pixels in (0 * x, 0 * x + 255, 128 + noise, ramp, ramp + noise):
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        for mode in ("L", "RGB"):
            with pytest.raises(InputError, match=r"^no strokes found: the image is blank$"):
                framed(image.convert(mode), polarity)


def test_black_image_cannot_be_centred():
    with pytest.raises(InputError, match="blank"):
        center_by_mass(Image.new("L", (8, 8)), 28, 28)


def test_ink_too_faint_to_survive_the_averaging_is_refused():
    pixels = np.zeros((300, 300), np.uint8)
    pixels[0, 0] = pixels[-1, -1] = 1
    with pytest.raises(InputError, match="blank"):
        center_by_mass(Image.fromarray(pixels), 28, 28)


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    pixels=shapes.flatmap(lambda shape: arrays(np.uint8, shape)),
    polarity=st.sampled_from(["auto", "as-is", "invert"]),
    side=st.sampled_from([(28, 28), (32, 20), (1, 1)]),
)
def test_any_image_works_or_is_refused(pixels, polarity, side):
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    try:
        strokes = isolate_strokes(image, polarity)
        result = center_by_mass(Image.fromarray(strokes.pixels), *side).pixels
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 -- both outcomes are allowed
        return
    assert strokes.pixels.ndim == 2
    assert result.shape == side
    assert result.dtype == np.uint8


@given(arrays(np.uint8, (8, 8)))
def test_small_digits_are_enlarged_deterministically(pixels):
    image = Image.fromarray(pixels)
    if not pixels.any():
        return
    first = center_by_mass(image, 28, 28).pixels
    assert first.shape == (28, 28)
    assert np.array_equal(first, center_by_mass(image, 28, 28).pixels)
