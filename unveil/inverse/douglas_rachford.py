"""Douglas-Rachford splitting between what was measured and what a prior restores."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Operator, Prior, Progress
from unveil.core.random import Randomness, Streams
from unveil.core.shapes import mean_per_sample
from unveil.inverse.search import Record, Watch, check_measurement, consistent, first_guess


@torch.no_grad()
def douglas_rachford(
    prior: Prior,
    y: Tensor,
    operator: Operator,
    *,
    sigma_y: float = 0.0,
    lam: float = 5.0,
    alpha: float = 0.1,
    steps: int = 20,
    levels: int | Sequence[int] = 1,
    push: float = 0.99,
    clamp: tuple[float, float] | None = None,
    return_iterate: Literal["u", "v", "x", "best"] = "u",
    start: Tensor | None = None,
    generator: Randomness = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Find an image that the measurement and the prior agree on, one reflection after another.

    With v = (1 - alpha) x + alpha restore(degrade(x)), u = prox(2 v - x) and x <- x + u - v, the two images u and v come
    together; x itself does not come to them. If `restore` is the proximal step of some -log p, alpha is 1 and push is 0,
    they come to the minimum of lam/2 |A x - y|^2 - log p. No such promise holds for a network. Published settings:
    super-resolution lam 5 to 10, alpha 0.05 to 0.1, 10 to 40 steps; colour 5, 0.5, 20, with 2 levels; denoising lam
    from 0.2 down to 0.01 as the noise grows, alpha 0.2, 5 to 10 steps.

    Args:
        prior: what is known of images; its lowest levels are used, so of a denoiser make a prior of few levels.
        y: the measurement, (B, ...), as `operator.forward` makes it.
        operator: A.
        sigma_y: standard deviation of the measurement's noise; only "best" asks for it, `lam` says how far y is trusted.
        lam: weight of the measurement beside the prior, above 0; infinite for u that agree exactly.
        alpha: share of the restored image in v, in (0, 1].
        steps: M, walks from level `levels` down to 1.
        levels: T_r, or the levels themselves in the order of a walk.
        push: noise added before restoring, as a share of the level's own; it brings x back to what the prior knows.
        clamp: range to keep v in.
        return_iterate: "u" agrees with the measurement, "v" is the prior's, "x" is the published code's answer, "best" is,
            for each sample, the u beside whose v the residual A v - y was nearest to what noise of sigma_y explains.
        start: where to begin, (B, C, H, W); A+ y without one.
        generator: where the pushes draw from.
        progress: told of each step.
        watch: told of each step, and shown u.

    Returns:
        Images, (B, C, H, W).

    Raises:
        ConfigError: an argument is out of its range.
        DataError: y is not finite.

    Source: Choi, Park and Kang (2023), Restoration based generative models, ICML, algorithm 4.
    """
    check_measurement(y, sigma_y)
    walk = list(range(levels, 0, -1)) if isinstance(levels, int) else list(levels)
    _check(len(prior.sigmas), lam, alpha, steps, walk, push, return_iterate)
    record, streams = Record(steps * len(walk), progress, watch), Streams.of(generator, len(y))
    x = first_guess(operator, y, start)
    best = _Best(sigma_y)
    seen = operator.forward(operator.pinv(y)) if return_iterate == "best" else y  # without what A cannot have made
    for k, level in enumerate(walk * steps):
        restored = prior.restore(prior.degrade(x, level, streams, scale=push), level, streams)
        v = torch.lerp(x, restored, alpha)
        if clamp is not None:
            v = v.clamp(*clamp)
        u = consistent(operator, 2 * v - x, y, lam)
        x = x + u - v
        if return_iterate == "best":
            best.consider(u, operator.forward(v) - seen)
        record.told(k + 1, u)
    match return_iterate:
        case "u":
            return record.arrived(u)
        case "v":
            return record.arrived(v)
        case "x":
            return record.arrived(x)
        case "best":
            return record.arrived(best.images)


class _Best:
    """The images, sample by sample, whose residual came nearest to the noise of the measurement."""

    def __init__(self, sigma_y: float) -> None:
        self.sigma_y = sigma_y
        self.images: Tensor
        self._miss: Tensor | None = None

    def consider(self, u: Tensor, residual: Tensor) -> None:
        miss = (mean_per_sample(residual.square()).sqrt() - self.sigma_y).abs()
        if self._miss is None:
            self._miss, self.images = miss, u
            return
        better = miss < self._miss
        self._miss = torch.where(better, miss, self._miss)
        self.images = torch.where(better.reshape(-1, *(1,) * (u.ndim - 1)), u, self.images)


def _check(known: int, lam: float, alpha: float, steps: int, walk: list[int], push: float, iterate: str) -> None:
    if not lam > 0:
        raise ConfigError(f"lam weighs the measurement beside the prior and is above 0; it got {lam}. Published: 5.")
    if not 0 < alpha <= 1:
        raise ConfigError(
            f"alpha is the share of the restored image and lies in (0, 1]; it got {alpha}. Published: 0.1."
        )
    if steps < 1:
        raise ConfigError(f"Douglas-Rachford takes 1 or more steps; it got {steps}.")
    if not walk or not 1 <= min(walk) <= max(walk) <= known:
        raise ConfigError(f"This prior has the levels 1 to {known}; it was asked for {walk or 'none'}.")
    if not 0 <= push < float("inf"):
        raise ConfigError(f"push scales the added noise and is 0 or more; it got {push}. Published: 0.99.")
    if iterate not in ("u", "v", "x", "best"):
        raise ConfigError(f"Douglas-Rachford answers with the iterate u, v, x or best; it got {iterate!r}.")
