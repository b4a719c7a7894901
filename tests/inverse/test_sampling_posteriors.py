"""DDRM and posterior sampling of Gaussian images, whose posteriors are known."""

import math
from itertools import pairwise

import pytest
import torch
from gaussian_images import OPERATORS, SHAPE, D, GaussianPrior, Probe, correlated, matrix
from seeds import seeded

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.inverse import DenoiserPrior, ddrm, posterior_sampling
from unveil.operators import Compose, Downsample, Grayscale, Identity
from unveil.schedules import LinearVP

MEAN = 0.3 * torch.randn(D, generator=seeded(3), dtype=torch.float64)
WHITE = 0.5 * torch.eye(D, dtype=torch.float64)
BLUR = OPERATORS["blur"]


def gaussian(covariance, levels, lowest=10**-2.5, highest=10**1.5):
    spaced = torch.logspace(math.log10(lowest), math.log10(highest), levels, dtype=torch.float64)
    return GaussianPrior(MEAN, covariance, tuple(spaced.tolist()))


def measured(prior, operator, sigma_y):
    y = operator.forward(prior.image())
    return y + sigma_y * torch.randn(y.shape, generator=seeded(9), dtype=torch.float64)


def exact_moments(solver, prior, y, operator, draws, **given):
    """The mean and covariance of all answers of a solver that is affine in its noise."""
    probe = Probe(draws)
    x = solver(prior, y.expand(len(probe), *y.shape[1:]), operator, steps=None, generator=probe, **given)
    return probe.moments(x)


def errors(moments, truth):
    return [float((found - true).norm() / true.norm()) for found, true in zip(moments, truth, strict=True)]


def by_the_paper(prior, y, operator, sigma_y, eta, eta_b, draws):
    """DDRM in the singular basis, one direction at a time, as section 3.2 has it."""
    a = matrix(operator)
    u, s, vt = torch.linalg.svd(a)
    s = torch.cat([s, torch.zeros(D - len(s), dtype=s.dtype)])
    s = torch.where(s > 1e-8, s, 0)
    spectral = torch.zeros(D, dtype=torch.float64)
    spectral[: len(a)] = u.T @ y.flatten()
    y_bar = [float(spectral[i] / s[i]) if s[i] > 0 else 0.0 for i in range(D)]
    sigmas = [*reversed(prior.sigmas), 0.0]
    noises = [vt @ draws.randn((1, D), torch.float64).flatten() for _ in prior.sigmas]
    x_bar = torch.empty(D, dtype=torch.float64)
    for i in range(D):
        clear = s[i] > 0 and sigmas[0] >= sigma_y / s[i]
        spread = math.sqrt(sigmas[0] ** 2 - (sigma_y / s[i]) ** 2) if clear else sigmas[0]
        x_bar[i] = (y_bar[i] if clear else 0.0) + spread * noises[0][i]
    for k, (before, sigma) in enumerate(pairwise(sigmas)):
        x_hat = vt @ prior.restore((vt.T @ x_bar).reshape(1, *SHAPE), len(prior.sigmas) - k).flatten()
        old, x_bar = x_bar, x_bar.clone()
        for i in range(D):
            z = noises[k + 1][i] if sigma > 0 else 0.0
            if s[i] == 0:
                mean = x_hat[i] + math.sqrt(1 - eta**2) * sigma * (old[i] - x_hat[i]) / before
                x_bar[i] = mean + eta * sigma * z
            elif sigma < sigma_y / s[i]:
                mean = x_hat[i] + math.sqrt(1 - eta**2) * sigma * (y_bar[i] - x_hat[i]) / (sigma_y / s[i])
                x_bar[i] = mean + eta * sigma * z
            else:
                mean = (1 - eta_b) * x_hat[i] + eta_b * y_bar[i]
                x_bar[i] = mean + math.sqrt(sigma**2 - (sigma_y / s[i] * eta_b) ** 2) * z
    return (vt.T @ x_bar).reshape(1, *SHAPE)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("sigma_y", "eta", "eta_b"), [(0.0, 0.85, 1.0), (0.2, 0.85, 1.0), (0.5, 0.3, 0.7)])
def test_ddrm_is_the_papers_in_every_singular_direction(name, sigma_y, eta, eta_b):
    operator, prior = OPERATORS[name], gaussian(correlated(), 8, 0.05)
    y = measured(prior, operator, sigma_y)
    x = ddrm(prior, y, operator, sigma_y=sigma_y, eta=eta, eta_b=eta_b, generator=Streams(3, 1))
    truth = by_the_paper(prior, y, operator, sigma_y, eta, eta_b, Streams(3, 1))
    torch.testing.assert_close(x, truth, rtol=0, atol=1e-9)


