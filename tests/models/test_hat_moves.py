"""Who moves when while Hat Diffusion EBMs are trained."""

import pytest
import torch
from tiny_hats import SHAPE, Pictures, batch_of, ready, small, stage_named, unchanged, weights_of
from torch import nn

from unveil.core.random import Streams
from unveil.models.hat_ebm import Objective
from unveil.models.hat_ebm.pairs import draw_latents, noise_of
from unveil.models.still import still
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


class Counting(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0
        self.latent = getattr(inner, "latent", None)

    def forward(self, *arguments, **options):
        self.calls += 1
        return self.inner(*arguments, **options)


def test_stage_one_asks_the_generator_once_for_a_whole_chain():
    model = ready()
    stage = stage_named(model, "one")
    model.generator, model.distilled.student.net = Counting(model.generator), Counting(model.distilled.student.net)
    model.sample(3, stage="one", steps=7, generator=Streams(0, 3))
    assert (model.generator.calls, model.distilled.student.net.calls) == (1, 1)
    model.generator.calls = 0
    next(stage.moves(batch_of(step=1)))
    assert model.generator.calls == 1


def test_stage_two_asks_it_once_for_each_move():
    model = ready()
    model.generator = Counting(model.generator)
    model.sample(3, stage="two", steps=5, generator=Streams(0, 3))
    assert model.generator.calls == 2 * 5 + 1


def test_stage_one_leaves_the_latents_as_they_are():
    model = ready()
    z, seed = draw_latents(4, model.latent, Streams(9, 4), model.device)
    again = draw_latents(4, model.latent, Streams(9, 4), model.device)
    assert torch.equal(z, again[0])
    assert torch.equal(noise_of(seed, SHAPE, model.device), noise_of(again[1], SHAPE, model.device))
    kept = [model.sample(4, stage=stage, generator=Streams(9, 4)) for stage in ("kernel", "one")]
    assert torch.equal(kept[0], model._shown(model.generate(z, noise_of(seed, SHAPE, model.device))).detach())
    assert 0 < float((kept[1] - kept[0]).abs().mean()) < 0.1


def test_each_move_reaches_its_own_player():
    model = ready(reached=1)
    stage = stage_named(model, "one")
    seen = []
    for move in stage.moves(batch_of(step=1)):
        seen.append(move.player)
        for value in model.parameters():
            value.grad = None
        players = {name: list(module.parameters()) for name, module in stage.players.items()}
        move.loss.backward(inputs=players[move.player])
        assert all(value.grad is not None for value in players[move.player])
        assert all(value.grad is None for value in model.distilled.parameters())
    assert seen == ["energy", "generator"]
    (move,) = stage_named(model, "two").moves(batch_of(step=1))
    assert move.player == "energy-two"


def test_whole_stages_change_only_their_players():
    model = small()
    kept = {}

    def remember(moment):
        if moment.step == moment.steps:
            kept[moment.stage] = {name: weights_of(part) for name, part in parts.items()}

    parts = {
        "generator": model.generator,
        "energy": model.energy,
        "energy-two": model.energy_two,
        "diffusion": model.diffusion,
        "student": model.distilled.student,
    }
    options = Options(batch_size=8, ema=0, lr=1e-3)
    fit(model, Pictures(), 4, options, hooks=[remember], progress=False)
    assert list(kept) == ["diffusion", "2-steps", "1-steps", "one", "two"]
    moved = {
        stage: {name for name in parts if any(not torch.equal(now[name][key], before[name][key]) for key in now[name])}
        for (stage, now), before in zip(list(kept.items())[1:], list(kept.values())[:-1], strict=True)
    }
    assert moved == {
        "2-steps": {"student"},
        "1-steps": {"student"},
        "one": {"generator", "energy"},
        "two": {"energy-two"},
    }


def test_still_networks_have_no_gradients_of_weights_and_wake_up_again():
    model = small().train()
    with still(model):
        assert not any(value.requires_grad for value in model.parameters())
        assert not model.energy.training
    assert all(value.requires_grad for value in model.energy.parameters())
    assert not any(value.requires_grad for value in model.distilled.teacher.parameters())
    assert model.energy.training


def test_rates_of_stage_one_fall_to_a_tenth():
    model = ready(reached=1, objective=Objective(settles=0.5))
    stage = stage_named(model, "one", steps=4)
    assert [next(stage.moves(batch_of(step=step))).rate for step in (1, 2)] == [1.0, 0.1]


def test_times_of_the_truncated_diffusion_end_at_the_last():
    model, seen = small(), []
    model.diffusion.loss_per_sample = lambda x, t, eps: seen.append(t) or x.mean((1, 2, 3)) * 0
    for step in range(40):
        next(model._denoising(batch_of(32, step, seed=step)))
    steps = torch.cat(seen) * 1000
    assert torch.equal(steps, steps.round())
    assert (float(steps.min()), float(steps.max())) == (pytest.approx(1, abs=3), pytest.approx(256, abs=3))


def test_a_training_stopped_anywhere_ends_with_the_same_weights(tmp_path):
    options = Options(batch_size=8, ema=0.9, save_every=1, lr=1e-3, players={"energy": {"ema": 0}})
    whole = small()
    fit(whole, Pictures(), 4, options, run=RunFolder.create(tmp_path / "whole", "x"), progress=False)

    class StopError(Exception):
        pass

    folder, stops = (
        RunFolder.create(tmp_path / "parts", "x"),
        [("diffusion", 1), ("2-steps", 1), ("one", 2), ("two", 1)],
    )
    for stop in stops:

        def halt(moment, stop=stop):
            if (moment.stage, moment.step) == stop:
                raise StopError

        with pytest.raises(StopError):
            fit(small(), Pictures(), 4, options, run=folder, hooks=[halt], progress=False)
    parts = small()
    fit(parts, Pictures(), 4, options, run=folder, progress=False)
    assert unchanged(parts, weights_of(whole))
