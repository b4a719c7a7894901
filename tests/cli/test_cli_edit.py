"""`unveil edit`: files in, files out."""

import json
import subprocess
import sys

import pytest
import torch
from PIL import Image

from unveil.cli.app import run as unveil_run
from unveil.data import load_image, read_video, save_images
from unveil.tasks.train import train

SMALL = ["data.longest=null", "model.network.widths=8,8,8", "model.chain=4", "model.finer_chain=2", "model.bank=2",
         "model.min_size=16", "training.sample_every=0"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A picture, one with something pasted in, its mask, and a run of the picture."""
    folder = tmp_path_factory.mktemp("edit")
    y, x = torch.meshgrid(torch.linspace(-1, 1, 36), torch.linspace(-1, 1, 48), indexing="ij")
    scene = torch.stack([0.6 * y, 0.5 * torch.sin(9 * x), 0.3 * x * y])
    save_images(scene, folder / "scene.png")
    mask = torch.zeros(36, 48)
    mask[10:18, 20:28] = 1
    save_images(mask[None] * 2 - 1, folder / "mask.png")
    save_images(torch.where(mask.bool(), torch.tensor(0.9), scene), folder / "pasted.png")
    train("single-image", data=folder / "scene.png", out=folder / "run", steps=3, overrides=SMALL)
    return folder


def edit(place, *arguments):
    return unveil_run(["edit", str(place / "run"), *map(str, arguments)])


def test_pictures_are_written_with_how_they_were_made(place, tmp_path, capsys):
    out, show = tmp_path / "out.png", tmp_path / "show.png"
    code = edit(
        place, place / "pasted.png", "--task", "harmonize", "--mask", place / "mask.png", "--out", out, "--show", show
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    assert f"{out.name} (48 x 36 pixels), side by side with what was given in" in said.out.replace("\n", " ")
    assert "Started at scale" in said.out
    assert load_image(out).shape == (3, 36, 48)
    assert load_image(show).shape == (3, 36, 2 * 48 + 4)
    about = json.loads(Image.open(out).text["unveil"])
    assert (about["task"], about["seed"], about["n"]) == ("harmonize", 0, 1)


@pytest.mark.parametrize(
    ("task", "options", "size"),
    [
        ("super-resolve", ["--factor", "2"], (72, 96)),
        ("resize", ["--size", "24x90"], (24, 90)),
        ("resize", ["--size", "30", "--scale", "0"], (30, 30)),
    ],
)
def test_without_a_picture_the_run_takes_its_own(place, tmp_path, task, options, size):
    assert edit(place, "--task", task, *options, "--out", tmp_path / "out.png") == 0
    assert load_image(tmp_path / "out.png").shape == (3, *size)


def test_several_results_go_into_a_folder(place, tmp_path, capsys):
    arguments = ["--task", "inpaint", "--mask", place / "mask.png", "-n", 3, "--out", tmp_path / "filled"]
    assert edit(place, place / "scene.png", *arguments) == 0
    said = capsys.readouterr()
    assert "3 pictures are in" in said.out
    assert "(48 x 36 pixels each)" in said.out.replace("\n", " ")
    assert "data.hole" in said.err
    assert sorted(file.name for file in (tmp_path / "filled").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    first = load_image(tmp_path / "filled" / "00000.png")
    assert torch.equal(first[:, :10], load_image(place / "scene.png")[:, :10])


def test_all_scales_make_a_sheet(place, tmp_path, capsys):
    assert edit(place, place / "scene.png", "--task", "paint", "--scale", "all", "--out", tmp_path / "all.png") == 0
    assert "scale 1, 2" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_a_clip_is_written(place, tmp_path, ending):
    if ending == "mp4":
        pytest.importorskip("av")
    out = tmp_path / f"moving.{ending}"
    assert edit(place, place / "scene.png", "--task", "animate", "--frames", 4, "--fps", 10, "--out", out) == 0
    frames, fps = read_video(out)
    assert frames.shape == (4, 36, 48, 3)
    assert fps == pytest.approx(10)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--task", "draw"], "no task 'draw'"),
        (["--task", "paint", "--scale", "two"], "--scale is 'two'"),
        (["--task", "paint", "--scale", "9"], "takes 1"),
        (["--task", "paint", "--factor", "2"], "takes no factor"),
        (["--task", "paint", "--fps", "5"], "takes no fps; that is for animate"),
        (["--task", "resize", "--size", "wide"], "--size is 'wide'"),
        (["--task", "resize", "--size", "6x400"], "too small"),
        (["--task", "super-resolve", "--factor", "0.5"], "above 1"),
        (["--task", "resize", "--size", "40x50", "-n", "4"], "add noise"),
        (["--task", "paint", "--show", "show.jpg"], "saved as .png"),
        (["--task", "animate", "--show", "show.png"], "leave out --show"),
        (["--task", "super-resolve", "--factor", "1e308"], "ask for a smaller one"),
    ],
)
def test_what_is_refused(place, tmp_path, capsys, arguments, says):
    out = tmp_path / ("out.gif" if "animate" in arguments else "out.png")
    assert edit(place, place / "scene.png", *arguments, "--out", out) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_a_rate_that_cannot_be_is_told_before_the_clip_is_made(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("unveil.tasks.edit.edit", None)
    for fps in ("0", "nan", "200"):
        assert edit(place, "--task", "animate", "--fps", fps, "--out", tmp_path / "out.gif") == 2
        assert "fps=" in capsys.readouterr().err


def test_an_edit_that_is_stopped_says_that_nothing_was_written(place, tmp_path, capsys, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unveil.tasks.edit.edit", stopped)
    assert edit(place, place / "scene.png", "--task", "style", "--out", tmp_path / "out.png") == 130
    assert "Stopped; nothing was written." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_pictures_that_are_read_stay_as_they_are(place, tmp_path, capsys):
    before = (place / "scene.png").read_bytes()
    assert edit(place, place / "scene.png", "--task", "style", "--out", place / "scene.png", "--force") == 2
    assert "is a picture that is read" in capsys.readouterr().err
    assert (place / "scene.png").read_bytes() == before
    assert edit(place, place / "scene.png", "--task", "style", "--out", place / "run") == 2
    (tmp_path / "out.png").write_text("mine")
    assert edit(place, place / "scene.png", "--task", "style", "--out", tmp_path / "out.png") == 2
    assert (tmp_path / "out.png").read_text() == "mine"


def test_mistakes_are_told_without_loading_torch(place, tmp_path):
    program = (
        "import sys; from unveil.cli.app import run\n"
        f"code = run(['edit', {str(place / 'run')!r}, '--task', 'paint', '--out', {str(tmp_path / 'o.png')!r}])\n"
        "assert code == 2 and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "needs a picture" in done.stderr
