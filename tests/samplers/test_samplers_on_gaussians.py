"""Steps of DDIM and of the reverse chain against posteriors and spreads that are known, and what they refuse."""

import math

import pytest
import torch
from analytic import White
from seeds import seeded

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.random import Streams
from unveil.covariance import free_field
from unveil.samplers import (
    Clip,
    ancestral,
    annealed_langevin,
    consistent_annealed,
    ddim,
    probability_flow,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP, even, subsequence

LINEAR, COSINE, VP = Discrete.linear(), Discrete.cosine(), LinearVP()
VE = GeometricVE(0.01, 50, 232)
END = torch.zeros(1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("schedule", "var", "published"),
    [
        (LINEAR, 1.0, {1000: 0.99812, 100: 0.98158, 50: 0.96355, 20: 0.91129, 10: 0.82937}),
        (COSINE, 1.0, {1000: 0.99875, 100: 0.98769, 50: 0.97557, 20: 0.94006, 10: 0.88343}),
        (LINEAR, 0.25, {1000: 0.99699, 50: 0.94281}),
    ],
)
def test_ddim_of_a_gaussian_has_the_exact_final_spread(schedule, var, published):
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    for steps, ratio in published.items():
        times = subsequence(1000, steps)
        final = ddim(White(0.0, var, schedule).denoiser(), x, schedule, times)
        assert float(final) / math.sqrt(var) == pytest.approx(ratio, abs=1.1e-5)
        if var == 1:  # the path is a rotation by the angle arccos alpha
            angle = schedule(times)[0].acos()
            assert float(final) == pytest.approx(float(angle.diff().cos().prod()), abs=1e-10)


@pytest.mark.parametrize(
    ("variance", "published"),
    [("large", {1000: 0.99995, 100: 0.99905, 10: 0.94711}), ("small", {1000: 0.99552, 100: 0.95998, 10: 0.74049})],
)
def test_ancestral_sampling_of_a_gaussian_has_the_published_spread(variance, published):
    for steps, ratio in published.items():
        times = subsequence(1000, steps)
        spread = 1.0  # of the state; the mean of a step is linear in it, so its variance follows a recursion
        denoise = White(0.0, 1.0, LINEAR).denoiser()
        for pair in times.unfold(0, 2, 1):
            one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
            still = ancestral(denoise, one, LINEAR, pair, variance=variance, generator=Silence())
            noisy = ancestral(denoise, 0 * one, LINEAR, pair, variance=variance, generator=Shout())
            spread = float(still) ** 2 * spread + float(noisy) ** 2
        assert math.sqrt(spread) == pytest.approx(ratio, abs=1.1e-5)


class Silence(Streams):
    """Draws zeros."""

    def __init__(self):
        super().__init__(0, 1)

    def randn(self, shape, dtype=torch.float32):
        return torch.zeros(*shape, dtype=dtype)


class Shout(Silence):
    """Draws ones."""

    def randn(self, shape, dtype=torch.float32):
        return torch.ones(*shape, dtype=dtype)


def test_data_coloured_like_the_noise_keep_their_colour():
    cov = free_field(8, 8)
    start = cov.sqrt(torch.randn(20_000, 1, 8, 8, generator=seeded()))

    def denoise(x_t, t):  # E[x | x_t] = alpha x_t where data and noise share a covariance
        return LINEAR(t)[0] * x_t

    final = ddim(denoise, start, LINEAR, subsequence(1000, 50))
    assert float(final.std()) == pytest.approx(0.96355, abs=0.01)


def test_fully_stochastic_ddim_is_ancestral_with_skipped_steps_too():
    denoise, x = White(0.2, 0.3, LINEAR).denoiser(), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    for steps in (1000, 50, 7):
        times = subsequence(1000, steps)
        both = [
            ddim(denoise, x, LINEAR, times, eta=1.0, generator=seeded()),
            ancestral(denoise, x, LINEAR, times, generator=seeded()),
        ]
        torch.testing.assert_close(*both, rtol=0, atol=1e-12)


def test_ancestral_step_is_the_posterior():
    """q(x_u | x_t, x_0), found by conditioning a Gaussian, at a pair with skipped steps."""
    t, u = (torch.tensor(v, dtype=torch.float64) for v in (0.7, 0.4))
    (a_t, s_t), (a_u, s_u) = LINEAR(t), LINEAR(u)
    ratio = a_t / a_u
    var = 1 / (ratio**2 / (s_t**2 - ratio**2 * s_u**2) + 1 / s_u**2)
    x_0, x_t = torch.tensor(0.3, dtype=torch.float64), torch.tensor(-0.8, dtype=torch.float64)
    mean = var * (ratio * x_t / (s_t**2 - ratio**2 * s_u**2) + a_u * x_0 / s_u**2)
    x = x_t.expand(400_000, 1, 1, 1)
    drawn = ancestral(lambda x, t: x_0.expand_as(x), x, LINEAR, torch.stack([t, u]), generator=seeded())
    assert float(drawn.mean()) == pytest.approx(float(mean), abs=5e-3 * float(var.sqrt()))
    assert float(drawn.var()) == pytest.approx(float(var), rel=0.01)


def sharp(x_t, t):
    """A denoiser that is neither linear nor the same everywhere."""
    return torch.tanh(3 * x_t.roll(1, -1) - x_t)


def test_clipping_keeps_state_and_estimates_consistent():
    def bold(x_t, t):
        return 3 * torch.ones_like(x_t)

    x = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    times = torch.tensor([0.8, 0.5])
    (a_t, s_t), (a_u, s_u) = VP(times[0].double()), VP(times[1].double())
    again = ddim(bold, x, VP, times, clip=Clip())
    torch.testing.assert_close(again, torch.full_like(x, float(a_u - s_u * a_t / s_t)))
    kept = ddim(bold, x, VP, times, clip=Clip(rederive=False))
    torch.testing.assert_close(kept, torch.full_like(x, float(a_u - 3 * s_u * a_t / s_t)))


def test_bad_arguments_are_named():
    x, denoise = torch.zeros(1, 1, 2, 2), sharp
    with pytest.raises(ConfigError, match="eta"):
        ddim(denoise, x, VP, even(3), eta=1.5)
    with pytest.raises(ConfigError, match="small or large"):
        ancestral(denoise, x, VP, even(3), variance="medium")
    with pytest.raises(ConfigError, match=r"needs h in \[0\."):
        consistent_annealed(denoise, x, VE, even(10, 1.0, 0.1), h=0.001)
    with pytest.raises(ConfigError, match="descending"):
        ddim(denoise, x, VP, torch.tensor([0.1, 0.5]))
    with pytest.raises(ConfigError, match="rk45"):
        probability_flow(denoise, x, VP, even(3, 1.0, 0.1), method="rk9")
    with pytest.raises(ConfigError, match=r"\(0, 1\)"):
        annealed_langevin(denoise, x, VE, even(3, 1.0, 0.1), h=2.0)


def test_a_state_that_is_not_finite_is_reported_with_its_step():
    def broken(x_t, t):
        return x_t / 0 if float(t) < 0.5 else x_t

    with pytest.raises(DivergenceError, match="step 3 of 4"):
        ddim(broken, torch.ones(1, 1, 2, 2), VP, torch.tensor([1.0, 0.8, 0.49, 0.2, 0.0]))
