"""Douglas-Rachford and half-quadratic splitting against the minima they should find."""

import math
from itertools import pairwise

import pytest
import torch
from gaussian_images import OPERATORS, SHAPE, D, GaussianPrior, correlated, matrix
from seeds import seeded

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.random import Streams
from unveil.inverse import douglas_rachford, half_quadratic
from unveil.operators import Compose, Downsample, Grayscale, Identity, Mask

MEAN = 0.3 * torch.randn(D, generator=seeded(3), dtype=torch.float64)
COVARIANCE = correlated()
PRIOR = GaussianPrior(MEAN, COVARIANCE, (0.1, 0.5, 1.0, 4.0))


class ProximalPrior:
    """Restores by the proximal step of tau/2 (x - m)' C^-1 (x - m)."""

    sigmas = (1.0,)

    def __init__(self, tau):
        self.precision = tau * torch.linalg.inv(COVARIANCE)

    def degrade(self, x, level, generator=None, *, scale=1.0):
        return x

    def restore(self, y, level, generator=None):
        total = self.precision + torch.eye(D, dtype=torch.float64)
        right = y.flatten(1) + MEAN @ self.precision
        return torch.linalg.solve(total, right.T).T.reshape(y.shape)

    def map(self, y, operator, lam):
        """The minimum of lam/2 |A x - y|^2 + tau/2 (x - m)' C^-1 (x - m)."""
        a = matrix(operator)
        return torch.linalg.solve(lam * a.T @ a + self.precision, lam * a.T @ y.flatten() + self.precision @ MEAN)


def measured(operator, sigma_y=0.1):
    y = operator.forward(PRIOR.image())
    return y + sigma_y * torch.randn(y.shape, generator=seeded(9), dtype=torch.float64)


def relative(x, truth):
    return float((x.flatten() - truth).norm() / truth.norm())


@pytest.mark.parametrize("name", OPERATORS)
def test_douglas_rachford_finds_the_map_of_a_gaussian(name):
    operator, prior = OPERATORS[name], ProximalPrior(tau=0.1)
    y = measured(operator)
    truth = prior.map(y, operator, 5.0)

    def errors(steps):
        given = dict(lam=5.0, alpha=1.0, push=0.0, steps=steps)
        return [relative(douglas_rachford(prior, y, operator, return_iterate=i, **given), truth) for i in "uvx"]

    some, many = errors(100), errors(500)
    assert max(some[:2]) < 1e-5  # 4e-6 was published for downsampling after 500, at other constants
    assert max(many[:2]) < 1e-12  # so u = v
    assert many[2] > 1e-3  # x is another point


def test_the_best_iterate_is_the_one_whose_residual_the_noise_explains():
    operator, sigma_y = Downsample(2), 0.1
    y = torch.cat([measured(operator), 2 * measured(operator)])
    seen = []

    def run(iterate, steps, sigma_y=sigma_y):
        return douglas_rachford(
            PRIOR, y, operator, sigma_y=sigma_y, alpha=0.4, steps=steps, return_iterate=iterate,
            generator=seeded(), watch=lambda done, steps, u: seen.append(u),
        )  # fmt: skip

    answer, us = run("best", 12), list(seen)
    vs = [run("v", k) for k in range(1, 13)]
    misses = torch.stack([((operator.forward(v) - y).square().flatten(1).mean(1).sqrt() - sigma_y).abs() for v in vs])
    chosen = misses.argmin(0)
    assert chosen.unique().numel() == 2  # or the samples would not be told apart
    torch.testing.assert_close(answer, torch.stack([us[int(k)][row] for row, k in enumerate(chosen)]))


def test_pushes_walk_from_the_level_asked_for_down_to_1():
    visits = []

    class Watched(ProximalPrior):
        sigmas = (1.0, 2.0, 3.0)

        def degrade(self, x, level, generator=None, *, scale=1.0):
            visits.append((level, scale))
            return x

    y = measured(Identity())
    told = []
    douglas_rachford(
        Watched(1.0), y, Identity(), levels=2, steps=3, progress=lambda done, steps: told.append((done, steps))
    )
    assert visits == [(2, 0.99), (1, 0.99)] * 3
    assert told == [(k, 6) for k in range(1, 7)]


