import copy
import math
import warnings

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.mcmc import Trace
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm import Chain, HatEBM, Health, LatentMove, Lengths, Objective, Pairs
from unveil.models.hat_ebm.chains import refine_both, refine_residual, still
from unveil.models.hat_ebm.health import MEMORY
from unveil.models.hat_ebm.pairs import draw_latents, noise_of
from unveil.models.hat_ebm.training import fill_pairs
from unveil.networks import ImageEnergy, Proposal, UNet
from unveil.schedules import Discrete
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit

SHAPE = torch.Size((1, 8, 8))
COSINE = Discrete.cosine()


class Pictures:
    shape, classes, fingerprint = (1, 8, 8), None, "pictures"

    def __init__(self, size=64):
        self.x = torch.rand(size, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[torch.as_tensor(index)], {}


def distilled(**options):
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=())
    return Distilled(Diffusion(net, COSINE, SHAPE, predict="v"), **{"first_steps": 4, "until": 0.256, **options})


def small(**options):
    torch.manual_seed(0)
    energy = ImageEnergy(1, widths=(8, 8), downs=2)
    chosen = {"one": Chain(3, 4), "bank": 32, "lengths": Lengths(0.5, 0.5, 0.5), **options}
    return HatEBM(Proposal(SHAPE, latent=4, widths=(8, 8)), distilled(), energy, **chosen)


def ready(reached=2, **options):
    """A model as if it had been trained."""
    model = small(**options).eval()
    model.distilled.begin(model.diffusion)
    fill_pairs(model, Streams(3, 8))
    model.reached.fill_(reached)
    return model


