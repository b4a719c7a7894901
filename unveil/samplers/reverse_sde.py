"""The reverse-time stochastic differential equation, plain and corrected."""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Denoiser, Schedule
from unveil.core.random import Randomness, randn_like
from unveil.core.shapes import expand_as
from unveil.covariance import Identity
from unveil.samplers.walk import Clip, Walk, Watch, estimate


@torch.no_grad()
def reverse_sde(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Solve dx = (f x - g2 Sig score) dt + sqrt(g2) R dw backwards in time by Euler and Maruyama's method.

    Arguments and result are those of `ddim`.

    Source: Anderson (1982); Song et al. (2021), arXiv:2011.13456, eq. 6.
    """
    return _walk(denoise, x, Walk(schedule, times, watch), 0, 0.0, cov, generator, clip)


@torch.no_grad()
def predictor_corrector(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    corrections: int = 1,
    snr: float = 0.16,
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Before each step of the reverse SDE, let Langevin steps correct the state at its own time.

    Args:
        corrections: Langevin steps per time.
        snr: how large they are, relative to the noise that comes with them.

    Other arguments, and the result, are those of `ddim`. The step size is each sample's own; the published one is
    averaged over the batch, which makes a sample depend on its batch mates. It is measured on whitened scores, so that
    every covariance gets the same steps.

    Source: Song et al. (2021), arXiv:2011.13456, algorithms 2 to 5.
    """
    if corrections < 0 or snr <= 0:
        raise ConfigError(f"A corrector takes 0 or more steps with snr above 0; it got {corrections} and {snr}.")
    return _walk(denoise, x, Walk(schedule, times, watch), corrections, snr, cov, generator, clip)


def _walk(
    denoise: Denoiser,
    x: Tensor,
    walk: Walk,
    corrections: int,
    snr: float,
    cov: Covariance,
    generator: Randomness,
    clip: Clip | None,
) -> Tensor:
    drifts, diffusions = (rates.tolist() for rates in walk.schedule.rates(walk.times))
    for k in range(len(walk)):
        t, sigma = walk.moments[k], float(walk.sigmas[k])
        for _ in range(corrections):
            _, n_hat = estimate(denoise, x, t, walk.at(k), clip)
            z = randn_like(x, generator)
            score = cov.inv_sqrt(n_hat).flatten(1).norm(dim=1) / sigma  # of the whitened state
            kept = float(walk.alphas[k] / walk.alphas[k + 1]) ** 2  # 1 - beta of this step; 1 where variance explodes
            delta = expand_as(2 * kept * (snr * z.flatten(1).norm(dim=1) / score) ** 2, x)
            x = x - delta / sigma * n_hat + (2 * delta).sqrt() * cov.sqrt(z)
        x_hat, n_hat = estimate(denoise, x, t, walk.at(k), clip)
        if walk.clean(k + 1):
            x = walk.told(k, x_hat)
            break
        dt = float(t - walk.moments[k + 1])
        mean = n_hat.mul_(-dt * diffusions[k] / sigma).add_(x, alpha=1 - dt * drifts[k])
        fresh = cov.sqrt(randn_like(x, generator))
        x = walk.told(k, mean.add_(fresh, alpha=math.sqrt(diffusions[k] * dt)))
    return walk.arrived(x)
