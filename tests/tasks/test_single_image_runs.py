"""Runs of models of a single image: trained on a file, resumed, sampled at any size, refused where they cannot work."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import shrinking, tiny_run

from unveil.cli.app import run as unveil
from unveil.core.errors import ConfigError
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.recipes import resolve
from unveil.tasks.evaluate import evaluate
from unveil.tasks.run import load
from unveil.tasks.sample import check_sampling, sample
from unveil.tasks.train import train
from unveil.training.interrupt import Interrupted
from unveil.training.trainer import _Training

SMALL = shrinking(resolve("single-image"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a photograph and a hole in it."""
    folder = tmp_path_factory.mktemp("photo")
    coarse = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((120, 80), Image.Resampling.BICUBIC).save(folder / "photo.png")
    hole = np.zeros((80, 120), np.uint8)
    hole[30:50, 40:70] = 255
    Image.fromarray(hole).save(folder / "hole.png")
    Image.fromarray(coarse).resize((40, 15)).save(folder / "small.png")
    return folder


@pytest.fixture(scope="module")
def trained(place):
    with pytest.warns(UserWarning, match="it is learned at 64 x 43"):
        return tiny_run(
            place / "run", "single-image", data=place / "photo.png", overrides=["training.sample_every=1000000"]
        )


def refused(arguments, capsys):
    assert unveil([str(word) for word in arguments]) == 2
    return capsys.readouterr().err


def test_a_run_knows_its_size_and_shows_every_scale(trained, place):
    assert trained.recipe.data.size == (43, 64)
    assert (trained.recipe.data.longest, trained.recipe.data.channels) == (64, 3)
    assert isinstance(trained.model, SingleImageEBM)
    assert trained.model.finished == trained.model.scales == 3
    shown = sorted(file.name for file in (trained.path / "samples").iterdir())
    assert [name.partition("-0")[0] for name in shown] == ["scale", "scale-1", "scale-2"]
    lines = [json.loads(line) for line in trained.path.joinpath("log.jsonl").read_text().splitlines()]
    assert {line["stage"] for line in lines} == {"scale-0", "scale-1", "scale-2"}
    assert {"gap", "slope", "recovery", "contrast", "colour", "loss"} <= set(lines[-1])


def test_a_run_is_opened_and_sampled_as_it_was_trained(trained):
    again = load(trained.path)
    assert torch.equal(again.model.pyramid[-1], trained.model.pyramid[-1])
    x = sample(again, 3)
    torch.testing.assert_close(x, sample(trained, 3, batch=2))
    assert x.shape == (3, 3, 43, 64)
    assert sample(again, 2, size=(30, 100)).shape == (2, 3, 30, 100)
    assert not torch.equal(sample(again, 1, steps=1), sample(again, 1))


def test_large_samples_are_drawn_a_few_at_a_time(trained, monkeypatch):
    usual, counts, draw = sample(trained, 3, size=(30, 50)), [], trained.model.sample
    monkeypatch.setattr("unveil.tasks.sample.AT_ONCE", 2 * 30 * 50)
    monkeypatch.setattr(trained.model, "sample", lambda n, **options: counts.append(n) or draw(n, **options))
    torch.testing.assert_close(sample(trained, 3, size=(30, 50)), usual)
    assert counts == [2, 1]