@pytest.mark.parametrize("name", OPERATORS)
def test_douglas_rachford_agrees_exactly_when_asked_to(name):
    operator, y = OPERATORS[name], OPERATORS[name].forward(PRIOR.image())
    x = douglas_rachford(PRIOR, y, operator, lam=math.inf, generator=seeded())
    torch.testing.assert_close(operator.forward(x), y, rtol=0, atol=1e-10)
    soft = douglas_rachford(PRIOR, y, operator, lam=1e10, generator=seeded())
    torch.testing.assert_close(operator.forward(soft), y, rtol=0, atol=1e-5)


def test_clamped_iterates_stay_in_range():
    y = 3 * measured(Identity())
    v = douglas_rachford(PRIOR, y, Identity(), clamp=(-1, 1), return_iterate="v", generator=seeded())
    assert float(v.abs().max()) == 1


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("level", [1, 3])
def test_half_quadratic_splitting_comes_to_its_fixed_point(name, level):
    operator, sigma, sigma_y = OPERATORS[name], PRIOR.sigmas[level - 1], 0.1
    y = measured(operator)
    given = dict(sigma_y=sigma_y, first=sigma, last=sigma, strength=1.0, push=0.0, steps=3000 if level == 1 else 300)
    u, v = (half_quadratic(PRIOR, y, operator, return_iterate=i, **given) for i in "uv")
    # The minimum of |A u - y|^2 / (2 sigma_y^2) + (u - m)' (C + sigma^2)^-1 (u - m) / 2.
    a, precision = matrix(operator), torch.linalg.inv(COVARIANCE + sigma**2 * torch.eye(D, dtype=torch.float64))
    truth = torch.linalg.solve(a.T @ a / sigma_y**2 + precision, a.T @ y.flatten() / sigma_y**2 + precision @ MEAN)
    assert relative(u, truth) < 1e-9
    torch.testing.assert_close(v, PRIOR.restore(u, level), rtol=0, atol=1e-9)


def test_half_quadratic_splitting_descends_geometrically_through_nearest_levels():
    asked, weights = [], []

    class Watched(GaussianPrior):
        def restore(self, y, level, generator=None):
            asked.append(level)
            return super().restore(y, level, generator)

    class Weighed(Identity):
        def prox(self, v, y, lam):
            weights.append(lam)
            return super().prox(v, y, lam)

    prior = Watched(MEAN, COVARIANCE, PRIOR.sigmas)
    half_quadratic(prior, measured(Identity()), Weighed(), sigma_y=0.05, first=4.0, steps=7)
    assert asked == [4, 4, 3, 2, 2, 1, 1]  # sigmas 4, 2.16, 1.17, 0.63, 0.34, 0.18, 0.1
    assert weights[0] == pytest.approx(16 / (0.35 * 0.05**2))
    assert weights[-1] == pytest.approx(0.1**2 / (0.35 * 0.05**2))  # ends at the prior's lowest level, above sigma_y
    ratios = [later / earlier for earlier, later in pairwise(weights)]
    assert ratios == pytest.approx([ratios[0]] * 6)


def test_half_quadratic_splitting_agrees_exactly_when_asked_to():
    operator = Downsample(2)
    y = operator.forward(PRIOR.image())
    u = half_quadratic(PRIOR, y, operator, least_noise=0.0, return_iterate="u")
    torch.testing.assert_close(operator.forward(u), y, rtol=0, atol=1e-12)


def test_the_best_iterate_does_not_depend_on_what_lies_in_a_hole():
    keep = torch.ones(SHAPE[-2:], dtype=torch.float64)
    keep[1:3, 1:3] = 0
    mask, x = Mask(keep), PRIOR.image()
    clean, junk = mask.forward(x), mask.forward(x) + 5 * (1 - keep)
    found = [
        douglas_rachford(PRIOR, y, mask, sigma_y=0.1, return_iterate="best", start=clean, generator=seeded())
        for y in (clean, junk)
    ]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("solver", [douglas_rachford, half_quadratic])
