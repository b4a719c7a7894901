import io
import math
import os
import warnings

import pytest
import torch
from codec_photos import fitted, photo
from PIL import Image

from unveil.codecs import Codec
from unveil.core.errors import ConfigError, DataError
from unveil.data import save_images
from unveil.metrics import ssim
from unveil.tasks.codec import decode, encode, fit
from unveil.tasks.codec_pictures import read_bytes
from unveil.tasks.codec_quality import CONVENTIONS, at_bytes, evaluate, figures
from unveil.tasks.report import Quiet


@pytest.fixture
def picture(tmp_path):
    save_images(photo("astronaut")[:, :70, 180:290], tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(("offset", "decibels"), [(1, 48.13), (16, 24.05)])
def test_a_constant_offset_has_the_psnr_it_must_have(offset, decibels):
    """Squares of bytes that wrap round would make the second infinite."""
    x = torch.randint(0, 200, (3, 20, 30), dtype=torch.uint8)
    found = dict(zip(CONVENTIONS, figures(x, x + offset, 100), strict=True))
    assert found["psnr"] == pytest.approx(decibels, abs=0.01)
    assert found["luma-psnr"] == pytest.approx(decibels, abs=0.01)
    assert found["ratio"] == 18


def test_the_two_kinds_of_ssim():
    x = photo("astronaut")[:, 100:160, 180:260]
    y = (
        (x.float() + 20 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
        .clamp(0, 255)
        .to(torch.uint8)
    )
    found = dict(zip(CONVENTIONS, figures(x, y, 100), strict=True))
    assert found["ssim"] == pytest.approx(float(ssim(x[None].double(), y[None].double(), data_range=255)[0]), abs=1e-4)
    assert abs(found["ssim"] - found["ssim-uniform"]) > 1e-4
    same = figures(x, x, 100)
    assert same[1] == math.inf
    assert same[3:] == pytest.approx([1, 1])


@pytest.mark.parametrize("method", ["JPEG", "WEBP"])
def test_peers_take_no_more_bytes_and_nearly_as_many(method):
    x = photo("astronaut")[:, :256, 100:356]
    for count in (4000, 12_000):
        y, taken = at_bytes(x, method, count)
        assert 0.85 * count < taken <= count
        assert y.shape == x.shape
    grey, _ = at_bytes(x[:1], "JPEG", 4000)
    assert grey.shape == (1, 256, 256)


def test_where_a_peer_cannot_make_so_few_bytes_that_is_told(picture):
    _, jpeg = evaluate([picture], fitted("VQ-8-8-8"), peers=["JPEG"])
    assert jpeg.above == 1
    assert "1 of them larger" in str(jpeg)


def test_a_codec_is_measured_by_what_its_files_decode_to(picture):
    (ours,) = evaluate([picture], fitted(), peers=[])
    codec, x = fitted(), photo("astronaut")[:, :70, 180:290]
    y = codec.decode(codec.encode(x[None]), (70, 110), to_bytes=True)[0]
    assert ours.figures["psnr"].value == pytest.approx(figures(x, y, 1)[1])
    assert ours.figures["psnr"].count == 1
    assert "data range 255" in " ".join(ours.figures["psnr"].notes)


def test_small_pictures_are_not_measured(tmp_path):
    save_images(photo("astronaut")[:, :8, :30], tmp_path / "small.png")
    with pytest.raises(DataError, match="smaller than 11 x 11"):
        evaluate([tmp_path / "small.png"], fitted())


def test_a_picture_longer_than_a_peer_can_write_is_refused_by_name(tmp_path):
    save_images(photo("astronaut")[:, :12, :100].repeat(1, 1, 164), tmp_path / "long.png")
    with pytest.raises(DataError, match=r"long\.png' has 16400 x 12 pixels, and WEBP writes sides of 16,383 at most"):
        evaluate([tmp_path / "long.png"], fitted())
    assert len(evaluate([tmp_path / "long.png"], fitted(), peers=["JPEG"])) == 2


def test_nothing_is_said_to_be_written_where_pictures_are_measured(tmp_path, picture):
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 2 files were left out, 1 can be measured alone\. .*bad.png.*0 bytes"):
        evaluate([picture, tmp_path / "bad.png"], fitted())


def test_a_grey_picture_is_read_without_a_warning(tmp_path):
    save_images(photo("astronaut")[:1, :20, :30], tmp_path / "grey.png")
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings(action="error"):
            x, _ = read_bytes(tmp_path / "grey.png", drop_alpha=False)
            fit(tmp_path / "grey.png", tmp_path / "grey.safetensors", "VQ-1", bits=1)
    finally:
        torch.set_warn_always(always)
    assert torch.equal(x, photo("astronaut")[:1, :20, :30])


def test_alpha_that_hides_nothing_is_no_transparency(tmp_path):
    image = Image.fromarray(photo("astronaut")[:, :20, :30].permute(1, 2, 0).numpy()).convert("RGBA")
    image.save(tmp_path / "screen.png")
    x, notes = read_bytes(tmp_path / "screen.png", drop_alpha=False)
    assert torch.equal(x, photo("astronaut")[:, :20, :30])
    assert not notes
    image.putpixel((3, 4), (0, 0, 0, 254))
    image.save(tmp_path / "hole.png")
    with pytest.raises(DataError, match="transparent in places"):
        read_bytes(tmp_path / "hole.png", drop_alpha=False)


def cut_animation():
    """A GIF whose first frame is whole and whose second is cut: Pillow stumbles over it when frames are counted."""
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 200)])
    return file.getvalue()[:60]


