"""Samplers that descend through noise levels by Langevin steps.

Both work on y = x / alpha at the level sigma / alpha, where every schedule is a variance-exploding one. The drift is
preconditioned with the covariance that colours the noise, so that every direction mixes at the same rate; without it a
coloured chain would settle on Sig^2 instead of Sig.
"""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Denoiser, Schedule
from unveil.core.random import Randomness, randn_like
from unveil.covariance import Identity
from unveil.samplers.walk import Clip, Walk, Watch, estimate
from unveil.schedules import langevin_step


@torch.no_grad()
def annealed_langevin(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    inner: int = 5,
    h: float | None = None,
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """At each level take `inner` Langevin steps y <- y + h s^2 Sig score + sqrt(2 h) s R z, with s = sigma / alpha.

    Args:
        inner: T, steps per level.
        h: step relative to the level's variance, in (0, 1); without one the step that carries a level's variance best to
            the next, `unveil.schedules.langevin_step`.

    Other arguments, and the result, are those of `ddim`. After the last level above 0 the state still holds noise; a grid
    that ends at 0 takes it away with one more evaluation.

    Source: Song and Ermon (2020), arXiv:2006.09011, algorithm 1.
    """
    walk = Walk(schedule, times, watch)
    levels = (walk.sigmas / walk.alphas).tolist()
    finish = walk.clean(len(walk))
    visited = len(walk) if finish else len(walk) + 1
    if inner < 1:
        raise ConfigError(f"Annealed Langevin takes 1 or more steps per level; it got inner={inner}.")
    if h is None:
        if visited < 2:
            raise ConfigError("With a single noise level the Langevin step h must be given; it lies in (0, 1).")
        ratio = (levels[0] / levels[visited - 1]) ** (1 / (visited - 1))
        h = langevin_step(ratio, inner)
    if not 0 < h < 1:
        raise ConfigError(f"The relative Langevin step h lies in (0, 1); it got {h}.")
    y = x / walk.alphas[0]
    for k in range(visited):
        (alpha, _), level = walk.at(k), levels[k]
        for _ in range(inner):
            y_hat, _ = estimate(denoise, alpha * y, walk.moments[k], walk.at(k), clip)
            y = torch.lerp(y, y_hat, h).add_(cov.sqrt(randn_like(y, generator)), alpha=math.sqrt(2 * h) * level)
        if k < len(walk) - finish:  # the last level's state is told once it is clean
            walk.told(k, alpha * y)
    x = walk.alphas[visited - 1] * y
    if finish:
        x, _ = estimate(denoise, x, walk.moments[visited - 1], walk.at(visited - 1), clip)
        walk.told(visited - 1, x)
    return walk.arrived(x)


@torch.no_grad()
def consistent_annealed(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    h: float | None = None,
    cov: Covariance = Identity(),
    generator: Randomness = None,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """One Langevin step per level whose fresh noise is scaled so that every level has exactly its own variance.

    With gamma the ratio of neighbouring levels: y_u = x_hat + (1 - h) s_t n_hat + sqrt(1 - gamma^2 (1 - h)^2) s_u R z.

    Args:
        h: step within [1 - 1/gamma, 1 + 1/gamma]; at the lower end it is DDIM, at 1 - 1/gamma^2 (taken when none is
            given) the ancestral sampler.

    Other arguments, and the result, are those of `ddim`.

    Source: Jolicoeur-Martineau et al. (2021), arXiv:2009.05475, algorithm 3; here for any schedule.
    """
    walk = Walk(schedule, times, watch)
    levels = (walk.sigmas / walk.alphas).tolist()
    for k in range(len(walk)):
        x_hat, n_hat = estimate(denoise, x, walk.moments[k], walk.at(k), clip)
        if walk.clean(k + 1):
            x = walk.told(k, x_hat)
            break
        gamma = levels[k] / levels[k + 1]
        step = 1 - 1 / gamma**2 if h is None else h
        if not 1 - 1 / gamma - 1e-12 <= step <= 1 + 1 / gamma + 1e-12:
            raise ConfigError(
                f"Consistent annealed sampling with levels {gamma:.4g} apart needs h in "
                f"[{1 - 1 / gamma:.4g}, {1 + 1 / gamma:.4g}]; it got {step}. More steps widen the interval."
            )
        fresh = math.sqrt(max(1 - gamma**2 * (1 - step) ** 2, 0.0)) * levels[k + 1]
        y = n_hat.mul_((1 - step) * levels[k]).add_(x_hat)
        if fresh > 0:
            y.add_(cov.sqrt(randn_like(x, generator)), alpha=fresh)
        x = walk.told(k, y.mul_(walk.at(k + 1)[0]))
    return walk.arrived(x)
