import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from unveil.cli.app import run as unveil
from unveil.codecs import load_codec
from unveil.data import load_image


def done(line, capsys):
    code = unveil(line.split())
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def refused(line, capsys):
    """Run a command that is refused, and give what it said of it."""
    assert unveil(line.split()) == 2
    return capsys.readouterr().err


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in: a photograph, a folder of three more of every kind, and what cannot be encoded."""
    monkeypatch.chdir(tmp_path)
    photo = Image.fromarray(data.astronaut()[20:150, 180:291])
    photo.save("photo.png")
    for name in ("many", "many/deeper", "bad"):
        (tmp_path / name).mkdir()
    photo.resize((33, 50)).save("many/small.png")
    photo.convert("L").save("many/deeper/grey.png")
    photo.save("many/photo.jpg", quality=95)
    Image.fromarray(np.arange(64 * 40, dtype=np.uint16).reshape(40, 64) * 25).save("bad/deep.png")
    cut = photo.convert("RGBA")
    cut.putalpha(Image.radial_gradient("L").resize(cut.size))
    cut.save("bad/alpha.png")
    photo.save("bad/moving.gif", save_all=True, append_images=[photo.rotate(90)])
    Path("bad/broken.png").write_bytes(Path("photo.png").read_bytes()[:900])
    return tmp_path


def difference(one, other):
    return float((load_image(one) - load_image(other)).square().mean())


def test_a_picture_goes_into_a_file_and_back(place, capsys):
    said = done("codec encode photo.png --out photo.uvc", capsys)
    assert re.search(r"Encoded 1 picture into photo.uvc: [\d,]+ bytes, [\d.]+ times smaller", said)
    done("codec decode photo.uvc --out back.png", capsys)
    assert Image.open("back.png").size == (111, 130)
    assert difference("photo.png", "back.png") < 0.02
    told = done("codec info photo.uvc", capsys)
    assert "111 x 130 pixels, colour" in told
    assert load_codec().fingerprint[:32] in told


def test_a_picture_that_becomes_larger_is_not_said_to_be_smaller(place, capsys):
    Image.new("L", (2, 2)).save("tiny.png")
    assert re.search(
        r"tiny.uvc: \d+ bytes, [\d.]+ times larger than the pixels",
        done("codec encode tiny.png --out tiny.uvc", capsys),
    )


def test_two_pictures_of_one_name_are_not_mixed_up(place, capsys):
    assert "'many/photo.jpg' and 'photo.png' would both become 'coded/photo.uvc'" in refused(
        "codec encode many photo.png --out coded", capsys
    )
    assert not Path("coded").exists()


def test_a_folder_there_and_back(place, capsys):
    done("codec encode many --out coded", capsys)
    names = {"small", "photo", "deeper/grey"}
    assert {str(file.relative_to("coded").with_suffix("")) for file in Path("coded").rglob("*.uvc")} == names
    done("codec decode coded --out back --suffix ppm", capsys)
    assert {str(file.relative_to("back").with_suffix("")) for file in Path("back").rglob("*.ppm")} == names
    assert Image.open("back/deeper/grey.ppm").mode == "L"
    assert Image.open("back/small.ppm").size == (33, 50)


def test_a_codec_of_ones_own(place, capsys):
    said = done("codec fit many --out mine.safetensors --name opq-8-4-4 --bits 4 --patches 3000", capsys)
    assert "32 times smaller" not in said
    assert "OPQ-8-4-4 is in mine.safetensors" in said
    assert "OPQ-8-4-4" in done("codec info mine.safetensors", capsys)
    done("codec encode photo.png --codec mine.safetensors --out photo.uvc", capsys)
    done("codec decode photo.uvc --codec mine.safetensors --out back.png", capsys)
    assert "was encoded by the codec" in refused("codec decode photo.uvc --out other.png", capsys)
    done("codec fit digits --out digits.safetensors --name VQ-4 --bits 4 --patch 4 --unordered", capsys)
    codec = load_codec("digits.safetensors")
    assert (codec.channels, codec.patch, codec.ordered) == (1, 4, False)


def test_a_picture_that_cannot_be_read_is_left_out_of_a_fit_and_named(place, capsys):
    Path("many/broken.png").write_bytes(Path("bad/broken.png").read_bytes())
    line = "codec fit many --out mine.safetensors --name VQ-4-4-4 --bits 4 --patches 3000"
    assert unveil(line.split()) == 0
    said = capsys.readouterr().err
    assert "could not be read" in said
    assert "broken.png" in said


def test_it_is_measured_beside_jpeg_and_webp(place, capsys):
    said = done("codec evaluate photo.png many --out m.json", capsys)
    assert [line.split(":")[0].split(" (")[0] for line in said.splitlines()[:3]] == ["OPQ-32-8-8", "JPEG", "WEBP"]
    assert "gaussian window 11" in said
    ours, jpeg, webp = json.loads(Path("m.json").read_text())
    assert ours["figures"]["psnr"]["count"] == 4
    assert ours["figures"]["psnr"]["value"] > 20
    assert (jpeg["method"], webp["method"]) == ("JPEG", "WEBP")
    assert len(done("codec evaluate photo.png --alone --plain", capsys).splitlines()) == 6


def test_plain_codes_take_the_bytes_that_the_name_says(place, capsys):
    done("codec encode photo.png --out photo.uvc --plain", capsys)
    assert Path("photo.uvc").stat().st_size == 48 + 14 * 17 * 48 // 8


def test_alpha_is_dropped_with_a_flag_only_and_16_bits_become_8(place, capsys):
    assert "--drop-alpha" in refused("codec encode bad/alpha.png --out a.uvc", capsys)
    done("codec encode bad/alpha.png --out a.uvc --drop-alpha", capsys)
    done("codec encode bad/deep.png --out deep.uvc", capsys)
    assert Image.open("bad/deep.png").size == (64, 40)
    done("codec decode deep.uvc --out deep.png", capsys)
    assert difference("deep.png", "bad/deep.png") < 0.01


def test_of_a_folder_what_can_be_encoded_is(place, capsys):
    said = refused("codec encode bad --out coded", capsys)
    assert "3 of 4 files were left out, 1 were written" in said
    assert "moving.gif' holds 2 pictures" in said
    assert "broken.png' cannot be read" in said
    assert [file.name for file in Path("coded").iterdir()] == ["deep.uvc"]


def test_damaged_files_are_refused_and_nothing_is_written(place, capsys):
    done("codec encode photo.png --out photo.uvc", capsys)
    whole = Path("photo.uvc").read_bytes()
    for damaged in (whole[:-1], whole[:40] + b"!" + whole[41:], b"", whole + b"\n"):
        Path("photo.uvc").write_bytes(damaged)
        assert "'photo.uvc': " in refused("codec decode photo.uvc --out back.png", capsys)
        refused("codec info photo.uvc", capsys)
        assert not Path("back.png").exists()


REFUSED = [
    ("fit many --out mine.safetensors --name OPQ-30-8-8", "30 bits do not divide into codes of 8"),
    ("fit many --out mine.safetensors --name OPQ-24-8-8", "the 64 pixels of a patch of 8 x 8 do not divide into 3"),
    ("fit many --out mine.safetensors --name OPQ", "names no codec"),
    ("fit many --out mine.safetensors --patches 0", "patches is 0"),
    ("fit many --out mine.safetensors --patches 200", "256 entries in a codebook, and 200 patches"),
    ("fit many --out mine.pt", "saved as .safetensors"),
    ("fit nowhere --out mine.safetensors", "no file, folder or embedded source 'nowhere'"),
    ("fit photo.png --out there.safetensors", "exists already"),
    ("encode nowhere.png --out a.uvc", "no file or folder 'nowhere.png'"),
    ("encode photo.png --out photo.png", "ends in .uvc"),
    ("encode photo.png many --out a.uvc", "is the name of one file, and 4 are to be written"),
    ("encode photo.png --out there.uvc", "exists already"),
    ("encode photo.png --out there.uvc/a.uvc", "there.uvc is a file, not a folder"),
    ("encode photo.png --out a.uvc --codec photo.png", "no file of a codec"),
    ("encode photo.png --out a.uvc --codec nowhere", "The codec 'nowhere' cannot be read"),
    ("encode there.uvc --out a.uvc", "cannot be read as an image"),
    ("encode bad/moving.gif --out a.uvc", "holds 2 pictures"),
    ("decode photo.png --out b.png", "is no encoded picture"),
    ("decode many --out b", "holds no .uvc files"),
    ("decode there.uvc --out b.jpg", "ends in .png or .ppm"),
    ("decode there.uvc --out b --suffix .jpg", "which lose nothing; not as '.jpg'"),
    ("decode there.uvc --out photo.png", "exists already"),
    ("decode there.uvc --out .png", "'.png' is no name to save by; give one, such as picture.png"),
    ("info many", "'many' cannot be read: it is a folder"),
    ("info nowhere", "'nowhere' cannot be read: no such file"),
    ("info photo.png", "is no file of a codec"),
    ("encode", "Missing argument"),
]


@pytest.mark.parametrize(("line", "says"), REFUSED)
def test_what_is_refused(line, says, place, capsys):
    for name in ("there.uvc", "there.safetensors"):
        Path(name).write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    assert unveil(["codec", *line.split()]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_a_codec_of_grey_pictures_refuses_colour(place, capsys):
    done("codec fit digits --out grey.safetensors --name VQ-4 --bits 4", capsys)
    assert "is in colour" in refused("codec encode photo.png --codec grey.safetensors --out a.uvc", capsys)
    done("codec encode many/deeper/grey.png --codec grey.safetensors --out a.uvc", capsys)


def test_force_overwrites(place, capsys):
    Path("a.uvc").write_text("mine")
    done("codec encode photo.png --out a.uvc --force", capsys)
    done("codec decode a.uvc --out photo.png --force", capsys)


@pytest.mark.parametrize("verb", ["fit", "encode", "decode", "evaluate", "info"])
def test_every_verb_has_help_with_an_example(verb, capsys):
    assert f"Example: unveil codec {verb}" in done(f"codec {verb} --help", capsys)


def test_help_and_refusals_load_no_torch():
    for arguments in (
        ["encode", "--help"],
        ["fit", "photos", "--out", "x.pt"],
        ["encode", "nowhere", "--out", "x.uvc"],
    ):
        program = (
            f"import sys; from unveil.cli.app import run; run(['codec', *{arguments}]); print('torch' in sys.modules)"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
        assert said.splitlines()[-1] == "False"
