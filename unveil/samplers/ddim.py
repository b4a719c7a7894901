"""The step that most samplers are: estimate the data, keep some of the noise, renew the rest.

x_u = alpha_u x_hat + kappa n_hat + tau R z with kappa^2 + tau^2 = sigma_u^2.
"""

from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Denoiser, Schedule
from unveil.core.random import Randomness, randn_like
from unveil.covariance import Identity
from unveil.samplers.walk import Clip, Walk, Watch, estimate


@torch.no_grad()
def ddim(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    eta: float = 0.0,
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Walk x from times[0] down to times[-1]; eta = 0 is an ODE's path, eta = 1 draws ancestral samples.

    Args:
        denoise: (x_t, t) -> E[x | x_t].
        x: the state at times[0], (B, ...).
        schedule: t -> (alpha, sigma).
        times: (S + 1,), descending; a last time of 0 gives data without noise.
        eta: share of the ancestral noise that is renewed, in [0, 1].
        cov: covariance of the noise; coloured noise enters only through it.
        generator: where renewed noise comes from.
        clip: range to keep the estimates in.
        watch: told of each step.

    Returns:
        The state at times[-1], (B, ...).

    Source: Song et al. (2021), arXiv:2010.02502, eq. 12 and 16.
    """
    if not 0 <= eta <= 1:
        raise ConfigError(f"DDIM's eta lies in [0, 1], from deterministic to ancestral; it got {eta}.")
    return _walk(denoise, x, Walk(schedule, times, watch), eta, "small", cov, generator, clip)


@torch.no_grad()
def ancestral(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    variance: Literal["small", "large"] = "small",
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Walk the reverse Markov chain, with variances of the pairs of times visited, not of the chain trained on.

    Args:
        variance: "small" is the posterior's (beta-tilde), "large" the forward step's (beta). With few steps of a learned
            network "large" is far worse.

    Other arguments, and the result, are those of `ddim`; "small" equals `ddim` with eta = 1.

    Source: Ho et al. (2020), arXiv:2006.11239, algorithm 2 and section 3.2.
    """
    if variance not in ("small", "large"):
        raise ConfigError(f"Ancestral sampling has variance small or large; it got {variance!r}.")
    return _walk(denoise, x, Walk(schedule, times, watch), 1.0, variance, cov, generator, clip)


def _walk(
    denoise: Denoiser,
    x: Tensor,
    walk: Walk,
    eta: float,
    variance: str,
    cov: Covariance,
    generator: Randomness,
    clip: Clip | None,
) -> Tensor:
    (alpha_t, alpha_u), (sigma_t, sigma_u) = ((c[:-1], c[1:]) for c in (walk.alphas, walk.sigmas))  # of all steps
    kept = alpha_t * sigma_u / (alpha_u * sigma_t)  # the noise of u that t still has
    renewed = eta * sigma_u * (1 - kept**2).clamp(min=0).sqrt()
    stays = (sigma_u**2 - renewed**2).clamp(min=0).sqrt()
    if variance == "large":
        renewed = (sigma_t**2 - (alpha_t / alpha_u * sigma_u) ** 2).clamp(min=0).sqrt()
    draws = (renewed > 0).tolist()
    for k, (kappa, tau) in enumerate(zip(stays.unbind(), renewed.unbind(), strict=True)):
        x_hat, n_hat = estimate(denoise, x, walk.moments[k], walk.at(k), clip)
        if walk.clean(k + 1):
            x = walk.told(k, x_hat)
            break
        x_u = (walk.at(k + 1)[0] * x_hat).add_(n_hat.mul_(kappa))
        if draws[k]:
            x_u.add_(tau * cov.sqrt(randn_like(x, generator)))
        x = walk.told(k, x_u)
    return walk.arrived(x)
