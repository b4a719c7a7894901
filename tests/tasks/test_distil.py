"""Runs that were distilled from others."""

import pytest
import torch
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.core.errors import ConfigError
from unveil.recipes import resolve
from unveil.tasks.distil import distil, plan
from unveil.tasks.run import load
from unveil.tasks.sample import check_sampling, sample


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught") / "digits"
    return tiny_run(folder, steps=2, overrides=["model.predict=v", "model.labels=true"]).path


def refused(arguments, capsys):
    assert unveil([str(word) for word in arguments]) == 2
    return capsys.readouterr().err


def test_a_run_is_distilled_and_sampled_as_any_other(taught, tmp_path, capsys):
    out = tmp_path / "fast"
    words = ["distil", taught, "--steps", 2, "--first-steps", 8, "--round-steps", 1, "--out", out]
    assert unveil([str(word) for word in words]) == 0
    assert f"unveil sample {out}" in capsys.readouterr().out.replace("\n", " ")
    run = load(out)
    assert (run.recipe.model.kind, run.recipe.sampling.steps, run.model.rounds) == ("distilled", 2, [4, 2])
    x = sample(run, 5, batch=2)
    torch.testing.assert_close(x, sample(run, 5), rtol=1e-4, atol=1e-5)
    assert x.shape == (5, 1, 8, 8)
    assert not torch.equal(sample(run, 5, label=3)[0], x[0])
    assert unveil(["sample", str(out), "-n", "4", "--out", str(tmp_path / "four.png")]) == 0
    with pytest.raises(ConfigError, match="distilled to 2 steps of ddim"):
        sample(run, 1, steps=3)


def test_the_first_teacher_is_the_run_itself(taught, tmp_path):
    planned = plan(taught, steps=1, out=tmp_path / "fast")
    from unveil.recipes.build import build_model

    model = build_model(planned.recipe, (1, 8, 8), 10)
    planned.ready(model)
    theirs = load(taught, device="cpu").model.state_dict()
    for part in (model.teacher, model.student):
        assert all(torch.equal(value, theirs[name]) for name, value in part.state_dict().items())


def test_a_stopped_distillation_goes_on_to_the_same_weights(taught, tmp_path, monkeypatch):
    from unveil.models.distillation import Distilled

    options = {"steps": 1, "first_steps": 4, "round_steps": 2, "overrides": ["training.save_every=1"]}
    whole = distil(taught, out=tmp_path / "whole", **options).model.state_dict()

    class StopError(Exception):
        pass

    moves, taken = Distilled.moves, []

    def stopping(self, count, batch):
        taken.append(count)
        if len(taken) == 6:
            raise StopError
        return moves(self, count, batch)

    monkeypatch.setattr(Distilled, "moves", stopping)
    with pytest.raises(StopError):
        distil(taught, out=tmp_path / "parts", **options)
    assert taken == [2, 2, 2, 2, 1, 1]
    again = distil(taught, out=tmp_path / "parts", resume=True, **options).model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
    with pytest.raises(ConfigError, match=r"model\.first_steps 4, not 8"):
        distil(taught, out=tmp_path / "parts", steps=1, first_steps=8, resume=True)


def test_what_cannot_be_distilled_is_refused(taught, tmp_path, capsys):
    assert "times 2, 4, 8" in refused(["distil", taught, "--steps", 3, "--first-steps", 8], capsys)
    for until in (2000, "nan", "inf"):
        assert "1 to 1000" in refused(["distil", taught, "--until", until], capsys)
    assert "first_steps is 0" in refused(["distil", taught, "--first-steps", 0], capsys)
    assert "steps is 0" in refused(["distil", taught, "--steps", 0], capsys)
    other = tiny_run(tmp_path / "features", "digits-features", steps=1).path
    assert "only diffusions are distilled" in refused(["distil", other], capsys)


def test_part_of_a_schedule_is_not_sampled_from_noise(taught, tmp_path):
    recipe = plan(taught, until=256, out=tmp_path / "part").recipe
    assert (recipe.model.first_steps, recipe.model.last) == (64, 0.256)
    with pytest.raises(ConfigError, match="unveil refine"):
        check_sampling(recipe, 1)


def test_nothing_is_trained_as_distilled_without_a_teacher(taught, tmp_path):
    recipe = plan(taught, out=tmp_path / "part").recipe
    from unveil.tasks.train import train

    with pytest.raises(ConfigError, match="unveil distil RUN"):
        train(resolve(recipe, ["training.steps=1"]), out=tmp_path / "part")
