import math

import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.covariance import free_field
from unveil.schedules import (
    Discrete,
    GeometricVE,
    LinearVP,
    draw_times,
    langevin_step,
    level_ratio,
    subsequence,
    suggest_ve,
)

ALL = [
    LinearVP(),
    Discrete.linear(),
    Discrete.cosine(),
    Discrete.linear(50),
    GeometricVE(0.01, 50),
    GeometricVE(0.01, 50, 232),
]


def test_discrete_linear_matches_the_published_chain():
    schedule = Discrete.linear()
    alpha, _ = schedule(torch.tensor([1.0], dtype=torch.float64))
    assert float(alpha**2) == pytest.approx(4.0358e-5, rel=1e-4)
    i = torch.arange(1, 1001, dtype=torch.float64)
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(schedule(i / 1000)[0] ** 2, (1 - betas).cumprod(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(schedule(i / 1000)[1] ** 2, 1 - (1 - betas).cumprod(0), rtol=1e-9, atol=0)


def test_discrete_cosine_clips_one_beta():
    schedule = Discrete.cosine()
    assert int((schedule.betas == 0.999).sum()) == 1
    alpha, _ = schedule(torch.ones(1, dtype=torch.float64))
    assert float(alpha**2) == pytest.approx(2.43e-9, rel=2e-3)
    assert bool(((schedule.betas > 0) & (schedule.betas < 1)).all())


def test_linear_vp_matches_the_discrete_chain():
    assert float(LinearVP()(torch.ones(1, dtype=torch.float64))[0] ** 2) == pytest.approx(4.3186e-5, rel=1e-4)
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    ratio = LinearVP()(t)[0] ** 2 / Discrete.linear()(t)[0] ** 2
    assert float((ratio - 1).abs().max()) < 0.07 + 1e-3


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_time_zero_is_data(schedule):
    alpha, sigma = schedule(torch.zeros(1))
    assert (float(alpha), float(sigma)) == (1.0, 0.0)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_rates_are_the_derivatives(schedule):
    t = torch.linspace(0.0503, 0.9907, 33, dtype=torch.float64)  # within steps, where tables are smooth
    delta = 1e-6
    (a0, s0), (a1, s1) = schedule(t - delta), schedule(t + delta)
    drift, diffusion = schedule.rates(t)
    torch.testing.assert_close((a1.log() - a0.log()) / (2 * delta), drift, rtol=1e-4, atol=1e-6)
    sigma = schedule(t)[1]
    torch.testing.assert_close((s1**2 - s0**2) / (2 * delta), 2 * drift * sigma**2 + diffusion, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", [s for s in ALL if s.variance_preserving], ids=repr)
def test_variance_is_preserved(schedule):
    alpha, sigma = schedule(torch.linspace(0, 1, 1001, dtype=torch.float64))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))


def test_float32_times_hit_the_table():
    schedule = Discrete.linear()
    i = torch.arange(1, 1001)
    torch.testing.assert_close(schedule(i / 1000)[1].double(), schedule(i.double() / 1000)[1], rtol=1e-6, atol=0)


def test_geometric_ve_levels():
    schedule = GeometricVE(0.01, 50, 232)
    sigma = schedule(torch.arange(1, 233, dtype=torch.float64) / 232)[1]
    assert float(sigma[0]) == pytest.approx(0.01)
    assert float(sigma[-1]) == pytest.approx(50)
    torch.testing.assert_close(sigma[1:] / sigma[:-1], torch.full((231,), schedule.ratio, dtype=torch.float64))
    assert schedule.ratio == pytest.approx(1.03756, abs=1e-5)


def test_song_ermon_level_ratio():
    assert level_ratio(3072, 0.5) == pytest.approx(1.03980, abs=1e-5)
    assert level_ratio(3072, 0.5) == pytest.approx(math.sqrt(6144) / (math.sqrt(6144) - 3), abs=1e-6)
    assert level_ratio(3072, 0.566) == pytest.approx(1.0376, abs=2e-5)
    for top, levels in ((50, 232), (20, 207)):
        assert 1 + math.ceil(math.log(top / 0.01) / math.log(1.0376)) == pytest.approx(levels, abs=1)


def test_song_ermon_langevin_step():
    g = 1.03756
    assert langevin_step(g, 1) == pytest.approx(1 - 1 / g**2, abs=1e-5)
    assert langevin_step(g, 1) == pytest.approx(0.07109, abs=1e-4)
    assert langevin_step(g, 5) == pytest.approx(0.06184, abs=1e-4)


def test_suggest_ve_measures_whitened_distances():
    cov = free_field(4, 4)
    z = torch.randn(50, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    plain, coloured = suggest_ve(z), suggest_ve(cov.sqrt(z), cov)
    truth = float(torch.cdist(z.flatten(1), z.flatten(1)).max())
    assert plain.sigma_max == pytest.approx(truth, rel=1e-4)
    assert coloured.sigma_max == pytest.approx(truth, rel=1e-4)
    assert plain.sigma_max_999 <= plain.sigma_max
    assert plain.steps == coloured.steps > 2


def test_trailing_contains_the_last_step_and_all_of_the_chain():
    for steps in (1, 7, 50, 1000):
        times = subsequence(1000, steps)
        assert times[0] == 1
        assert times[-1] == 0
        assert len(times) == steps + 1
    assert torch.equal(subsequence(1000, 1000), torch.arange(1000, -1, -1, dtype=torch.float64) / 1000)
    assert float(subsequence(1000, 10, "leading")[0]) == 0.901
    quadratic = subsequence(1000, 10, "quadratic")
    assert float(quadratic[0]) == 1
    assert float(quadratic[-2]) == 0.01


def test_drawn_times_lie_on_the_chain():
    t = draw_times(1000, Discrete.cosine(10), Streams(0, 1000))
    assert set((t * 10).round().long().tolist()) == set(range(1, 11))
    t = draw_times(1000, LinearVP(), Streams(0, 1000))
    assert float(t.min()) >= 1e-5
    assert float(t.max()) <= 1


@pytest.mark.parametrize("stratified", [False, True])
def test_drawn_times_do_not_depend_on_the_batch(stratified):
    whole = draw_times(16, LinearVP(), Streams(3, 16), stratified=stratified)
    part = draw_times(5, LinearVP(), Streams(3, range(6, 11)), stratified=stratified)
    assert torch.equal(whole[6:11], part)


def test_stratified_times_are_even():
    t = draw_times(233, LinearVP(), Streams(3, 233), stratified=True).sort().values
    assert float(t.diff().max()) < 2 / 233


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LinearVP(2, 1), "beta_min < beta_max"),
        (lambda: Discrete([0.1]), "at least 2"),
        (lambda: Discrete([0.1, 1.2]), r"\(0, 1\)"),
        (lambda: Discrete.linear(20), "more than 20"),
        (lambda: GeometricVE(1, 0.5), "sigma_min < sigma_max"),
        (lambda: GeometricVE(0.01, 1, 1), "2 levels"),
        (lambda: subsequence(10, 11), "1 to 10"),
        (lambda: subsequence(1000, 100, "quadratic"), "twice"),
        (lambda: level_ratio(10, 1.5), "overlap"),
        (lambda: langevin_step(0.9, 1), "above 1"),
    ],
)
def test_impossible_schedules_are_refused(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
