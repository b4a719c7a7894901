"""A denoiser under any schedule as a prior, against Gaussians whose estimate is known."""

import math

import pytest
import torch
from analytic import Gaussian, White
from gaussian_images import SHAPE as SHAPE3
from gaussian_images import D, Probe
from seeds import seeded

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.covariance import free_field
from unveil.inverse import DenoiserPrior, ddrm, posterior_sampling
from unveil.operators import Downsample, Grayscale, Identity
from unveil.schedules import Discrete, GeometricVE, LinearVP

SCHEDULES = {
    "vp": LinearVP(),
    "ve": GeometricVE(0.01, 50),
    "ve-steps": GeometricVE(0.01, 50, 232),
    "ddpm": Discrete.linear(),
    "short": Discrete.linear(50),
    "cosine": Discrete.cosine(),
}
SHAPE = (1, 4, 4)


def prior_of(name, **given):
    return DenoiserPrior(White(0.2, 0.3, SCHEDULES[name]).denoiser(), SCHEDULES[name], **given)


@pytest.mark.parametrize("name", SCHEDULES)
def test_restoring_a_gaussian_is_its_closed_form_at_every_level(name):
    prior = prior_of(name)
    y = torch.randn(2, *SHAPE, generator=seeded(), dtype=torch.float64)
    for level, sigma in enumerate(prior.sigmas, 1):
        truth = 0.2 + 0.3 / (0.3 + sigma**2) * (y - 0.2)
        torch.testing.assert_close(prior.restore(y, level), truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_rise_in_even_ratios_up_to_the_largest(name):
    prior = prior_of(name, levels=40)
    sigmas = torch.tensor(prior.sigmas, dtype=torch.float64)
    ratios = sigmas.log().diff()
    assert bool((ratios > 0).all())
    steps = getattr(SCHEDULES[name], "steps", None)
    alpha, sigma = SCHEDULES[name](prior.times)
    torch.testing.assert_close(sigma / alpha, sigmas, rtol=1e-12, atol=0)
    if steps is None:
        assert len(sigmas) == 40
        torch.testing.assert_close(ratios, ratios.mean().expand_as(ratios), rtol=1e-6, atol=0)
    else:  # the schedule's own steps, each once
        assert 20 < len(sigmas) <= 40
        torch.testing.assert_close(prior.times * steps, (prior.times * steps).round(), rtol=0, atol=1e-9)
        assert float(prior.times[0]) == pytest.approx(1 / steps)
    if "ve" in name:
        assert prior.sigmas[-1] == pytest.approx(50)
    else:
        assert 60 < prior.sigmas[-1] <= 80 * (1 + 1e-9)


def test_the_network_sees_unscaled_noise_scaled_as_its_schedule_has_it():
    seen = []
    prior = DenoiserPrior(lambda x_t, t: seen.append((x_t, t)) or x_t, LinearVP(), levels=10)
    y = torch.randn(1, *SHAPE, generator=seeded())
    for level, sigma in enumerate(prior.sigmas, 1):
        prior.restore(y, level)
        x_t, t = seen[-1]
        alpha, noise = LinearVP()(t)
        assert float(noise / alpha) == pytest.approx(sigma, rel=1e-9)
        torch.testing.assert_close(x_t, alpha.float() * y)


def test_degrading_adds_coloured_noise_of_the_level():
    schedule, cov = LinearVP(), free_field(4, 4)
    prior = DenoiserPrior(lambda x_t, t: x_t, schedule, cov=cov)
    x = torch.randn(3, *SHAPE, generator=seeded(), dtype=torch.float64)
    noise = cov.sqrt(Streams(2, 3).randn(x.shape, torch.float64))
    worse = prior.degrade(x, 30, Streams(2, 3), scale=0.99)
    torch.testing.assert_close(worse, x + 0.99 * prior.sigmas[29] * noise)
    assert prior.degrade(x, 30, scale=0.0) is x


def test_guidance_steps_with_the_colour_of_the_noise():
    """Where a measurement says little beside the noise it holds, the covariance of images is all that directs the step."""
    schedule, cov, sigma_y = GeometricVE(0.003, 50), free_field(4, 4), 8.0
    clean = Gaussian(torch.zeros(SHAPE3, dtype=torch.float64), torch.zeros(D, D), schedule, cov)
    images = Gaussian(clean.mean, 0.5 * clean.dense_noise(), schedule, cov)
    prior = DenoiserPrior(images.denoiser(), schedule, cov=cov)
    y = torch.randn(1, *SHAPE3, generator=seeded(4), dtype=torch.float64)
    probe = Probe(1)
    x = posterior_sampling(
        prior, y.expand(len(probe), *SHAPE3), Identity(), sigma_y=sigma_y, spread=math.sqrt(0.5), eta=0.0, steps=None,
        start=torch.zeros(len(probe), *SHAPE3), generator=probe,
    )  # fmt: skip
    mean, covariance = probe.moments(x)
    gain = images.cov_data @ torch.linalg.inv(images.cov_data + sigma_y**2 * torch.eye(D, dtype=torch.float64))
    truth = gain @ y.flatten()
    assert float((mean - truth).norm() / truth.norm()) < 0.05
    remaining = images.cov_data - gain @ images.cov_data
    assert float((covariance - remaining).norm() / remaining.norm()) < 0.08


@pytest.mark.parametrize("solver", [ddrm, posterior_sampling])
@pytest.mark.parametrize("name", ["vp", "ve"])
def test_solvers_take_denoisers_of_any_schedule(solver, name):
    """White images: what is seen without noise is known, and what is not has the prior's mean and spread."""
    prior, operator = prior_of(name), Downsample(2)
    y = torch.tensor([[[[0.5, -0.3], [0.9, 0.1]]]], dtype=torch.float64)
    given = {"eta": 0.0, "steps": None} | ({"spread": math.sqrt(0.3)} if solver is posterior_sampling else {})
    x = solver(prior, y.expand(2000, 1, 2, 2), operator, generator=Streams(0, 2000), **given)
    torch.testing.assert_close(operator.forward(x), y.expand(2000, 1, 2, 2), rtol=0, atol=1e-3)
    hidden = x - operator.pinv(operator.forward(x))
    assert float(hidden.mean(0).abs().max()) < 5 * math.sqrt(0.3 * 0.75 / 2000)
    # 3 of 4 directions are hidden; 24,000 numbers, and 100 steps of DDIM lose some 5 percent.
    assert float(hidden.square().mean()) == pytest.approx(0.3 * 0.75, rel=0.09)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"levels": 1}, "2 or more noise levels"), ({"largest": 0.001}, "largest=0.001"), ({"largest": math.nan}, "nan")],
)
def test_arguments_out_of_range_are_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        prior_of("vp", **given)


@pytest.mark.parametrize("level", [0, 101])
def test_levels_that_are_none_are_refused(level):
    with pytest.raises(ConfigError, match=f"levels 1 to 100; it was asked for level {level}"):
        prior_of("vp").restore(torch.zeros(1, *SHAPE), level)


def test_colour_is_restored_of_a_grey_measurement():
    prior = DenoiserPrior(White(0.0, 0.3, LinearVP()).denoiser(), LinearVP())
    grey = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    assert ddrm(prior, grey, Grayscale(), generator=seeded()).shape == (2, 3, 4, 4)
