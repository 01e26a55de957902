"""Image files of every common kind, and files that only look like images."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from runtime.errors import InputError
from runtime.preprocessing import decode as images
from runtime.preprocessing.decode import decode, to_plain


@pytest.fixture
def picture(rng):
    """A colour picture with a gradient, 12 wide and 10 high: no symmetry to hide behind."""
    y, x = np.mgrid[:10, :12]
    return np.stack([x * 20, y * 25, 255 - x * 10 - y * 5], axis=-1).astype(np.uint8)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width, height, bits, color_type, data):
    """A PNG file with any header, also an untrue one."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    ("kind", "suffix", "options", "tolerance"),
    [
        ("PNG", ".png", {}, 0),
        ("BMP", ".bmp", {}, 0),
        ("TIFF", ".tif", {}, 0),
        ("TIFF", ".tiff", {"compression": "tiff_lzw"}, 0),
        ("WEBP", ".webp", {"lossless": True}, 0),
        ("JPEG", ".jpg", {"quality": 100, "subsampling": 0}, 3),
        ("JPEG", ".jpeg", {"quality": 95, "progressive": True}, 20),
    ],
)
def test_every_kind_of_file_gives_its_pixels(tmp_path, picture, kind, suffix, options, tolerance):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture).save(path, kind, **options)
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        found = decode(source)
        assert found.mode == "RGB"
        assert np.abs(np.asarray(found, int) - picture).max() <= tolerance
    assert suffix in images.IMAGE_SUFFIXES


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG"])
def test_grey_files_stay_grey(picture, kind):
    grey = Image.fromarray(picture).convert("L")
    found = decode(encoded(grey, kind))
    assert found.mode == "L"
    assert np.abs(np.asarray(found, int) - np.asarray(grey, int)).max() <= 4 * (kind == "JPEG")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_over_its_full_range(kind):
    wide = np.array([[0, 128, 129, 257], [32768, 65535, 65278, 385]], np.uint16)
    found = decode(encoded(Image.fromarray(wide), kind))
    assert found.mode == "L"
    assert np.asarray(found).tolist() == [[0, 0, 1, 1], [128, 255, 254, 1]]


def test_16_bit_colour_png_keeps_its_high_bytes():
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">HHH", x * 257, 65535, 0) for x in range(3)) for _ in range(2)
    )
    found = np.asarray(decode(png(3, 2, 16, 2, rows)))
    assert found[1].tolist() == [[0, 255, 0], [1, 255, 0], [2, 255, 0]]


def test_float_tiff_is_scaled_from_0_to_1():
    found = decode(encoded(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF"))
    assert np.asarray(found).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("values", [[[0, 255.0]], [[-0.5, 1]], [[np.nan, 1]]])
def test_float_pixels_without_an_8_bit_meaning_are_refused(values):
    with pytest.raises(InputError, match=r"F pixels must lie in 0…1"):
        decode(encoded(Image.fromarray(np.array(values, np.float32)), "TIFF"))


def test_one_bit_images(picture):
    bits = Image.fromarray(picture).convert("L").point(lambda v: 255 * (v > 90), mode="1")
    for kind in ("PNG", "BMP", "TIFF"):
        found = decode(encoded(bits, kind))
        assert found.mode == "L"
        np.testing.assert_array_equal(np.asarray(found) > 0, np.asarray(bits))


def test_palettes_and_cmyk_become_rgb(picture):
    image = Image.fromarray(picture)
    palette = image.quantize(64)
    wanted = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(np.asarray(decode(encoded(palette))), wanted)
    cmyk = decode(encoded(image.convert("CMYK"), "TIFF"))
    assert cmyk.mode == "RGB"
    assert np.abs(np.asarray(cmyk, int) - picture).max() <= 1


def transparent(mode, ink):
    """A stroke of one shade; all around it is transparent, of the shade that would hide it."""
    image = Image.new("RGBA", (9, 9), (ink, ink, ink, 0))
    image.paste((ink, ink, ink, 255), (4, 1, 6, 8))
    if mode == "P":
        return image.quantize(4), {}
    if mode in ("L", "RGB"):  # one shade of the file is declared to be transparent
        other = 255 - ink
        flat = Image.new(mode, (9, 9), (other,) * len(mode))
        flat.paste((ink,) * len(mode), (4, 1, 6, 8))
        return flat, {"transparency": other if mode == "L" else (other,) * 3}
    return image.convert(mode), {}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (20, 255), (255, 0), (230, 0)])
def test_transparency_is_laid_on_the_background_that_contrasts(mode, ink, paper):
    image, options = transparent(mode, ink)
    found = decode(encoded(image, **options))
    grey = np.asarray(found.convert("L"), int)
    assert found.mode == ("L" if mode in ("LA", "L") else "RGB")
    assert abs(grey[4, 4] - ink) <= 2
    assert grey[0, 0] == paper