@pytest.mark.parametrize("data", [b"P6 24\x1d18 255\n", cut_animation(), None], ids=["sides", "frames", "pipe"])
def test_one_damaged_picture_does_not_stop_the_others(data, tmp_path, picture):
    bad = tmp_path / "bad.png"
    if data is None:
        os.mkfifo(bad)  # it would be waited for without end
    else:
        bad.write_bytes(data)
    with pytest.raises(DataError, match=r"1 of 2 files were left out, 1 were written\. .*bad.png' cannot be read"):
        encode([bad, picture], tmp_path / "coded", fitted())
    assert [file.name for file in (tmp_path / "coded").iterdir()] == ["photo.uvc"]


def test_where_no_picture_can_be_read_it_is_told_why(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "bad.png").write_bytes(b"")
    report = Remembered()
    with pytest.raises(DataError, match="There are no pictures to fit"):
        fit(tmp_path / "all", tmp_path / "mine.safetensors", report=report)
    assert "bad.png' cannot be read: it is empty (0 bytes)" in report.said[0]


class Remembered(Quiet):
    def __init__(self):
        self.said = []

    def say(self, sentence):
        self.said.append(sentence)


def test_files_can_be_worked_on_by_several_threads_and_threads_are_as_before(tmp_path, monkeypatch):
    for i in range(4):
        save_images(photo("astronaut")[:, i * 9 :, i * 5 :], tmp_path / "many" / f"{i}.png")
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        done = encode([tmp_path / "many"], tmp_path / "coded", fitted())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert [one.source.name for one in done] == ["0.png", "1.png", "2.png", "3.png"]
    assert [one.size for one in done] == [(512 - 9 * i, 512 - 5 * i) for i in range(4)]
    assert all(one.ratio > 32 for one in done)
    alone = encode([tmp_path / "many" / "2.png"], tmp_path / "alone.uvc", fitted())
    assert alone[0].file.read_bytes() == done[2].file.read_bytes()
    back = decode([one.file for one in done], tmp_path / "back", fitted())
    assert [one.file.name for one in back] == ["0.png", "1.png", "2.png", "3.png"]


def test_a_codec_is_fitted_to_any_source_of_pictures(tmp_path, picture):
    codec = fit("digits", tmp_path / "digits.safetensors", "PQ-8", patch=4, bits=4, patches=2000)
    assert isinstance(codec, Codec)
    assert (codec.channels, codec.planes, codec.patch) == (1, 2, 4)
    one = fit(picture, tmp_path / "one.safetensors", "VQ-5-5-5", bits=5)
    assert one.size == 32
    with pytest.raises(ConfigError, match="seed"):
        fit("digits", tmp_path / "other.safetensors", "VQ-4", bits=4, seed=-1)


def test_photographs_of_a_test_set_come_in_the_published_order(real_data, tmp_path):
    from unveil.codecs import fit_codec
    from unveil.data import load_image

    train = [load_image(path, 3) for path in sorted(real_data("mcm").glob("*.png"))[::3]]
    test = sorted(real_data("kodak").glob("*.png"))[2:4]
    found = [
        evaluate(test, fit_codec(train, name, patches=40_000), peers=[])[0].figures["psnr"].value
        for name in ("VQ-8-8-8", "PQ-32-8-8", "OPQ-32-8-8", "RQ-32-8-8")
    ]
    assert found == sorted(found)
    assert found[0] + 3 < found[2]
