import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as command
from unveil.core.errors import ConfigError, RunError
from unveil.tasks import sample as sampling
from unveil.tasks.evaluate import evaluate
from unveil.tasks.film import film, sheet
from unveil.tasks.run import load
from unveil.tasks.train import train

RECIPE = "moving-digits-mcvd-concat"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of video, with a picture as training goes."""
    out = tmp_path_factory.mktemp("runs") / "video"
    return tiny_run(out, RECIPE, steps=2, overrides=["training.sample_every=2", "sampling.steps=2", "data.limit=20"])


class Known:
    """Gives back how often it was told of a frame: the past darkens, the future lightens a block."""

    p, k, f, device = 1, 2, 1, torch.device("cpu")
    tasks = ("predict", "past", "interpolate", "generate")

    def sample_block(self, past, future, *, batch, generator, steps):
        value = 0.5 * (future is not None) - 0.5 * (past is not None)
        return torch.full((batch, 2, 1, 8, 8), value)


def test_a_film_shows_what_is_known_and_what_is_made_of_it():
    clips = torch.linspace(-1, 1, 4).reshape(1, 4, 1, 1, 1).expand(2, 4, 1, 8, 8)
    picture = film(Known(), clips, {"steps": 2})
    cell = 8 * 8 + 4
    assert picture.shape == (3, 2 * 5 * cell, 4 * cell)
    middles = picture[0, cell // 2 :: cell, cell // 2 :: cell]
    grey = 128
    truth = [0, 85, 170, 255]
    rows = [truth, [0, 64, 64, grey], [grey, 191, 191, 255], [0, 128, 128, 255], [grey, 128, 128, grey]]
    assert (middles[:5].int() - torch.tensor(rows)).abs().max() <= 1
    borders = picture[:, ::cell, cell // 2 :: cell].permute(1, 2, 0)  # at the top of each frame
    known = (borders != 255).any(-1)
    assert known[:5].tolist() == [
        [True] * 4, [True, False, False, False], [False, False, False, True], [True, False, False, True], [False] * 4,
    ]  # fmt: skip


def test_sheets_hold_all_videos_or_one_each():
    videos = torch.zeros(3, 2, 1, 8, 8)
    assert sheet(videos).ndim == 3
    assert sheet(videos, apart=True).shape[0] == 3


def test_training_leaves_a_film(made):
    with Image.open(made.path / "samples" / "train-0000002.png") as picture:
        assert picture.size[0] > 7 * 32
        assert picture.size[1] > 15 * 32


def test_a_run_of_video_is_opened_and_sampled_again(made):
    again = load(made.path, device="cpu")
    assert again.model.tasks == ("predict", "past", "interpolate", "generate")
    x = sampling.sample(again, 3, steps=2, seed=1)
    assert x.shape == (3, 3, 1, 16, 16)
    torch.testing.assert_close(sampling.sample(made, 3, steps=2, seed=1, batch=2), x, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="knows no labels, so guidance"):
        sampling.sample(made, 1, guidance=2.0)
    with pytest.raises(ConfigError, match="1001 steps"):
        sampling.sample(made, 1, steps=1001)


def test_the_command_saves_rows_of_frames(made, tmp_path):
    assert command(["sample", str(made.path), "-n", "2", "--steps", "2", "--out", str(tmp_path / "rows.png")]) == 0
    with Image.open(tmp_path / "rows.png") as picture:
        assert picture.size == (3 * 68, 2 * 68)
    assert command(["sample", str(made.path), "-n", "2", "--steps", "2", "--out", str(tmp_path / "rows")]) == 0
    assert len(list((tmp_path / "rows").glob("*.png"))) == 2


def test_a_model_that_only_predicts_makes_nothing_from_nothing(tmp_path, capsys):
    run = tiny_run(
        tmp_path / "plain", RECIPE, steps=1, overrides=["model.future=0", "model.mask_past=0", "data.limit=20"]
    )
    assert run.model.tasks == ("predict",)
    assert command(["sample", str(run.path), "--out", str(tmp_path / "x.png")]) == 2
    assert "makes nothing from nothing" in " ".join(capsys.readouterr().err.split())


def test_a_run_goes_on_only_with_the_frames_it_was_begun_with(made):
    with pytest.raises((ConfigError, RunError), match=r"model\.past|data|frames"):
        train(RECIPE, out=made.path, resume=True, overrides=["model.past=1"])


def test_figures_of_pictures_are_refused_for_video(made):
    with pytest.raises(ConfigError, match="The run is of video"):
        evaluate(made)


@pytest.mark.parametrize("name", ["moving-digits-ode", "moving-digits-ode-variational"])
def test_a_model_of_paths_leaves_a_film_too(name, tmp_path):
    run = tiny_run(tmp_path / "run", name, steps=2, overrides=["training.sample_every=2", "data.limit=20"])
    with Image.open(run.path / "samples" / "train-0000002.png") as picture:
        assert picture.size == (20 * 68, 6 * 68)
    if run.model.variational:
        assert sampling.sample(run, 2, seed=1).shape == (2, 20, 1, 16, 16)
        with pytest.raises(ConfigError, match="takes no steps"):
            sampling.sample(run, 1, steps=5)
    else:
        with pytest.raises(ConfigError, match="makes nothing from nothing"):
            sampling.sample(run, 1)
    again = load(run.path, device="cpu").model
    assert again.time_scale == run.model.time_scale
    x = torch.rand(1, 10, 1, 16, 16) * 2 - 1
    assert torch.equal(again.predict(x, 3, mean=True), run.model.cpu().eval().predict(x, 3, mean=True))
    with pytest.raises(ConfigError, match="The run is of video"):
        evaluate(run)