def test_half_transparent_pixels_are_mixed():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 64))
    assert np.asarray(to_plain(image))[0, :, 0].tolist() == [0, 191]


def test_a_wholly_transparent_picture_is_blank():
    found = decode(encoded(Image.new("RGBA", (5, 5), (9, 9, 9, 0))))
    assert len(found.getcolors()) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_rotation_gives_the_pixels_of_the_upright_picture(picture, orientation, kind):
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    found = np.asarray(decode(encoded(image, kind, exif=exif, **options)))
    stored = Image.open(io.BytesIO(encoded(image, kind, **options))).convert("RGB")
    stored.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(found, np.asarray(ImageOps.exif_transpose(stored)))
    assert found.shape == ((12, 10, 3) if orientation > 4 else (10, 12, 3))


def test_a_turned_photo_is_the_same_as_one_turned_by_hand(picture):
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held upright: turn a quarter clockwise
    found = decode(encoded(image, exif=exif))
    by_hand = image.transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(by_hand))


def test_of_several_frames_the_first_is_taken(picture):
    first, second = Image.fromarray(picture), Image.fromarray(255 - picture)
    data = encoded(first, "TIFF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(np.asarray(decode(data)), picture)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.png", b"I am no image\n", r"not an image of a known format \(PNG, JPEG"),
        ("empty.png", b"", "not an image"),
        ("page.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        ("a.gif", encoded(Image.new("L", (3, 3)), "GIF"), "not an image of a known format"),
        ("a.png", encoded(Image.new("L", (3, 3)), "PPM"), "not an image of a known format"),
        ("missing.png", None, "no such file"),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        decode(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        decode(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_truncated_files_are_refused(rng, kind):
    noise = Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))
    data = encoded(noise, kind)
    for part in (0.2, 0.5, 0.9):
        with pytest.raises(InputError, match=r"cannot be decoded|not an image"):
            decode(data[: int(len(data) * part)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_damaged_files_raise_nothing_but_input_error(picture, kind):
    data = encoded(Image.fromarray(picture), kind)
    pick = random.Random(kind)
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(pick.randint(1, 4)):
            damaged[pick.randrange(len(damaged))] = pick.randrange(256)
        try:
            assert decode(bytes(damaged)).mode in ("L", "RGB")
        except InputError:
            continue


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    with pytest.raises(InputError, match="too large"):
        decode(png(60_000, 60_000, 8, 0, b""))
    with pytest.raises(InputError, match=r"12000x9000 pixels .* 100 megapixels"):
        decode(png(12_000, 9_000, 8, 0, b""))


def test_a_compressed_text_bomb_is_refused(picture):
    data = encoded(Image.fromarray(picture))
    text = b"key\0\0" + zlib.compress(b"\0" * 80_000_000)
    body = b"zTXt" + text
    chunk = struct.pack(">I", len(text)) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(InputError, match="cannot be decoded"):
        decode(data[:33] + chunk + data[33:])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV"])
def test_pillow_images_of_any_mode_become_plain(picture, mode):
    image = Image.fromarray(picture).convert(mode)
    found = to_plain(image)
    assert found.mode == ("L" if mode in ("1", "L", "LA") else "RGB")
    assert found is not image


@pytest.mark.parametrize("value", ["ab", "12", "a long one"])
@pytest.mark.parametrize("size", [(12, 10), (400, 380)])
def test_text_in_a_file_is_not_taken_for_our_own_notes(value, size):
    """A picture brings any text; its size was once kept under a key that is text."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("size in file", value)
    found = decode(encoded(Image.new("L", size, 9), pnginfo=notes), 160)
    assert images.size_in_file(found) == size


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_picture_whose_file_ends_too_early_is_refused(mode):
    data = encoded(Image.new(mode, (300, 200)), "JPEG")
    lazy = Image.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(InputError, match="cannot be decoded"):
        to_plain(lazy)


def test_large_transparent_and_16_bit_pictures_are_the_same_in_strips(rng, monkeypatch):
    clear = Image.fromarray(rng.integers(0, 256, (9, 7, 4), np.uint8))
    wide = Image.fromarray(rng.integers(0, 65536, (9, 7), np.uint16))
    whole = [np.asarray(to_plain(one)) for one in (clear, clear.convert("LA"), wide)]
    monkeypatch.setattr(images, "_STRIP", 15)  # two rows
    strips = [np.asarray(to_plain(one)) for one in (clear, clear.convert("LA"), wide)]
    for one, other in zip(whole, strips, strict=True):
        np.testing.assert_array_equal(one, other)
