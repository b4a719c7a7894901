import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DataError
from unveil.data import load_image
from unveil.data.decoding import UnreadableError, decode
from unveil.data.framing import Frame


def as_numbers(x):
    """The uint8 values (H, W, C) or (H, W) of a loaded picture."""
    return ((x + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).squeeze(-1).numpy()


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels_of(image, kind="PNG", channels=None, **options):
    return decode(encoded(image, kind, **options), "it", Frame(), channels)[0]


def test_rgb_and_grey_come_back_exactly(tmp_path, draw):
    colour, grey = draw(tmp_path / "c.png", 5, 7), draw(tmp_path / "g.png", 5, 7, channels=1)
    x = load_image(tmp_path / "c.png")
    assert x.shape == (3, 5, 7)
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(as_numbers(x), colour)
    np.testing.assert_array_equal(as_numbers(load_image(tmp_path / "g.png")), grey)
    np.testing.assert_array_equal(as_numbers(load_image(tmp_path / "g.png", 3)), grey[..., None].repeat(3, -1))
    luma = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(as_numbers(load_image(tmp_path / "c.png", 1)), luma, atol=0.51)


def test_the_ends_of_the_range_are_exact():
    image = Image.fromarray(np.array([[0, 255]], np.uint8))
    assert pixels_of(image).tolist() == [[[0, 255]]]


def test_transparency_lies_over_white():
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(10, 20, 30, 255), (10, 20, 30, 0), (0, 0, 0, 51)]):
        image.putpixel((x, 0), colour)
    assert pixels_of(image)[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [204, 204, 204]]
    veil = Image.merge("LA", [Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 51)])
    assert pixels_of(veil).tolist() == [[[204]]]


def test_a_palette_with_a_transparent_entry():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    assert pixels_of(image)[:, 0].T.tolist() == [[255, 0, 0], [0, 255, 0]]
    assert pixels_of(image, transparency=0)[:, 0].T.tolist() == [[255, 255, 255], [0, 255, 0]]


def test_sixteen_bits_become_eight():
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert pixels_of(Image.fromarray(values)).tolist() == [[[0, 1, 128, 255]]]
    assert pixels_of(Image.fromarray(values), "TIFF").tolist() == [[[0, 1, 128, 255]]]


def test_wider_numbers_need_a_known_white():
    assert pixels_of(Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)), "TIFF").tolist() == [[[0, 128, 255]]]
    with pytest.raises(UnreadableError, match=r"floating-point values leave 0\.\.1"):
        pixels_of(Image.fromarray(np.array([[7.0]], np.float32)), "TIFF")
    with pytest.raises(UnreadableError, match=r"32-bit values leave 0\.\.65535"):
        pixels_of(Image.fromarray(np.array([[70000]], np.int32)), "TIFF")


def test_one_bit_and_cmyk():
    assert pixels_of(Image.fromarray(np.array([[False, True]]))).tolist() == [[[0, 255]]]
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # red
    assert pixels_of(cmyk, "TIFF")[:, 0, 0].tolist() == [255, 0, 0]
    np.testing.assert_allclose(pixels_of(cmyk, "JPEG", quality=95)[:, 0, 0], [255, 0, 0], atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_upright(orientation):
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    stored = {  # what the camera stores, by the definition of each orientation
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    np.testing.assert_array_equal(decode(raw, "it", Frame(), None)[0][0], upright)
    # The size that decides is the upright one: 2 rows, 3 columns.
    np.testing.assert_array_equal(decode(raw, "it", Frame((2, 2), resize=False), None)[0][0], upright[:, :2])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_hide_a_whole_picture():
    image = Image.new("L", (8, 8), 77)
    assert (pixels_of(image, "JPEG", exif=b"Exif\0\0MM\0*rubbish") == 77).all()


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    raw = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pixels, animated = decode(raw, "it", Frame(), 1)
    assert (pixels == 10).all()
    assert animated
    assert not decode(encoded(frames[0], "GIF"), "it", Frame(), 1)[1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_any_cut_is_noticed_and_said_in_words(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    raw = encoded(Image.fromarray(pixels), kind)
    for share in (0.05, 0.5, 0.9):
        with pytest.raises(UnreadableError) as error:
            decode(raw[: int(len(raw) * share)], "it", Frame(), None)
        assert "0x" not in str(error.value)  # no addresses of objects
    with pytest.raises(UnreadableError, match="empty"):
        decode(b"", "it", Frame(), None)
    with pytest.raises(UnreadableError, match="not an image"):
        decode(b"<html>not found</html>", "it", Frame(), None)


def test_too_many_pixels_are_refused_before_they_are_unfolded(tmp_path, monkeypatch):
    Image.new("1", (300, 100)).save(tmp_path / "bomb.png")
    for most in (29_999, 10_000):  # Pillow itself only warns of the first
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with warnings.catch_warnings(action="error"), pytest.raises(DataError, match=r"bomb\.png.*more than .* pixels"):
            load_image(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert load_image(tmp_path / "bomb.png").shape == (1, 100, 300)


def test_jpeg_at_a_reduced_size_is_the_picture():
    y, x = np.mgrid[:512, :768]
    smooth = np.stack([x / 3, y / 2, (x + y) / 5], -1).astype(np.uint8)
    raw = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    small = decode(raw, "it", Frame((32, 32)), None)[0].astype(float)
    columns = (np.arange(32) + 0.5) * 16 + 128  # a 48 x 32 picture, its middle
    np.testing.assert_allclose(small[0, 16], columns / 3, atol=2)


def test_errors_name_the_file(tmp_path):
    with pytest.raises(DataError, match=r"'.*missing\.png' cannot be read: no such file"):
        load_image(tmp_path / "missing.png")
    (tmp_path / "bad.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"'.*bad\.png' cannot be read as an image: it is not an image"):
        load_image(tmp_path / "bad.png")
    with pytest.raises(ConfigError, match="channels=2"):
        load_image(tmp_path / "bad.png", 2)
