"""Samplers that take Langevin steps, against variances that are known."""

import math

import pytest
import torch
from analytic import PointMass, White
from seeds import seeded

from unveil.covariance import Dense, Identity, free_field
from unveil.samplers import (
    ancestral,
    annealed_langevin,
    consistent_annealed,
    ddim,
    predictor_corrector,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP, even, langevin_step, subsequence

LINEAR, COSINE, VP = Discrete.linear(), Discrete.cosine(), LinearVP()
VE = GeometricVE(0.01, 50, 232)
END = torch.zeros(1, dtype=torch.float64)


@pytest.mark.parametrize("schedule", [LINEAR, VE], ids=["vp", "ve"])
def test_consistent_annealing_meets_ddim_and_ancestral_at_its_ends(schedule):
    denoise = White(0.1, 0.5, schedule).denoiser()
    x = torch.randn(5, 1, 2, 2, generator=seeded(), dtype=torch.float64) * float(schedule(END + 1)[1])
    times = subsequence(schedule.steps, 29)
    torch.testing.assert_close(
        consistent_annealed(denoise, x, schedule, times, generator=seeded()),
        ancestral(denoise, x, schedule, times, generator=seeded()),
        rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    even_levels = torch.arange(29, -1, -1, dtype=torch.float64) * 8 / 232  # one ratio between all levels
    h = 1 - 1 / VE.ratio**8
    torch.testing.assert_close(
        consistent_annealed(White(0.1, 0.5, VE).denoiser(), x, VE, even_levels, h=h, generator=seeded()),
        ddim(White(0.1, 0.5, VE).denoiser(), x, VE, even_levels),
        rtol=1e-6, atol=1e-6,
    )  # fmt: skip


def test_consistent_annealing_keeps_the_variance_of_every_level():
    n, seen = 100_000, []
    x = torch.randn(n, 1, 1, 1, generator=seeded(), dtype=torch.float64) * 50

    def watch(done, total, state):
        seen.append(float(state.var()))

    times = torch.arange(29, -1, -1, dtype=torch.float64) * 8 / 232
    consistent_annealed(
        PointMass(torch.zeros(1, 1, 1).double()).denoiser(), x, VE, times, h=0.6, generator=seeded(1), watch=watch
    )
    expected = VE(times[1:-1])[1] ** 2
    torch.testing.assert_close(torch.tensor(seen[:-1], dtype=torch.float64), expected, rtol=0.03, atol=0)


@pytest.mark.parametrize("cov", [Identity(), free_field(4, 4), Dense(torch.eye(16) + 0.5, root="cholesky")])
def test_annealed_langevin_ends_with_the_predicted_variance(cov):
    schedule = GeometricVE(0.01, 50, 232)
    h = 6.2e-6 / 0.01**2
    q = 1 - h
    variance = 1.0
    for level in range(232):  # the recursion of the variance over sigma^2
        carried = variance if level == 0 else variance * schedule.ratio**2
        variance = q**10 * carried + 2 * h * (1 - q**10) / (1 - q**2)
    assert variance == pytest.approx(1.1283, abs=2e-4)
    x = cov.sqrt(torch.randn(4000, 1, 4, 4, generator=seeded(), dtype=torch.float64)) * 50
    times = torch.arange(232, 0, -1, dtype=torch.float64) / 232
    x = annealed_langevin(
        PointMass(torch.zeros(1, 4, 4).double()).denoiser(),
        x,
        schedule,
        times,
        h=h,
        inner=5,
        cov=cov,
        generator=seeded(),
    )
    white = cov.inv_sqrt(x).flatten(1) / 0.01
    assert float(white.var()) == pytest.approx(variance, rel=0.02)
    directions = white.var(0)  # the same along every direction: the chain is preconditioned
    assert float(directions.min()) > 0.85 * variance
    assert float(directions.max()) < 1.15 * variance


def test_langevin_with_a_small_step_is_stationary():
    x = torch.randn(20_000, 1, 2, 2, generator=seeded(), dtype=torch.float64) * 0.01
    x = annealed_langevin(
        PointMass(torch.zeros(1, 2, 2).double()).denoiser(), x, VE, torch.tensor([2.0, 1.0]) / 232, h=1e-3, inner=500,
        generator=seeded(),
    )  # fmt: skip
    ratio = float(x.var()) / 0.01**2
    h = 1e-3
    stationary = 2 * h / (1 - (1 - h) ** 2)
    assert stationary == pytest.approx(1.0005, abs=1e-5)
    # After 500 steps at a level twice... the larger level's variance has shrunk by q^1000.
    expected = stationary + (1 - h) ** 1000 * (VE.ratio**2 - 1) * stationary
    assert ratio == pytest.approx(expected, rel=0.02)


def test_predictor_corrector():
    denoise = White(0.0, 0.5, VP).denoiser()
    x = torch.randn(20_000, 1, 4, 4, generator=seeded())
    plain = predictor_corrector(denoise, x, VP, even(500, 1.0, 1e-3), corrections=0, generator=seeded(1))
    alpha, sigma = VP(torch.tensor(1e-3))
    assert float(plain.std() / (0.5 * alpha**2 + sigma**2).sqrt()) == pytest.approx(1, abs=0.03)
    times = torch.cat([even(50, 1.0, 1e-3), END])
    corrected = predictor_corrector(denoise, x[:64], VP, times, generator=seeded(1))
    assert bool(corrected.isfinite().all())


def test_langevin_chooses_its_step_from_the_levels():
    seen = []

    def denoise(x_t, t):
        seen.append(x_t)
        return torch.zeros_like(x_t)

    levels = torch.tensor([3.0, 2.0, 1.0]) / 232
    annealed_langevin(denoise, torch.ones(1, 1, 1, 1), VE, levels, inner=1, generator=seeded())
    h = langevin_step(VE.ratio, 1)
    z = torch.randn(1, 1, 1, 1, generator=seeded())
    sigma = float(VE(levels[:1].double())[1])
    assert float(seen[1]) == pytest.approx(1 - h + math.sqrt(2 * h) * sigma * float(z), rel=1e-5)