def batch_of(n=8, step=0, seed=0):
    return Batch(Pictures().x[:n], {}, Streams(seed, n), step)


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def unchanged(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def stage_named(model, name, steps=4):
    return next(stage for stage in model.stages(steps) if stage.name == name)


# --- the density -----------------------------------------------------------------------------------------------------


def test_the_normaliser_over_the_residual_does_not_depend_on_the_latents():
    y = torch.linspace(-60, 60, 400_001).double()
    integrals = []
    for z in (-1.3, 0.0, 0.7, 2.1):
        x = math.tanh(z) * 3 + y
        integrals.append(float(torch.trapezoid(torch.exp(-(x.abs() ** 1.5 + (3 * x).sin())), y)))
    assert max(integrals) - min(integrals) < 1e-6 * integrals[0]


def test_two_gaussians_multiply_to_one_whose_scale_depends_on_their_centres():
    x, a, b = torch.randn(3, 7).double().unbind()
    b1, b2 = 1.0, 0.05
    middle = (b1 * a + b2 * b) / (b1 + b2)
    both = b1 * (x - a).square().sum() + b2 * (x - b).square().sum()
    apart = (b1 + b2) * (x - middle).square().sum() + b1 * b2 / (b1 + b2) * (a - b).square().sum()
    torch.testing.assert_close(both, apart, rtol=1e-6, atol=0)


def test_a_small_step_without_noise_lowers_the_energy():
    model = ready()
    x = Pictures().x[:8]
    y = refine_residual(model.energy, x, torch.zeros_like(x), Chain(1, 1, eps=1e-9, tau=1e-17), steps=1)
    assert bool((model.energy(x + y) < model.energy(x)).all())


def test_a_step_on_the_loss_brings_data_below_samples_and_equal_ones_move_nothing():
    model = ready()
    data, samples = Pictures().x[:8], -Pictures().x[:8]

    def gap():
        return model.energy(data).mean() - model.energy(samples).mean()

    before = gap()
    optimizer = torch.optim.SGD(model.energy.parameters(), lr=1e-2)
    before.backward()
    optimizer.step()
    assert float(gap().detach()) < float(before.detach())
    optimizer.zero_grad()
    (model.energy(data).mean() - model.energy(data).mean()).backward()
    assert all(float(value.grad.abs().max()) < 1e-7 for value in model.energy.parameters())


def test_a_residual_walks_to_a_gaussian_at_its_temperature():
    chain = Chain(400, 400, eps=0.5, tau=1.0, longest=None)
    generator, base = torch.Generator().manual_seed(0), torch.full((100_000, 1), 3.0)
    y = refine_residual(
        lambda x: x.square().sum(1) / 2, base, torch.zeros_like(base), chain, steps=400, generator=generator
    )
    x = base + y
    assert float(x.var()) == pytest.approx(1 / (1 - 0.25 / 4), rel=0.01)
    assert float(x.mean()) == pytest.approx(0, abs=0.02)


def test_chains_have_the_published_drift():
    assert Chain(1, 1).drift == pytest.approx(12.5)
    assert Chain(1, 1).move().step_size == pytest.approx(25)
    assert LatentMove(eps=5e-3, tau=1e-6).drift == pytest.approx(12.5)


def test_the_latents_prior_pulls_them_by_half_the_squared_noise():
    move = LatentMove(eps=0.1, tau=0.5, prior=True)
    z = torch.randn(6, 3).double()
    quiet = Chain(1, 1, eps=1e-6, tau=1.0)
    torch.manual_seed(0)
    free, _ = refine_both(lambda x: 0 * x.sum(1), lambda z: z, z, 0 * z, quiet, LatentMove(eps=0.1, tau=0.5), steps=1,
                          generator=torch.Generator().manual_seed(0))  # fmt: skip
    drawn, _ = refine_both(lambda x: 0 * x.sum(1), lambda z: z, z, 0 * z, quiet, move, steps=1,
                           generator=torch.Generator().manual_seed(0))  # fmt: skip
    torch.testing.assert_close(drawn - free, -(0.1**2) / 2 * z)


# --- who moves when --------------------------------------------------------------------------------------------------


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
    assert moved == {"2-steps": {"student"}, "1-steps": {"student"}, "one": {"generator", "energy"}, "two": {"energy"}}


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


# --- the bank --------------------------------------------------------------------------------------------------------


def test_the_bank_begins_with_what_its_latents_make():
    model = ready()
    noise = noise_of(model.pairs.seed, SHAPE, model.device)
    torch.testing.assert_close(model.pairs.x.float(), model.generate(model.pairs.z, noise), rtol=2e-3, atol=2e-3)


def test_a_step_overwrites_the_pairs_it_drew_and_keeps_them_together():
    model = ready(reached=1)
    before = weights_of(model.pairs)
    moves = list(stage_named(model, "one").moves(batch_of(step=1)))
    changed = (model.pairs.seed != before["seed"]).nonzero().flatten()
    assert len(moves) == 2
    assert len(changed) == 8
    noise = noise_of(model.pairs.seed[changed], SHAPE, model.device)
    base = model.generate(model.pairs.z[changed], noise)
    near = (model.pairs.x[changed].float() - base).flatten(1).norm(dim=1)
    others = (model.pairs.x[changed].float() - base.roll(1, 0)).flatten(1).norm(dim=1)
    assert bool((near < others).all())  # the residual of a short chain is small


def test_in_time_every_pair_is_renewed():
    pairs = Pairs(64, SHAPE, 2)
    for step in range(math.ceil(64 / 8 * (math.log(64) + 4.6))):
        chosen, kept = pairs.bank.draw(8, Streams(step, 8))
        assert len(set(chosen.tolist())) == 8
        pairs.bank.overwrite(chosen, {**kept, "seed": torch.ones(8, dtype=torch.int64)})
    assert bool((pairs.seed == 1).all())


def test_the_bank_is_kept_to_the_bit_and_must_hold_a_batch():
    model = ready()
    other = small()
    other.load_state_dict(model.state_dict())
    assert unchanged(other.pairs, weights_of(model.pairs))
    with pytest.raises(ConfigError, match=r"keeps 32 pairs and a batch has 40"):
        next(stage_named(small(), "one").moves(batch_of(40)))


# --- chains and samples ----------------------------------------------------------------------------------------------


def test_only_long_drifts_are_shortened_and_keep_their_direction():
    x = torch.tensor([[0.1, 0.0], [30.0, 40.0]])
    trace = Trace()
    chain = Chain(1, 1, eps=1e-9, tau=5e-19, longest=2.5)
    y = refine_residual(lambda x: x.square().sum(1) / 2, x, 0 * x, chain, steps=1, trace=trace)
    torch.testing.assert_close(y, torch.tensor([[-0.1, 0.0], [-1.5, -2.0]]), rtol=1e-4, atol=1e-5)
    assert trace.shortened[0].tolist() == [False, True]


def test_masked_pixels_stay_to_the_bit():
    model, x = ready(), Pictures().x[:3]
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1
    moved = model.refine(x, mask=mask, generator=Streams(0, 3))
    assert torch.equal(moved[..., :4], x[..., :4])
    assert float((moved[..., 4:] - x[..., 4:]).abs().mean()) > 0.01


@pytest.mark.parametrize("stage", ["proposal", "kernel", "one", "two"])
def test_samples_do_not_depend_on_their_batch(stage):
    model = ready()
    whole = model.sample(3, stage=stage, generator=Streams(5, 3))
    assert torch.equal(whole, model.sample(3, stage=stage, generator=Streams(5, 3)))
    torch.testing.assert_close(model.sample(1, stage=stage, generator=Streams(5, [2])), whole[2:], rtol=1e-4, atol=1e-4)
    assert whole.abs().max() <= 1


def test_a_chain_in_two_halves_is_the_whole():
    model, x, chain = ready(), Pictures().x[:4], Chain(6, 6)
    whole = refine_residual(model.energy, x, 0 * x, chain, steps=6, generator=Streams(2, 4))
    carried = Streams(2, 4)
    half = refine_residual(model.energy, x, 0 * x, chain, steps=3, generator=carried)
    assert torch.equal(refine_residual(model.energy, x, half, chain, steps=3, generator=carried), whole)


def test_refining_repeats_the_kernel_and_watches_the_chain():
    model, x, seen = ready(), Pictures().x[:2], []
    assert torch.equal(model.refine(x, repeats=0, steps=0), x)
    once, twice = (model.refine(x, repeats=count, steps=0, generator=Streams(0, 2)) for count in (1, 2))
    assert not torch.equal(once, twice)
    model.refine(x, steps=3, watch=lambda done, total, state: seen.append((done, total, state.shape)))
    assert seen == [(k, 3, x.shape) for k in (1, 2, 3)]


def test_the_preview_has_a_row_for_each_part():
    model = small()
    next(model._denoising(batch_of()))
    assert model.preview().shape == ready().preview().shape == (24, 1, 8, 8)


# --- training --------------------------------------------------------------------------------------------------------


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


def test_what_was_not_trained_is_not_sampled():
    model = small()
    with pytest.raises(ConfigError, match="not been trained through stage one"):
        model.sample(1)
    model.reached.fill_(1)
    with pytest.raises(ConfigError, match="stage two; take --stage one"):
        model.sample(1, stage="two")
    with pytest.raises(ConfigError, match="no stage 'three'"):
        model.sample(1, stage="three")


# --- health ----------------------------------------------------------------------------------------------------------


def judged(health, gaps, drift=0.1, **others):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step, gap in enumerate(gaps):
            health.judge(
                gap, drift(step) if callable(drift) else drift, others.get("shortened", 0.0), others.get("beyond", 0.0)
            )
    return [str(warning.message) for warning in caught]


def healthy(steps=3 * MEMORY):
    return torch.randn(steps, generator=torch.Generator().manual_seed(0)).tolist()


def test_a_healthy_training_is_left_in_peace():
    assert judged(Health(), healthy()) == []


@pytest.mark.parametrize(("options", "said"), [
    ({"gaps": [4 + gap / 2 for gap in healthy()]}, "stay apart"),
    ({"drift": lambda step: 0.1 if step < 150 else 5.0}, "drift has grown to 5"),
    ({"shortened": 0.2}, "tenth of the drifts are shortened"),
    ({"beyond": 0.3}, "30% of the samples' pixels"),
])  # fmt: skip
def test_trouble_is_told_once(options, said):
    told = judged(Health(), **{"gaps": healthy(), **options})
    assert len(told) == 1
    assert said in told[0]
    assert "ten times lower" in told[0]


def test_a_bank_that_loses_its_variety_is_told():
    health = Health()
    health.judge(0.0, 0.1, 0.0, 0.0, spread=0.5)
    with pytest.warns(UserWarning, match="half of their variety"):
        health.judge(0.0, 0.1, 0.0, 0.0, spread=0.2)


@pytest.mark.parametrize("gap", [math.nan, 1e4])
def test_a_training_that_runs_away_is_ended(gap):
    health = Health()
    judged(health, healthy(MEMORY))
    with pytest.raises(DivergenceError, match=r"Training diverged.*in step 7.*newest checkpoint"):
        health.judge(gap, 0.1, 0.0, 0.0, where=" in step 7")


# --- what is refused -------------------------------------------------------------------------------------------------


def test_networks_that_look_at_their_batch_are_refused():
    with pytest.raises(ConfigError, match="energy has a BatchNorm2d"):
        HatEBM(Proposal(SHAPE, latent=4, widths=(8, 8)), distilled(), nn.Sequential(nn.BatchNorm2d(1)), one=Chain(1, 1))
    proposal = Proposal(SHAPE, latent=4, widths=(8, 8))
    proposal.last = nn.Sequential(nn.Dropout(0.5), proposal.last)
    with pytest.raises(ConfigError, match="generator has a Dropout"):
        HatEBM(proposal, distilled(), ImageEnergy(1, widths=(8,), downs=1), one=Chain(1, 1))


def test_a_kernel_of_several_steps_is_refused():
    with pytest.raises(ConfigError, match="distilled to 2"):
        HatEBM(
            Proposal(SHAPE, latent=4, widths=(8, 8)),
            distilled(steps=2),
            ImageEnergy(1, widths=(8,), downs=1),
            one=Chain(1, 1),
        )


@pytest.mark.parametrize(("x", "error", "said"), [
    (torch.zeros(1, 1, 4, 4), ShapeError, "made for samples of shape"),
    (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), DataError, "floating point"),
    (torch.full((1, 1, 8, 8), 200.0), DataError, "look like"),
])  # fmt: skip
def test_images_that_cannot_be_are_refused(x, error, said):
    with pytest.raises(error, match=said):
        ready().refine(x)


def test_an_energy_of_another_shape_or_without_end_is_refused():
    model = ready()
    model.energy = nn.Flatten()
    with pytest.raises(ShapeError, match="one number a sample"):
        model.sample(2, stage="one")
    x = torch.ones(1, 2)
    with pytest.raises(DivergenceError, match="step 1 of 2"):
        refine_residual(lambda x: x.sum(1) * math.inf, x, 0 * x, Chain(1, 1), steps=2)


@pytest.mark.parametrize("wrong", [
    lambda: Chain(0, 1), lambda: Chain(1, 1, eps=0), lambda: Chain(1, 1, tau=-1), lambda: Chain(1, 1, longest=0),
    lambda: LatentMove(eps=0), lambda: Lengths(diffusion=0), lambda: Lengths(two=-1), lambda: Objective(moved=0),
    lambda: Objective(penalty=math.nan), lambda: Pairs(0, SHAPE, 2),
])  # fmt: skip
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_proposals_of_the_wrong_length_are_refused():
    with pytest.raises(ShapeError, match=r"latents \(B, 4\)"):
        copy.deepcopy(ready()).generate(torch.zeros(2, 5), torch.zeros(2, *SHAPE))
