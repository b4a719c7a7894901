import pytest
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run
from unveil.tasks.train import train


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory):
    overrides = [
        "model.network.channels=8", "model.network.mult=1,2", "model.network.blocks=1", "data.size=24",
        "training.batch_size=4", "training.sample_every=0",
    ]  # fmt: skip
    return train("photos-denoiser", out=tmp_path_factory.mktemp("runs") / "denoiser", steps=3, overrides=overrides).path


@pytest.fixture
def photo(tmp_path):
    Image.radial_gradient("L").resize((40, 30)).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def restore(*arguments):
    return run(["restore", *map(str, arguments)])


def test_a_picture_is_spoilt_restored_compared_and_shown(denoiser, photo, tmp_path, capsys):
    out, show = tmp_path / "out.png", tmp_path / "show.png"
    code = restore(
        denoiser,
        photo,
        "--operator",
        "downsample:4,noise:2/255",
        "--degrade",
        "--out",
        out,
        "--show",
        show,
        "--steps",
        2,
    )
    assert code == 0
    said = capsys.readouterr()
    assert "PSNR" in said.out
    assert "SSIM" in said.out
    assert "30 pixels do not divide by 4" in said.err
    assert Image.open(out).size == (40, 30)
    assert Image.open(show).size == (3 * 40 + 8, 30)
    assert restore(denoiser, out, "--operator", "noise:0.1", "--out", tmp_path / "again.png") == 0
    assert "PSNR" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--operator", "sharpen:2"], "there is no 'sharpen'"),
        (["--operator", "mask:0.5"], "add --degrade"),
        (["--operator", "noise:0.1", "--solver", "magic"], "no solver 'magic'"),
        (["--operator", "downsample:2", "--steps", "0"], "--steps is 0"),
        (["--operator", "noise:0.1", "--steps", "5"], "takes no steps; leave them out"),
        (["--operator", "downsample:2", "--solver", "denoise", "--steps", "5"], "takes no steps; leave them out"),
        (["--operator", "noise:0.1", "--window", "3"], "32 or more"),
        (["--operator", "grayscale"], "has colours"),
        (["--operator", "noise:0.1", "--degrade", "--truth", "photo.png"], "leave one"),
        (["--operator", "noise:0.1", "--show", "show.jpg"], "saved as .png"),
    ],
)
def test_what_is_refused(denoiser, photo, tmp_path, capsys, arguments, says):
    assert restore(denoiser, photo, *arguments, "--out", tmp_path / "out.png") == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_nothing_is_overwritten_unasked(denoiser, photo, tmp_path, capsys):
    (tmp_path / "out.png").write_text("mine")
    assert restore(denoiser, photo, "--operator", "noise:0.1", "--out", tmp_path / "out.png") == 2
    assert (tmp_path / "out.png").read_text() == "mine"
    assert restore(denoiser, photo, "--operator", "noise:0.1", "--out", photo, "--force") == 2
    assert "picture that is read" in capsys.readouterr().err
    assert restore(denoiser, photo, "--operator", "noise:0.1", "--out", tmp_path / "out.png", "--force") == 0


def test_runs_that_restore_nothing(photo, tmp_path, capsys):
    features = tiny_run(tmp_path / "features", "digits-features").path
    assert restore(features, photo, "--operator", "noise:0.1", "--out", tmp_path / "out.png") == 2
    assert "restores nothing" in capsys.readouterr().err
    assert restore(tmp_path / "nothing", photo, "--operator", "noise:0.1", "--out", tmp_path / "out.png") == 2