def test_ddrm_takes_directions_fainter_than_its_first_level_for_noise():
    operator, prior = Identity(), gaussian(WHITE, 6, 0.01, 0.5)
    y = measured(prior, operator, 2.0)
    x = ddrm(prior, y, operator, sigma_y=2.0, generator=Streams(3, 1))
    torch.testing.assert_close(x, by_the_paper(prior, y, operator, 2.0, 0.85, 1.0, Streams(3, 1)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["mask", "downsample", "grayscale"])
def test_ddrm_of_white_images_without_noise_tends_to_the_posterior(name):
    """Seen directions are known, and the unseen ones, independent of them, follow DDIM's path: first order in the steps."""
    operator = OPERATORS[name]

    def off(levels):
        prior = gaussian(WHITE, levels)
        y = measured(prior, operator, 0.0)
        truth = prior.posterior(y, operator, 0.0)
        start = MEAN.reshape(1, *SHAPE).expand(
            1 + levels * D, *SHAPE
        )  # so that no mean is lost at a finite first level
        return errors(exact_moments(ddrm, prior, y, operator, levels, eta=0.0, start=start), truth)

    (mean, covariance), (finer_mean, finer) = off(20), off(40)
    assert max(mean, finer_mean) < 1e-9
    assert finer < 0.6 * covariance < 0.15


@pytest.mark.parametrize(("name", "bound"), [("identity", 0.05), ("mask", 0.3), ("downsample", 0.3), ("blur", 0.5)])
def test_ddrm_of_noisy_measurements_comes_near_the_posterior_mean(name, bound):
    """No exact sampler: means are off by up to half of what was to learn, and spreads fall short by up to a half."""
    operator, prior = OPERATORS[name], gaussian(correlated(), 20)
    y = measured(prior, operator, 0.2)
    mean, covariance = prior.posterior(y, operator, 0.2)
    found, spread = exact_moments(ddrm, prior, y, operator, 20, sigma_y=0.2)
    assert float((found - mean).norm()) < bound * float((MEAN - mean).norm())
    assert 0.4 < float((spread.trace() / covariance.trace()).sqrt()) < 1.1


@pytest.mark.parametrize("name", OPERATORS)
def test_ddrm_without_noise_agrees_with_the_measurement(name):
    operator, prior = OPERATORS[name], gaussian(correlated(), 30)
    y = operator.forward(torch.cat([prior.image(seed) for seed in range(2)]))
    x = ddrm(prior, y, operator, generator=seeded())
    torch.testing.assert_close(operator.forward(x), y, rtol=0, atol=1e-10)
    single = ddrm(DenoiserPrior(lambda x_t, t: 0.9 * x_t, LinearVP()), y.float(), operator, generator=seeded())
    assert single.dtype == torch.float32
    torch.testing.assert_close(operator.forward(single), y.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_guidance_is_exact_for_white_images_in_the_limit_of_small_steps(name, eta):
    operator, sigma_y = OPERATORS[name], 0.2

    def off(levels):
        prior = gaussian(WHITE, levels)
        y = measured(prior, operator, sigma_y)
        given = dict(sigma_y=sigma_y, spread=math.sqrt(0.5), eta=eta)
        draws = levels if eta else 1
        return errors(
            exact_moments(posterior_sampling, prior, y, operator, draws, **given), prior.posterior(y, operator, sigma_y)
        )

    coarse, fine = (off(k) for k in ((20, 40) if eta else (40, 80)))
    assert fine[0] < 0.05  # the first level is finite and forgets the mean but for a share
    assert fine[1] < 0.6 * coarse[1] < 0.25


@pytest.mark.parametrize(("name", "spread", "bound"), [("mask", 1.0, 0.2), ("mask", math.inf, 0.4), ("blur", 1.0, 0.3)])
def test_guidance_comes_near_the_posterior_of_correlated_images(name, spread, bound):
    """These are not spread alike in all directions, so means are off by up to 0.4 of what was to learn."""
    operator, prior = OPERATORS[name], gaussian(correlated(), 60)
    y = measured(prior, operator, 0.2)
    mean, covariance = prior.posterior(y, operator, 0.2)
    found, around = exact_moments(posterior_sampling, prior, y, operator, 1, sigma_y=0.2, spread=spread, eta=0.0)
    assert float((found - mean).norm()) < bound * float((MEAN - mean).norm())
    assert 0.8 < float((around.trace() / covariance.trace()).sqrt()) < 1.25


@pytest.mark.parametrize("solver", [ddrm, posterior_sampling])
@pytest.mark.parametrize(
    "operator", [Compose(Grayscale(), Downsample(2)), Compose(BLUR, Downsample(2)), BLUR], ids=["grey", "small", "blur"]
)
def test_answers_depend_on_the_seed_alone(solver, operator):
    prior = gaussian(correlated(), 20)
    y = operator.forward(torch.cat([prior.image(seed) for seed in range(3)]))
    all_three = solver(prior, y, operator, sigma_y=0.1, generator=Streams(4, 3))
    assert all_three.shape == (3, *SHAPE)
    again = solver(prior, y, operator, sigma_y=0.1, generator=Streams(4, 3))
    torch.testing.assert_close(all_three, again, rtol=0, atol=0)
    alone = solver(prior, y[1:2], operator, sigma_y=0.1, generator=Streams(4, [1]))
    torch.testing.assert_close(alone, all_three[1:2], rtol=0, atol=1e-10)
    one, other = (solver(prior, y, operator, sigma_y=0.1, generator=seeded(s)) for s in (0, 1))
    assert not torch.equal(one, other)


def test_compositions_agree_without_noise_too():
    operator, prior = Compose(Grayscale(), Downsample(2)), gaussian(correlated(), 20)
    y = operator.forward(prior.image())
    torch.testing.assert_close(operator.forward(ddrm(prior, y, operator, generator=seeded())), y, rtol=0, atol=1e-10)


def test_guidance_stays_bounded_where_images_are_hundreds_of_times_wider_along_some_directions():
    basis, _ = torch.linalg.qr(torch.randn(D, D, generator=seeded(1), dtype=torch.float64))
    prior = gaussian((basis * torch.logspace(-2, 2.5, D, dtype=torch.float64)) @ basis.T, 60)
    y = measured(prior, BLUR, 0.1)
    mean, _ = prior.posterior(y, BLUR, 0.1)
    usual, narrow = (
        exact_moments(posterior_sampling, prior, y, BLUR, 1, sigma_y=0.1, eta=0.0, spread=spread)[0]
        for spread in (math.inf, 0.5)
    )
    assert float((usual - mean).norm() / mean.norm()) < 0.1
    assert float((narrow - mean).norm() / mean.norm()) > 1e3  # a spread that is too small overshoots, step after step


@pytest.mark.parametrize("solver", [ddrm, posterior_sampling])
def test_walks_visit_the_levels_asked_for_and_tell_of_them(solver):
    visits, told, seen = [], [], []

    class Watched(GaussianPrior):
        def restore(self, y, level, generator=None):
            visits.append(level)
            return super().restore(y, level, generator)

    prior = Watched(MEAN, WHITE, gaussian(WHITE, 100).sigmas)
    y = measured(prior, Identity(), 0.1)
    x = solver(
        prior, y, Identity(), sigma_y=0.1, steps=5, first=81, generator=seeded(),
        progress=lambda done, steps: told.append((done, steps)), watch=lambda done, steps, state: seen.append(state),
    )  # fmt: skip
    assert visits == [81, 61, 41, 21, 1]
    assert told == [(k, 5) for k in range(1, 6)]
    assert seen[-1] is x
    assert not x.requires_grad


def test_guidance_works_where_gradients_are_off():
    prior, operator = gaussian(WHITE, 10), Downsample(2)
    y = measured(prior, operator, 0.1)
    plain = posterior_sampling(prior, y, operator, sigma_y=0.1, generator=Streams(0, 1))
    with torch.inference_mode():
        y = y.clone()
        inferred = posterior_sampling(prior, y, operator, sigma_y=0.1, generator=Streams(0, 1))
    torch.testing.assert_close(inferred, plain, rtol=0, atol=0)


def test_guidance_says_when_no_gradient_reaches_through():
    prior = DenoiserPrior(torch.no_grad()(lambda x_t, t: 0.9 * x_t), LinearVP())
    with pytest.raises(ConfigError, match="follows the gradient through the prior"):
        posterior_sampling(prior, torch.zeros(1, *SHAPE), Identity())


@pytest.mark.parametrize(
    ("solver", "given", "words"),
    [
        (ddrm, {"eta": 1.1}, "eta and eta_b lie in"),
        (ddrm, {"eta_b": -0.1}, "eta and eta_b lie in"),
        (ddrm, {"steps": 0}, "0 steps were asked for"),
        (ddrm, {"first": 31}, "levels 1 to 30"),
        (ddrm, {"sigma_y": math.inf}, "sigma_y"),
        (posterior_sampling, {"eta": 2.0}, "eta lies in"),
        (posterior_sampling, {"spread": 0.0}, "spread is above 0"),
        (posterior_sampling, {"strength": -1.0}, "strength 0 or more"),
        (posterior_sampling, {"first": 0}, "levels 1 to 30"),
    ],
)
def test_arguments_out_of_range_are_refused(solver, given, words):
    with pytest.raises(ConfigError, match=words):
        solver(gaussian(WHITE, 30), torch.zeros(1, *SHAPE, dtype=torch.float64), Identity(), **given)
