"""What a diffusion predicts, and what follows from it, against known answers."""

import math

import pytest
import torch
from analytic import Gaussian, White
from diffusion_models import COVARIANCES, LINEAR, SHAPE, VE, VP, Perfect, gaussian_data
from torch import nn

from unveil.core.errors import ConfigError
from unveil.covariance import Dense
from unveil.models.diffusion import Diffusion
from unveil.schedules import GeometricVE


@pytest.mark.parametrize("predict", ["eps", "n", "x", "v"])
@pytest.mark.parametrize("colour", COVARIANCES)
def test_every_prediction_becomes_the_same_estimates(predict, colour):
    cov = COVARIANCES[colour]
    data = gaussian_data(cov=cov)
    model = Diffusion(Perfect(data, predict, cov), LINEAR, SHAPE, cov, predict=predict)
    x_t = torch.randn(5, *SHAPE, dtype=torch.float64)
    for t in (torch.tensor(0.4, dtype=torch.float64), torch.rand(5, dtype=torch.float64) * 0.9 + 0.05):
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in LINEAR(t))
        x_hat = data.denoiser()(x_t, t)
        torch.testing.assert_close(model.denoise(x_t, t), x_hat, rtol=1e-10, atol=1e-10)
        out = model.net(x_t, t.expand(5))
        found_x, found_eps = model.convert(out, x_t, t.expand(5))
        torch.testing.assert_close(found_x, x_hat, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found_eps, cov.inv_sqrt((x_t - alpha * x_hat) / sigma), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("colour", COVARIANCES)
@pytest.mark.parametrize("schedule", [LINEAR, VE], ids=["vp", "ve"])
def test_the_score_is_the_gradient_of_the_log_density(colour, schedule):
    """-R^-T e / sigma, not -R^-1 e / sigma, which differs where R is not symmetric."""
    cov = COVARIANCES[colour]
    data = gaussian_data(schedule, cov)
    model = Diffusion(Perfect(data, "eps", cov), schedule, SHAPE, cov)
    t = torch.tensor(0.5, dtype=torch.float64)
    alpha, sigma = schedule(t)
    x_t = torch.randn(3, *SHAPE, dtype=torch.float64, requires_grad=True)
    total = alpha**2 * data.cov_data + sigma**2 * data.dense_noise()
    density = torch.distributions.MultivariateNormal(alpha * data.mean.flatten(), covariance_matrix=total)
    (gradient,) = torch.autograd.grad(density.log_prob(x_t.flatten(1)).sum(), x_t)
    torch.testing.assert_close(model.score(x_t.detach(), t), gradient, rtol=1e-7, atol=1e-7)


def test_posterior_of_dense_noise_matches_bayes():
    """The estimate of 5-pixel data under random dense noise against the matrix form of Bayes' rule."""
    g = torch.Generator().manual_seed(1)
    a, b = (torch.randn(5, 5, generator=g, dtype=torch.float64) for _ in range(2))
    cov = Dense(a @ a.T / 5 + 0.2 * torch.eye(5, dtype=torch.float64))
    c, mean = (
        b @ b.T / 5 + 0.1 * torch.eye(5, dtype=torch.float64),
        torch.randn(1, 1, 5, generator=g, dtype=torch.float64),
    )
    data = Gaussian(mean, c, LINEAR, cov)
    t = torch.tensor(0.3, dtype=torch.float64)
    alpha, sigma = LINEAR(t)
    x_t = torch.randn(4, 1, 1, 5, dtype=torch.float64)
    precision = torch.linalg.inv(c) + alpha**2 / sigma**2 * torch.linalg.inv(data.dense_noise())
    informed = (
        torch.linalg.solve(c, mean.flatten())
        + alpha / sigma**2 * torch.linalg.solve(data.dense_noise(), x_t.flatten(1).T).T
    )
    bayes = torch.linalg.solve(precision, informed.T).T
    model = Diffusion(Perfect(data, "eps", cov), LINEAR, (1, 1, 5), cov)
    torch.testing.assert_close(model.denoise(x_t, t).flatten(1), bayes, rtol=0, atol=1e-11)


def test_the_expected_denoised_sample_is_unbiased():
    data = White(0.7, 0.3, VP)
    t = torch.tensor(0.25, dtype=torch.float64)
    alpha, sigma = VP(t)
    x = 0.7 + 0.3**0.5 * torch.randn(400_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = alpha * x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert float(data.denoiser()(x_t, t).mean()) == pytest.approx(0.7, abs=3e-3)


def test_the_harmonic_correction_scales_the_score():
    class One(nn.Module):
        def forward(self, x, t):
            return torch.ones_like(x)

    schedule = GeometricVE(0.01, 50, 232)
    plain = Diffusion(One(), schedule, SHAPE, condition="none")
    harmonic = Diffusion(One(), schedule, SHAPE, condition="none", harmonic=True)
    t, x = torch.tensor(0.5, dtype=torch.float64), torch.zeros(1, *SHAPE, dtype=torch.float64)
    ratio = harmonic.score(x, t) / plain.score(x, t)
    assert float(ratio.mean()) == pytest.approx(0.0840 / float(schedule(t)[1]), rel=2e-3)
    with pytest.raises(ConfigError, match="harmonic"):
        Diffusion(One(), VP, SHAPE, harmonic=True)


def test_input_scaling_and_conditioning():
    class Spy(nn.Module):
        def forward(self, x, t):
            self.seen = x, t
            return torch.zeros_like(x)

    spy = Spy()
    model = Diffusion(spy, VE, SHAPE, condition="log-sigma", sigma_data=0.5)
    t = torch.ones((), dtype=torch.float64)
    model.denoise(torch.ones(2, *SHAPE), t)
    x, told = spy.seen
    torch.testing.assert_close(x, torch.full_like(x, (0.25 + 100) ** -0.5))
    torch.testing.assert_close(told, torch.full((2,), math.log(10)))
    model = Diffusion(spy, LINEAR, SHAPE, first_index=0)
    model.denoise(torch.ones(2, *SHAPE), t)
    torch.testing.assert_close(spy.seen[1] * 1000, torch.full((2,), 999.0))
