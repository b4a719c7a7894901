"""Samples of what a measurement leaves possible: a diffusion's walk, each estimate guided towards the measurement."""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Operator, Prior, Progress
from unveil.core.random import Randomness, Streams
from unveil.covariance import Identity, on_plane
from unveil.inverse.search import Record, Watch, check_measurement, descent, first_guess, unit_noise


@torch.no_grad()
def posterior_sampling(
    prior: Prior,
    y: Tensor,
    operator: Operator,
    *,
    sigma_y: float = 0.0,
    steps: int | None = 100,
    eta: float = 1.0,
    spread: float = math.inf,
    strength: float = 1.0,
    clamp: tuple[float, float] | None = None,
    first: int | None = None,
    start: Tensor | None = None,
    generator: Randomness = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Walk from noise to an image with the estimates of E[x | x_t, y] instead of E[x | x_t].

    At a level sigma the image is taken to be spread around x_hat by r^2 = sigma^2 / (1 + sigma^2 / spread^2), alike in
    all directions. Then

        E[x | x_t, y] = x_hat + sigma^2 J' A' (r^2 A A' + sigma_y^2)^-1 (y - A x_hat),   J = d x_hat / d x_t,

    which is exact for white Gaussian data of that spread. The prior's `restore` must let gradients through. Where a
    prior has a covariance `cov` of its own, sigma^2 stands for sigma^2 cov, in the noise and in the step, though not in r.

    Args:
        prior: what is known of images.
        y: the measurement, (B, ...), as `operator.forward` makes it.
        operator: A.
        sigma_y: standard deviation of the measurement's noise.
        steps: levels to visit, spread over those of the prior; without one all of them.
        eta: share of the ancestral noise that is renewed, in [0, 1].
        spread: standard deviation of the data along their widest direction, above 0. Too large only delays the
            guidance to lower levels; too small overshoots along wide directions, which in images are many times wider than
            a pixel's spread. Hence r = sigma without one; the published r has 1.
        strength: scales the guidance; 1 is Bayes' rule.
        clamp: range to keep the estimates in.
        first: the level to begin at; the highest without one.
        start: images, (B, C, H, W), around which the noise of the first level is laid; A+ y without one.
        generator: where noise comes from.
        progress: told of each step.
        watch: told of each step, and shown the state.

    Returns:
        Images, (B, C, H, W).

    Raises:
        ConfigError: an argument is out of its range, or no gradient reaches through the prior.
        DataError: y is not finite.

    Source: Song et al. (2023), Pseudoinverse-guided diffusion models for inverse problems, ICLR; the weight is that of
    Bayes' rule, sigma^2, where the paper's algorithm 1 has r^2.
    """
    check_measurement(y, sigma_y)
    if not 0 <= eta <= 1:
        raise ConfigError(f"eta lies in [0, 1], from deterministic to ancestral; it got {eta}.")
    if not spread > 0 or not 0 <= strength < math.inf:
        raise ConfigError(f"spread is above 0 and strength 0 or more; they got {spread} and {strength}.")
    levels = descent(prior, steps, first)
    record, streams = Record(len(levels), progress, watch), Streams.of(generator, len(y))
    x = first_guess(operator, y, start)
    cov: Covariance = on_plane(getattr(prior, "cov", Identity()), *x.shape[-2:])
    x = x + prior.sigmas[levels[0] - 1] * unit_noise(prior, x, levels[0], streams)
    for k, level in enumerate(levels):
        sigma = prior.sigmas[level - 1]
        x_hat, pull = _guidance(prior, x, level, y, operator, sigma_y, _variance(sigma, spread), streams)
        x_hat = x_hat + strength * sigma**2 * cov.apply(pull)
        if clamp is not None:
            x_hat = x_hat.clamp(*clamp)
        if k + 1 == len(levels):
            x = x_hat
        else:
            lower = prior.sigmas[levels[k + 1] - 1]
            renewed = eta * lower * math.sqrt(1 - (lower / sigma) ** 2)
            x = x_hat + math.sqrt(lower**2 - renewed**2) / sigma * (x - x_hat)
            if renewed > 0:
                x = x + renewed * unit_noise(prior, x, levels[k + 1], streams)
        record.told(k + 1, x)
    return record.arrived(x)


def _variance(sigma: float, spread: float) -> float:
    """How far the image may lie from its estimate: r^2."""
    return sigma**2 / (1 + (sigma / spread) ** 2)


def _precision(s: Tensor, variance: float, sigma_y: float) -> Tensor:
    """1 / (r^2 s^2 + sigma_y^2), and 0 in directions that are not seen."""
    seen = s > 0
    return torch.where(seen, 1 / torch.where(seen, variance * s**2 + sigma_y**2, 1), 0)


def _guidance(
    prior: Prior,
    x: Tensor,
    level: int,
    y: Tensor,
    operator: Operator,
    sigma_y: float,
    variance: float,
    streams: Streams,
) -> tuple[Tensor, Tensor]:
    """The estimate x_hat of x, and the gradient of log p(y | x), each (B, C, H, W)."""
    # In inference mode there is no gradient, and what was made in it gives none.
    with torch.inference_mode(False), torch.enable_grad():
        state = x.detach().clone().requires_grad_()
        x_hat = prior.restore(state, level, streams)
        if not x_hat.requires_grad:
            raise ConfigError(
                "Posterior sampling follows the gradient through the prior, and this prior's estimate has none. "
                "Let `restore` run without torch.no_grad, or choose ddrm or half_quadratic."
            )
        with torch.no_grad():
            surprise = operator.adjoint(y - operator.forward(x_hat))
            wanted = operator.filtered(surprise, lambda s: _precision(s, variance, sigma_y))
        (pull,) = torch.autograd.grad(x_hat, state, wanted)
    return x_hat.detach(), pull