def test_answers_depend_on_the_seed_alone(solver):
    operator = Compose(Grayscale(), Downsample(2))
    y = operator.forward(torch.cat([PRIOR.image(seed) for seed in range(3)]))
    given = dict(push=0.9)
    all_three = solver(PRIOR, y, operator, generator=Streams(4, 3), **given)
    assert all_three.shape == (3, *SHAPE)
    torch.testing.assert_close(all_three, solver(PRIOR, y, operator, generator=Streams(4, 3), **given), rtol=0, atol=0)
    alone = solver(PRIOR, y[1:2], operator, generator=Streams(4, [1]), **given)
    torch.testing.assert_close(alone, all_three[1:2], rtol=0, atol=1e-12)
    assert not torch.equal(all_three, solver(PRIOR, y, operator, generator=Streams(5, 3), **given))
    assert not torch.equal(*(solver(PRIOR, y, operator, generator=seeded(s), **given) for s in (0, 1)))


@pytest.mark.parametrize(
    ("solver", "given", "words"),
    [
        (douglas_rachford, {"lam": 0.0}, "above 0; it got 0"),
        (douglas_rachford, {"lam": math.nan}, "above 0; it got nan"),
        (douglas_rachford, {"alpha": 0.0}, r"\(0, 1\]; it got 0"),
        (douglas_rachford, {"alpha": 1.5}, r"\(0, 1\]; it got 1.5"),
        (douglas_rachford, {"levels": 5}, "levels 1 to 4; it was asked for"),
        (douglas_rachford, {"steps": 0}, "1 or more steps"),
        (douglas_rachford, {"push": -1.0}, "push"),
        (douglas_rachford, {"return_iterate": "w"}, "u, v, x or best; it got 'w'"),
        (douglas_rachford, {"sigma_y": -1.0}, "sigma_y is the standard deviation"),
        (half_quadratic, {"steps": 0}, "1 or more steps"),
        (half_quadratic, {"last": 0.0}, "both above 0"),
        (half_quadratic, {"strength": 0.0}, "strength"),
        (half_quadratic, {"least_noise": -1.0}, "least_noise"),
        (half_quadratic, {"push": math.inf}, "push"),
        (half_quadratic, {"return_iterate": "x"}, "u or v; it got 'x'"),
        (half_quadratic, {"sigma_y": math.nan}, "sigma_y is the standard deviation"),
    ],
)
def test_arguments_out_of_range_are_refused(solver, given, words):
    with pytest.raises(ConfigError, match=words):
        solver(PRIOR, measured(Identity()), Identity(), **given)


def test_measurements_that_are_none_are_refused():
    y = measured(Identity())
    with pytest.raises(DataError, match="a NaN or an infinity"):
        douglas_rachford(PRIOR, torch.full_like(y, math.nan), Identity())
    with pytest.raises(DataError, match=r"torch.uint8. Scale it to \[-1, 1\]"):
        half_quadratic(PRIOR, y.byte(), Identity())
    with pytest.raises(DataError, match=r"y / 127.5 - 1"):
        half_quadratic(PRIOR, (y + 1) * 127.5, Identity())
    with pytest.raises(ShapeError, match="a batch of one or more"):
        half_quadratic(PRIOR, y[:0], Identity())
    with pytest.raises(ShapeError, match=r"start at images of shape \(1, 3, 8, 8\)"):
        douglas_rachford(PRIOR, y, Identity(), start=torch.zeros(1, 3, 8, 8))


def test_a_search_that_explodes_is_told():
    class Explosive(ProximalPrior):
        def restore(self, y, level, generator=None):
            return y * 1e300

    with pytest.raises(DivergenceError, match="stopped being finite"):
        half_quadratic(Explosive(1.0), measured(Identity()), Identity())
