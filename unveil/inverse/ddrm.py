"""Denoising diffusion restoration: a walk through noise levels in the singular directions of the operator."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Operator, Prior, Progress
from unveil.core.random import Randomness, Streams
from unveil.inverse.search import Record, Watch, check_measurement, descent, first_guess, unit_noise


@torch.no_grad()
def ddrm(
    prior: Prior,
    y: Tensor,
    operator: Operator,
    *,
    sigma_y: float = 0.0,
    steps: int | None = 20,
    eta: float = 0.85,
    eta_b: float = 1.0,
    first: int | None = None,
    start: Tensor | None = None,
    generator: Randomness = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Walk down the prior's levels, taking from the measurement whatever it knows better than the level's noise.

    Along a singular direction s the measurement is the image plus noise of r = sigma_y / s. At a level sigma the state
    becomes, with the estimate x_hat of the state before, which held noise of sigma_before:

    - unseen, s = 0: x_hat, plus sqrt(1 - eta^2) of the noise before, scaled to sigma, plus eta sigma of fresh noise;
    - faint, sigma < r: the same with the noise of the measurement, (A+ y - x_hat) / r, in place of the noise before;
    - clear, sigma >= r: (1 - eta_b) x_hat + eta_b A+ y, and fresh noise that fills up to sigma.

    The last level is 0. With no noise and eta_b = 1, A x = y. Each step renews noise whatever its length, so unlike with a
    sampler more steps do not help: for eta near 1 they take variety away. Take some twenty. Noise is the prior's own, that
    of `degrade`; the theory wants it white.

    Args:
        prior: what is known of images.
        y: the measurement, (B, ...), as `operator.forward` makes it.
        operator: A.
        sigma_y: standard deviation of the measurement's noise.
        steps: levels to visit, spread over those of the prior; without one all of them.
        eta: share of fresh noise where the measurement does not rule, in [0, 1].
        eta_b: how far the measurement replaces the estimate where it rules, in [0, 1].
        first: the level to begin at; the highest without one. Its noise should drown the image, and exceed sigma_y / s.
        start: images, (B, C, H, W), for the directions that y does not rule at the first level; 0 without one.
        generator: where noise comes from.
        progress: told of each step.
        watch: told of each step, and shown the state.

    Returns:
        Images, (B, C, H, W).

    Raises:
        ConfigError: an argument is out of its range.
        DataError: y is not finite.

    Source: Kawar et al. (2022), Denoising diffusion restoration models, arXiv:2201.11793, section 3.2.
    """
    check_measurement(y, sigma_y)
    if not 0 <= eta <= 1 or not 0 <= eta_b <= 1:
        raise ConfigError(f"DDRM's eta and eta_b lie in [0, 1]; they got {eta} and {eta_b}. Published: 0.85 and 1.")
    levels = descent(prior, steps, first)
    record, streams = Record(len(levels), progress, watch), Streams.of(generator, len(y))
    known = operator.pinv(y)  # in every direction that is seen the image plus noise of sigma_y / s
    x = torch.zeros_like(known) if start is None else first_guess(operator, y, start)

    def step(x_hat: Tensor, x: Tensor, gains: _Gains, level: int) -> Tensor:
        x = x_hat + operator.filtered(known - x_hat, gains.known) + operator.filtered(x - x_hat, gains.before)
        if level == 0:
            return x
        return x + operator.filtered(unit_noise(prior, x, level, streams), gains.fresh)

    sigmas = [prior.sigmas[level - 1] for level in levels] + [0.0]
    x = step(x, x, _Gains(sigmas[0], sigmas[0], sigma_y, 1.0, 1.0), levels[0])
    for k, (level, lower) in enumerate(pairwise([*levels, 0])):
        gains = _Gains(sigmas[k], sigmas[k + 1], sigma_y, eta, eta_b)
        x = step(prior.restore(x, level, streams), x, gains, lower)
        record.told(k + 1, x)
    return record.arrived(x)


@dataclass(frozen=True)
class _Gains:
    """What each direction takes, beside x_hat, of the measurement, of the state before and of fresh noise, by its s."""

    earlier: float
    now: float
    sigma_y: float
    eta: float
    eta_b: float

    @property
    def _kept(self) -> float:
        return math.sqrt(1 - self.eta**2)

    def _clear(self, s: Tensor) -> Tensor:
        return (s > 0) & (self.now * s >= self.sigma_y)

    def known(self, s: Tensor) -> Tensor:
        """The share of A+ y - x_hat."""
        faint = self._kept * self.now / self.sigma_y * s if self.sigma_y > 0 else torch.zeros_like(s)
        return torch.where(self._clear(s), self.eta_b, faint)

    def before(self, s: Tensor) -> Tensor:
        """The share of the state before, less x_hat."""
        return self._kept * self.now / self.earlier * (s == 0).to(s)

    def fresh(self, s: Tensor) -> Tensor:
        """The standard deviation of fresh noise."""
        clear = self._clear(s)
        held = torch.where(clear, self.eta_b * self.sigma_y / torch.where(clear, s, 1), 0)  # of the measurement's noise
        return torch.where(clear, (self.now**2 - held**2).clamp(min=0).sqrt(), self.eta * self.now)