def test_the_command_draws_any_size(trained, tmp_path, capsys):
    out = tmp_path / "wide"
    assert unveil(["sample", str(trained.path), "--size", "40x150", "-n", "2", "--out", str(out)]) == 0
    assert "2 samples are in" in capsys.readouterr().out
    pictures = [Image.open(file) for file in sorted(out.iterdir())]
    assert [picture.size for picture in pictures] == [(150, 40)] * 2
    assert json.loads(pictures[0].text["unveil"])["size"] == [40, 150]
    assert unveil(["sample", str(trained.path), "--size", "50", "-n", "1", "--out", str(tmp_path / "one.png")]) == 0
    assert Image.open(tmp_path / "one.png").size == (50, 50)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sampler": "ddim"}, "samples by Langevin chains and takes no sampler; leave it out."),
        ({"guidance": 2.0}, "takes no guidance"),
        ({"temperature": -0.5}, "temperature is -0.5"),
        ({"label": 3}, "knows no labels"),
        ({"steps": 0}, "steps is 0"),
        ({"size": (3, 0)}, "The width is 0"),
        ({"size": (3, 4, 5)}, "give a height and a width"),
        ({"size": (100_000, 100_000)}, "pixels; ask for a smaller one"),
    ],
)
def test_what_such_a_model_does_not_take_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        check_sampling(resolve("single-image"), 1, **options)


def test_a_temperature_needs_details(trained):
    assert not torch.equal(sample(trained, 1, temperature=0.3), sample(trained, 1))
    with pytest.raises(
        ConfigError, match=r"without noise for details \(model\.detail_noise\) and takes no temperature"
    ):
        check_sampling(resolve("single-image", ["model.detail_noise=0"]), 1, temperature=0.5)


@pytest.mark.parametrize("recipe", ["digits-ddpm", "digits-rgm-d"])
def test_other_models_draw_one_size(recipe):
    with pytest.raises(
        ConfigError, match=r"its samples have a size of their own; leave the size out\. Models of a single"
    ):
        check_sampling(resolve(recipe), 1, size=(64, 64))


def test_sizes_that_are_none_are_refused_in_a_sentence(trained, tmp_path, capsys):
    words = ["sample", trained.path, "--out", tmp_path / "x.png", "--size"]
    assert "write height and width in pixels" in refused([*words, "wide"], capsys)
    assert "too small for this model; the smallest it makes is" in refused([*words, "8x8"], capsys)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(place, tmp_path, monkeypatch):
    taken, stopped = 0, _Training._stopped

    def stop(self):
        nonlocal taken
        taken += 1
        return taken == 5 or stopped(self)

    monkeypatch.setattr(_Training, "_stopped", stop)
    overrides = [*SMALL, "model.finer_share=1", "training.sample_every=0"]
    given = {"data": place / "photo.png", "overrides": overrides, "steps": 3}
    with pytest.warns(UserWarning, match="it is learned at"), pytest.raises(Interrupted, match="scale-1"):
        train("single-image", out=tmp_path / "run", **given)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="it is learned at"):
        whole = train("single-image", out=tmp_path / "whole", **given)
    halfway = load(tmp_path / "run")
    assert halfway.model.finished == 1
    assert sample(halfway, 1).shape == (1, 3, 20, 30)
    again = train("single-image", out=tmp_path / "run", resume=True, **given)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_a_hole_is_trained_around(place, tmp_path):
    with pytest.warns(UserWarning, match="it is learned at"):
        given = tiny_run(
            tmp_path / "run", "single-image", data=place / "photo.png", overrides=[f"data.hole={place / 'hole.png'}"]
        )
    assert given.model.has_hole
    assert float(given.model.known[-1].mean()) < 1
    assert load(given.path).model.has_hole


def test_pictures_that_cannot_be_learned_are_refused(place, tmp_path, capsys):
    words = ["train", "single-image", "--out", tmp_path / "run", "--data"]
    assert "the short side must be 22 or more" in refused([*words, place / "small.png"], capsys)
    assert "name one of photos/astronaut" in refused([*words, "photos"], capsys)
    assert "learns from one; give a file, such as" in refused([*words, place], capsys)
    assert not (tmp_path / "run").exists()
    changes = [*words, place / "photo.png", "model.min_size=8"]
    assert "the smallest that works is 11" in refused(changes, capsys)
    assert "data.longest is for a model of a single picture" in refused(
        ["train", "digits-ddpm", "data.longest=9"], capsys
    )


def test_figures_of_sets_of_pictures_are_not_for_one(trained):
    with pytest.raises(ConfigError, match="measure_single_image_distance"):
        evaluate(trained)
