"""The density of Hat Diffusion EBMs, and the chains that walk in it."""

import math

import pytest
import torch
from tiny_hats import Pictures, ready

from unveil.core.random import Streams
from unveil.mcmc import Trace
from unveil.models.hat_ebm import Chain, LatentMove
from unveil.models.hat_ebm.chains import refine_both, refine_residual


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


def test_only_long_drifts_are_shortened_and_keep_their_direction():
    x = torch.tensor([[0.1, 0.0], [30.0, 40.0]])
    trace = Trace()
    chain = Chain(1, 1, eps=1e-9, tau=5e-19, longest=2.5)
    y = refine_residual(lambda x: x.square().sum(1) / 2, x, 0 * x, chain, steps=1, trace=trace)
    torch.testing.assert_close(y, torch.tensor([[-0.1, 0.0], [-1.5, -2.0]]), rtol=1e-4, atol=1e-5)
    assert trace.shortened[0].tolist() == [False, True]


def test_a_chain_in_two_halves_is_the_whole():
    model, x, chain = ready(), Pictures().x[:4], Chain(6, 6)
    whole = refine_residual(model.energy, x, 0 * x, chain, steps=6, generator=Streams(2, 4))
    carried = Streams(2, 4)
    half = refine_residual(model.energy, x, 0 * x, chain, steps=3, generator=carried)
    assert torch.equal(refine_residual(model.energy, x, half, chain, steps=3, generator=carried), whole)
