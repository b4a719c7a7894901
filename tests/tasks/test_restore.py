import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.data import save_images
from unveil.tasks.measurements import GRAMMAR, parse
from unveil.tasks.pictures import read_picture, side_by_side
from unveil.tasks.restore import restore
from unveil.tasks.train import train

DENOISER = ["model.network.channels=8", "model.network.mult=1,2", "model.network.blocks=1", "data.size=24"]


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory):
    """A small denoiser, trained long enough to take some noise away."""
    folder = tmp_path_factory.mktemp("denoiser")
    overrides = [*DENOISER, "training.batch_size=8", "training.sample_every=0"]
    return train("photos-denoiser", out=folder / "run", steps=120, overrides=overrides)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("digits") / "run")


@pytest.fixture(scope="module")
def photo():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 45), torch.linspace(-1, 1, 38), indexing="ij")
    return torch.stack([0.7 * torch.sin(3 * x + y), 0.6 * torch.cos(4 * y), ((x * x + y * y) < 0.4).float() - 0.5])


@pytest.mark.parametrize("operator", ["noise:25/255", "mask:0.4"])
def test_what_was_spoilt_comes_nearer_to_the_truth(denoiser, photo, operator):
    found = restore(denoiser, photo, operator, degrade=True)
    assert found.image.shape == photo.shape
    assert found.psnr[0] > found.psnr[1]
    assert found.image.abs().max() <= 1


def test_a_given_measurement_is_restored_as_the_one_it_came_from(denoiser, photo, tmp_path):
    x = photo[:, :44, :36]
    y = torch.nn.functional.avg_pool2d(x[None], 2)[0]
    found = restore(denoiser, y, "downsample:2", truth=x, steps=4)
    torch.testing.assert_close(found.image, restore(denoiser, x, "downsample:2", degrade=True, steps=4).image)
    assert found.psnr is not None
    save_images(y, tmp_path / "small.png")
    assert restore(denoiser, tmp_path / "small.png", "downsample:2", steps=4).image.shape == x.shape


@pytest.mark.parametrize("solver", ["half-quadratic", "douglas-rachford", "ddrm", "posterior"])
def test_every_solver_takes_every_run(denoiser, digits, photo, solver):
    for run in (denoiser, digits):
        x = photo[:, :16, :20]
        found = restore(run, x, "grayscale,downsample:2", degrade=True, solver=solver, steps=3)
        again = restore(run, x, "grayscale,downsample:2", degrade=True, solver=solver, steps=3)
        assert torch.equal(found.image, again.image)
        assert found.image.shape == x.shape


def test_pieces_give_nearly_the_whole(denoiser, photo):
    x = photo.repeat(1, 3, 3)
    whole, pieces = (restore(denoiser, x, "noise:0.1", degrade=True, window=side).image for side in (256, 64))
    assert (whole - pieces).abs().mean() < 0.01
    with pytest.raises(ConfigError, match="32 or more"):
        restore(denoiser, x, "noise:0.1", degrade=True, window=0)


def test_sides_that_do_not_divide_are_continued_and_cut_back(denoiser, photo):
    found = restore(denoiser, photo, "downsample:4", degrade=True, steps=2)
    assert found.measured.shape == (1, 3, 12, 10)
    assert found.image.shape == photo.shape
    assert "38 x 45 pixels do not divide by 4" in found.notes[0]
    measured, image, truth = found.panels
    assert measured.shape == (3, 11, 9)
    assert side_by_side(found.panels).shape == (3, 45, 3 * 38 + 8)
    assert torch.equal(truth, photo)
    assert torch.equal(image, found.image)


def test_a_blurred_photograph_has_no_borders_that_wrap_round(denoiser):
    """The left half is black and the right half white: a blur that wraps would bleed at the outer borders."""
    x = torch.full((1, 40, 64), -0.8)
    x[..., 32:] = 0.8
    blurred = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x[None], (2, 2, 2, 2), "replicate"), 5, 1)[0]
    found = restore(denoiser, blurred, "blur:box:5", steps=4)
    assert found.image.shape == x.shape
    assert (found.image - x)[..., :8].abs().mean() < 0.1
    assert (found.image - x)[..., -8:].abs().mean() < 0.1


def test_what_is_refused(denoiser, digits, photo, tmp_path):
    with pytest.raises(ConfigError, match="add --degrade"):
        restore(denoiser, photo, "mask:0.5")
    with pytest.raises(ConfigError, match="no solver 'ddmr'; did you mean ddrm"):
        restore(denoiser, photo, "grayscale", solver="ddmr", degrade=True)
    for solver in (None, "denoise"):
        with pytest.raises(ConfigError, match=r"asks the run once and takes no steps; .* --solver half-quadratic"):
            restore(denoiser, photo, "noise:0.1", solver=solver, steps=5)
    with pytest.raises(ConfigError, match="takes no push"):
        restore(denoiser, photo, "noise:0.1", push=1.0)
    with pytest.raises(ConfigError, match="takes no 'colour'"):
        restore(denoiser, photo, "grayscale", degrade=True, colour=3)
    with pytest.raises(ShapeError, match="They must be the same"):
        restore(denoiser, photo, "downsample:2", truth=photo)
    with pytest.raises(DataError, match=r"x / 127.5 - 1"):
        restore(denoiser, photo * 100, "noise:0.1")
    with pytest.raises(ShapeError, match="too small"):
        restore(denoiser, photo[:, :4, :4], "blur:gaussian:2")
    features = tiny_run(tmp_path / "features", "digits-features")
    with pytest.raises(ConfigError, match="classifier, which restores nothing"):
        restore(features, photo, "noise:0.1")
    assert "downsample:K" in GRAMMAR
    assert parse("noise:0.1").sigma == 0.2


def test_pictures_of_every_kind(tmp_path):
    rgba = np.zeros((6, 7, 4), np.uint8)
    rgba[..., :3], rgba[2:, :, 3] = 90, 255
    Image.fromarray(rgba, "RGBA").save(tmp_path / "alpha.png")
    x, notes = read_picture(tmp_path / "alpha.png")
    assert x.shape == (3, 6, 7)
    assert "transparent" in notes[0]
    Image.fromarray((np.arange(42).reshape(6, 7) * 1500).astype(np.uint16)).save(tmp_path / "deep.png")
    x, notes = read_picture(tmp_path / "deep.png")
    assert x.shape == (1, 6, 7)
    assert "8 bits" in notes[0]
    frames = [Image.fromarray(np.full((6, 7), shade, np.uint8)) for shade in (0, 100, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="3 pictures"):
        read_picture(tmp_path / "moving.gif")
    with pytest.raises(DataError, match="cannot be read"):
        read_picture(tmp_path / "nowhere.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(ShapeError, match=r"\(2, 5, 5\)"):
        read_picture(torch.zeros(2, 5, 5))
