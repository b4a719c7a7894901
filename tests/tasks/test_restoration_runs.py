"""Runs of restoration-based models: of points and of pictures, trained, sampled, measured and used."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.data import open_images
from unveil.data.points import Points
from unveil.recipes import resolve
from unveil.tasks.evaluate import evaluate
from unveil.tasks.likelihood import likelihood
from unveil.tasks.restore import restore
from unveil.tasks.run import load
from unveil.tasks.sample import check_sampling, sample, walk_of
from unveil.tasks.scatter import SIDE, scatter


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points") / "run"
    return tiny_run(folder, "toy-rgm-kld", overrides=["training.sample_every=3"])


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("digits") / "run", "digits-rgm-d")


def refused(arguments, capsys):
    assert unveil([str(word) for word in arguments]) == 2
    return capsys.readouterr().err


# --- points ----------------------------------------------------------------------------------------------------------


def test_a_run_of_points_says_how_many_numbers_a_point_has(points):
    assert (points.recipe.data.dimension, points.recipe.data.size, points.recipe.data.channels) == (2, None, None)
    again = load(points.path)
    assert torch.equal(sample(again, 5), sample(points, 5))
    assert (points.path / "samples" / "train-0000003.png").is_file()


@pytest.mark.parametrize("recipe", ["toy-rgm-mmd", "toy-rgm-dswd", "toy-rgm-mmse"])
def test_every_toy_is_trained_and_sampled(recipe, tmp_path):
    x = sample(tiny_run(tmp_path / "run", recipe), 7, batch=3)
    assert x.shape == (7, 2)
    assert bool(x.isfinite().all())


def test_a_point_does_not_depend_on_its_company(points):
    torch.testing.assert_close(sample(points, 6, batch=6), sample(points, 6, batch=4))
    assert not torch.equal(sample(points, 2, seed=0), sample(points, 2, seed=1))


def test_samples_that_are_points_are_drawn(points, tmp_path, capsys):
    out = tmp_path / "points.png"
    assert unveil(["sample", str(points.path), "-n", "50", "--out", str(out)]) == 0
    assert "50 samples are in" in capsys.readouterr().out
    picture = Image.open(out)
    assert picture.size == (SIDE, SIDE)
    about = json.loads(picture.text["unveil"])
    assert about["recipe"] == "toy-rgm-kld"
    assert not {"steps", "sampler"} & set(about)
    assert "name a .png" in refused(["sample", points.path, "--out", tmp_path / "folder"], capsys)
    assert "exists" in refused(["sample", points.path, "--out", out], capsys)


def test_points_are_measured_as_they_are(points):
    found = {measure.name.partition("[")[0]: measure for measure in evaluate(points, n=300)}
    assert set(found) == {"frechet-distance", "kernel-distance", "precision", "recall"}
    assert all(measure.name.endswith("[points]") for measure in found.values())
    assert (found["frechet-distance"].count, found["frechet-distance"].reference_count) == (300, 4000)


def test_the_points_themselves_are_measured_as_equal(points, monkeypatch):
    real = Points()
    monkeypatch.setattr("unveil.tasks.evaluate.sample", lambda run, n, **options: real.points[:n])
    (measure,) = evaluate(points, metrics=["frechet"])
    assert measure.value < 0.01


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": ["score"]}, "score is a figure of pictures"),
        ({"metrics": ["bpd"]}, "bpd is a figure of pictures"),
        ({"features": "anywhere"}, "points, which are compared as they are"),
        ({"data": "digits"}, "'digits' holds pictures, and the recipe is for points"),
        ({"steps": 3}, "takes no steps"),
    ],
)
def test_what_cannot_be_measured_of_points_is_refused(points, options, said):
    with pytest.raises(ConfigError, match=said):
        evaluate(points, **options)


def test_a_run_of_pictures_takes_no_points(digits):
    with pytest.raises(ConfigError, match="holds points, and the recipe is for pictures"):
        evaluate(digits, data="eight-gaussians")
    with pytest.raises(DataError, match="holds points, not pictures"):
        open_images("eight-gaussians")


def test_points_are_trained_by_models_of_points_only(tmp_path, capsys):
    words = ["train", "digits-ddpm", "--data", "eight-gaussians", "--out", tmp_path / "run"]
    assert "points, and a diffusion learns from pictures" in refused(words, capsys)
    assert not (tmp_path / "run").exists()


# --- the scatter -----------------------------------------------------------------------------------------------------


def test_a_point_is_where_it_should_be():
    picture = scatter(torch.tensor([[0.5, 0.25]]), limit=1.0)
    assert picture.shape == (3, SIDE, SIDE)
    dark = (picture.mean(0)[4:-4, 4:-4] < 0.9).nonzero().float().mean(0) + 4.5
    assert dark.tolist() == pytest.approx([SIDE * (1 - 0.25) / 2, SIDE * (1 + 0.5) / 2], abs=0.6)


def test_a_scatter_shows_nearly_all_of_two_sets_and_refuses_pictures():
    far = torch.cat([torch.randn(200, 3), torch.full((1, 3), 1e6)])
    both = scatter(torch.randn(200, 2), beside=far)
    assert (both.mean(0) < 0.9).float().mean() > 0.01
    assert scatter(torch.empty(0, 2)).shape == (3, SIDE, SIDE)
    with pytest.raises(ShapeError, match=r"\(n, d\) with d of 2 or more"):
        scatter(torch.zeros(3, 1, 8, 8))


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_restoration_model_is_sampled_in_steps_of_its_own(digits):
    x = sample(digits, 5, batch=2)
    assert x.shape == (5, 1, 8, 8)
    torch.testing.assert_close(x, sample(digits, 5))
    assert walk_of(digits.recipe) == {}
    assert walk_of(resolve("digits-ddpm"), steps=7) == {"steps": 7, "sampler": "ddim"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 10}, "samples in steps of its own, one for each of its 4 levels, and takes no steps; leave it out."),
        ({"sampler": "ddim"}, "takes no sampler"),
        ({"guidance": 2.0}, "takes no guidance"),
        ({"temperature": 0.5}, "takes no temperature"),
        ({"label": 3}, "knows no labels"),
        ({"n": 0}, "n is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_a_restoration_model_does_not_take_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        check_sampling(resolve("digits-rgm-d"), **{"n": 1, **options})


def test_a_denoiser_draws_nothing():
    with pytest.raises(ConfigError, match="is a denoiser, which cleans pictures and makes none"):
        check_sampling(resolve("photos-denoiser"), 1)
    with pytest.raises(ConfigError, match="is a classifier, which measures pictures"):
        check_sampling(resolve("digits-features"), 1)


def test_the_command_line_refuses_steps_before_anything_is_drawn(digits, tmp_path, capsys):
    words = ["sample", digits.path, "--out", tmp_path / "a.png", "--steps", "20"]
    assert "takes no steps" in refused(words, capsys)
    assert not Path(tmp_path / "a.png").exists()


def test_a_restoration_model_has_no_likelihood_and_says_so_first(digits):
    with pytest.raises(ConfigError, match="is a restoration, which gives no likelihood"):
        evaluate(digits, metrics=["frechet", "bpd"])
    with pytest.raises(ConfigError, match="is a restoration, which gives no likelihood"):
        likelihood(digits, "digits")


def test_samples_of_a_restoration_model_are_measured(digits, tmp_path):
    classifier = tiny_run(tmp_path / "features", "digits-features")
    found = evaluate(digits, metrics=["frechet"], n=40, features=classifier)
    assert found[0].value > 0


@pytest.mark.parametrize("solver", [None, "half-quadratic", "douglas-rachford", "ddrm", "posterior"])
def test_every_solver_takes_a_restoration_model(digits, solver):
    picture = open_images("digits", split="test").batch([0])[0][0]
    larger = torch.cat([picture, picture.flip(-1)], -1)
    found = restore(digits, larger, "downsample:2", degrade=True, solver=solver)
    assert found.image.shape == (1, 8, 16)
    assert bool(found.image.isfinite().all())


def test_douglas_rachford_is_the_solver_of_restoration_models(digits):
    picture = open_images("digits", split="test").batch([0])[0][0]
    for operator in ("mask:0.4", "noise:0.1"):
        found = [restore(digits, picture, operator, degrade=True, solver=s).image for s in (None, "douglas-rachford")]
        torch.testing.assert_close(*found)
