import math

import pytest
import torch
from analytic import Gaussian

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.covariance import Dense, Identity, free_field
from unveil.samplers import log_likelihood
from unveil.schedules import GeometricVE, LinearVP


def spectrum(seed=3):
    lam = torch.exp(torch.randn(64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.5)
    q, _ = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    return (q * lam) @ q.T


def truth(data, x):
    """ln N(x; mean, cov) where the data's own distribution is known."""
    normal = torch.distributions.MultivariateNormal(data.mean.flatten(), covariance_matrix=data.cov_data)
    return normal.log_prob(x.flatten(1))


@pytest.mark.parametrize("colour", ["white", "free field", "cholesky"])
@pytest.mark.parametrize(
    ("schedule", "tol", "bound"),
    [(LinearVP(), 1e-8, 1e-5), (LinearVP(), 1e-5, 7e-4), (GeometricVE(0.01, 50), 1e-6, 2e-3)],
)
def test_likelihood_of_a_gaussian(colour, schedule, tol, bound):
    cov = {"white": Identity(), "free field": free_field(8, 8), "cholesky": Dense(spectrum(5), root="cholesky")}[colour]
    data = Gaussian(torch.zeros(1, 8, 8).double(), 0.3 * spectrum(), schedule, cov)
    x = torch.distributions.MultivariateNormal(data.mean.flatten(), covariance_matrix=data.cov_data).sample((2,))
    found = log_likelihood(
        data.denoiser(), x.reshape(2, 1, 8, 8), schedule, cov=cov, trace="exact", rtol=tol, atol=tol, t_eps=1e-5
    )
    # The solver carries the density of the state at t_eps, and takes the state at t = 1 for pure noise. What both differ
    # by from the data's density and from the truth is known and small; the rest is the solver's error.
    ends = torch.tensor([1e-5, 1.0], dtype=torch.float64)
    (alpha_0, alpha_1), (sigma_0, sigma_1) = schedule(ends)
    sig, c = data.dense_noise(), data.cov_data

    def density(state, cov):
        return torch.distributions.MultivariateNormal(data.mean.flatten(), covariance_matrix=cov).log_prob(state)

    latent = found.latent.flatten(1)
    first = density(x, alpha_0**2 * c + sigma_0**2 * sig)
    last = density(latent, sigma_1**2 * sig) - density(latent, alpha_1**2 * c + sigma_1**2 * sig)
    assert float((first - truth(data, x)).abs().max()) < 0.02
    assert float(last.abs().max()) < 0.02
    error = (found.nats - last - first).abs().max()
    assert float(error) < bound  # nats, of 64 dimensions
    assert float(error) / (64 * math.log(2)) < 1e-3  # bits per dimension


def test_data_distributed_like_the_noise_need_no_flow():
    cov = free_field(8, 8)
    sig = cov.apply(torch.eye(64, dtype=torch.float64).reshape(64, 8, 8)).reshape(64, 64)
    data = Gaussian(torch.zeros(1, 8, 8).double(), sig, LinearVP(), cov)
    x = cov.sqrt(torch.randn(3, 1, 8, 8, dtype=torch.float64))
    found = log_likelihood(data.denoiser(), x, LinearVP(), cov=cov, trace="exact")
    torch.testing.assert_close(found.latent, x, rtol=0, atol=1e-4)
    assert float((found.nats - truth(data, x)).abs().max()) < 2e-3


def test_hutchinson_averages_to_the_exact_trace():
    data = Gaussian(torch.zeros(1, 8, 8).double(), spectrum(), LinearVP())
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    exact = log_likelihood(data.denoiser(), x, LinearVP(), trace="exact").nats
    many = torch.cat(
        [
            log_likelihood(
                data.denoiser(), x.expand(200, 1, 8, 8), LinearVP(), trace="hutchinson", generator=Streams(0, 200)
            ).nats
        ]
    )
    assert float(many.mean()) == pytest.approx(float(exact), abs=4 * float(many.std()) / math.sqrt(200))
    averaged = log_likelihood(
        data.denoiser(), x, LinearVP(), trace="hutchinson", probes=4, generator=torch.Generator().manual_seed(0)
    )
    assert float(averaged.nats) == pytest.approx(float(exact), abs=3 * float(many.std()))


def test_a_likelihood_does_not_depend_on_its_batch():
    data = Gaussian(torch.zeros(1, 8, 8).double(), spectrum(), LinearVP())
    x = torch.randn(5, 1, 8, 8, dtype=torch.float64)

    def find(rows):
        return log_likelihood(
            data.denoiser(), x[rows], LinearVP(), trace="hutchinson", generator=Streams(1, range(5)[rows])
        ).nats

    torch.testing.assert_close(torch.cat([find(slice(0, 2)), find(slice(2, 5))]), find(slice(0, 5)), rtol=0, atol=1e-8)


def test_bits_per_dimension_of_a_uniform_density():
    """A density that is flat over [-1, 1]^D says 8 bits of 256 levels."""
    data = Gaussian(torch.zeros(1, 8, 8).double(), spectrum(), LinearVP())
    found = log_likelihood(data.denoiser(), torch.zeros(1, 1, 8, 8).double(), LinearVP(), trace="exact")
    flat = type(found)(torch.tensor([-64 * math.log(2)]), found.latent, 0)
    assert float(flat.bits_per_dim()) == pytest.approx(8)
    assert float(flat.bits_per_dim(data_range=1.0)) == pytest.approx(9)


def test_data_without_a_density_are_refused():
    data = Gaussian(torch.zeros(1, 8, 8).double(), spectrum(), LinearVP())
    with pytest.raises(DataError, match="dequantised"):
        log_likelihood(data.denoiser(), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), LinearVP())
    with pytest.raises(DataError, match="finite"):
        log_likelihood(data.denoiser(), torch.full((1, 1, 8, 8), math.nan), LinearVP())
    with pytest.raises(ConfigError, match="probes"):
        log_likelihood(data.denoiser(), torch.zeros(1, 1, 8, 8), LinearVP(), probes=0)
    empty = log_likelihood(data.denoiser(), torch.zeros(0, 1, 8, 8), LinearVP())
    assert empty.nats.shape == (0,)
