"""Samplers that follow an equation in continuous time, against marginals that are known."""

import math

import pytest
import torch
from analytic import Gaussian, White
from seeds import seeded

from unveil.core.random import Streams
from unveil.covariance import Identity, free_field
from unveil.samplers import (
    ddim,
    encode,
    probability_flow,
    reverse_sde,
    slerp,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP, even

LINEAR, COSINE, VP = Discrete.linear(), Discrete.cosine(), LinearVP()
VE = GeometricVE(0.01, 50, 232)
END = torch.zeros(1, dtype=torch.float64)


def spectrum_gaussian():
    lam = torch.exp(torch.randn(64, generator=seeded(3), dtype=torch.float64) * 0.7)
    q, _ = torch.linalg.qr(torch.randn(64, 64, generator=seeded(4), dtype=torch.float64))
    return (q * lam) @ q.T


@pytest.mark.parametrize("colour", ["white", "free field"])
def test_sde_and_ode_samplers_reach_the_marginal(colour):
    """The covariance of the state at t_eps, found by pushing a basis through the (affine) sampler."""
    cov = Identity() if colour == "white" else free_field(8, 8)
    data = Gaussian(torch.zeros(1, 8, 8).double(), spectrum_gaussian(), VP, cov)
    denoise, sig = data.denoiser(), data.dense_noise()
    alpha, sigma = VP(torch.tensor(1e-3, dtype=torch.float64))
    marginal = alpha**2 * data.cov_data + sigma**2 * sig
    a, s = VP(END + 1)
    root = torch.linalg.cholesky(a**2 * data.cov_data + s**2 * sig)  # so that only the solver errs
    basis = root.T.reshape(64, 1, 8, 8)

    def worst(final):
        jacobian = final.reshape(64, 64)
        reached = jacobian.T @ jacobian
        return float((torch.linalg.eigvals(torch.linalg.solve(marginal, reached)).real.sqrt() - 1).abs().max())

    def flow(method, steps):
        return worst(probability_flow(denoise, basis, VP, even(steps, 1.0, 1e-3), method=method))

    # The published bounds are for another random spectrum: a fifth is left for that.
    assert flow("euler", 100) < 1.2 * 0.041
    assert flow("euler", 500) < 1.2 * 0.0083
    assert flow("euler", 1000) < 1.2 * 0.0042
    assert flow("heun", 100) < 1.2 * 0.0043
    assert flow("heun", 500) < 1.2 * 2e-4
    assert flow("heun", 1000) < 1.2 * 7e-5
    assert worst(probability_flow(denoise, basis, VP, even(1, 1.0, 1e-3), method="rk45", rtol=1e-8, atol=1e-8)) < 1e-5

    def em(steps):
        """The marginal that Euler and Maruyama reach, exactly: each step is linear, and its fresh noise is Sig."""
        cover, times = root @ root.T, even(steps, 1.0, 1e-3)
        _, diffusions = VP.rates(times)
        for k in range(steps):
            pair = times[k : k + 2]
            still = reverse_sde(denoise, EYE, VP, pair, cov=cov, generator=Hush(0, 64)).reshape(64, 64)
            cover = still.T @ cover @ still + diffusions[k] * (pair[0] - pair[1]) * sig
        return float((torch.linalg.eigvals(torch.linalg.solve(marginal, cover)).real.sqrt() - 1).abs().max())

    assert em(100) < 1.2 * 0.022
    assert em(500) < 1.2 * 0.0032


class Hush(Streams):
    """Draws zeros."""

    def randn(self, shape, dtype=torch.float32):
        return torch.zeros(*shape, dtype=dtype)


EYE = torch.eye(64, dtype=torch.float64).reshape(64, 1, 8, 8)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_ode_samplers_converge_at_their_order(method, order):
    """Away from t = 0 the flow of a Gaussian is smooth, and its end is known."""
    denoise, x = White(0.0, 0.25, VP).denoiser(), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    alpha, sigma = VP(torch.tensor([1.0, 0.3], dtype=torch.float64))
    total = (0.25 * alpha**2 + sigma**2).sqrt()
    exact = float(total[1] / total[0])

    def error(steps):
        return abs(float(probability_flow(denoise, x, VP, even(steps, 1.0, 0.3), method=method)) - exact)

    assert math.log2(error(40) / error(80)) == pytest.approx(order, abs=0.35)


def test_ddim_is_a_first_order_solver_of_the_flow():
    denoise, x = White(0.0, 0.25, VP).denoiser(), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    alpha, sigma = VP(torch.tensor([1.0, 0.3], dtype=torch.float64))
    total = (0.25 * alpha**2 + sigma**2).sqrt()

    def error(steps):
        return abs(float(ddim(denoise, x, VP, even(steps, 1.0, 0.3))) - float(total[1] / total[0]))

    assert math.log2(error(100) / error(200)) == pytest.approx(1, abs=0.1)


def test_encoding_and_decoding_are_inverse():
    denoise = White(0.2, 0.3, VP).denoiser()
    x = torch.randn(4, 1, 2, 2, generator=seeded(), dtype=torch.float64) * 0.5
    times = even(200, 1.0, 0.01).flip(0)
    latent = encode(denoise, x, VP, times, method="rk4")
    back = probability_flow(denoise, latent, VP, times.flip(0), method="rk4")
    torch.testing.assert_close(back, x, rtol=0, atol=1e-6)


def test_slerp_keeps_the_spread_of_noise():
    cov = free_field(16, 16)
    a, b = (cov.sqrt(torch.randn(500, 1, 16, 16, generator=seeded(s))) for s in (0, 1))
    assert torch.allclose(slerp(a, b, 0.0, cov), a, atol=1e-4)
    assert torch.allclose(slerp(a, b, 1.0, cov), b, atol=1e-4)
    assert float(slerp(a, b, 0.5, cov).var()) == pytest.approx(1, abs=0.05)
    assert torch.allclose(slerp(a, a, 0.3, cov), a, atol=1e-4)
