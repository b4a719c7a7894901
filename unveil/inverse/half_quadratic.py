"""Half-quadratic splitting with a denoiser whose noise level falls from step to step."""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Operator, Prior, Progress
from unveil.core.random import Randomness, Streams
from unveil.inverse.search import Iterate, Record, Watch, check_measurement, consistent, first_guess
from unveil.inverse.smooth import smoothest


@torch.no_grad()
def half_quadratic(
    prior: Prior,
    y: Tensor,
    operator: Operator,
    *,
    sigma_y: float = 0.0,
    steps: int = 7,
    first: float = 0.3,
    last: float | None = None,
    strength: float = 0.35,
    least_noise: float = 0.002,
    push: float = 1.0,
    return_iterate: Iterate = "v",
    start: Tensor | None = None,
    generator: Randomness = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Agree with the measurement, denoise, and again, each time with less noise to take away.

    In step k, u = prox(v) with lam_k = sigma_k^2 / (strength sigma_y^2), and v is u denoised at the prior's level nearest
    to sigma_k. While sigma stays the same and the denoiser is linear, D, this comes to the solution of
    (lam A'A + I - D) u = lam A'y.

    Args:
        prior: what is known of images.
        y: the measurement, (B, ...), as `operator.forward` makes it.
        operator: A.
        sigma_y: standard deviation of the measurement's noise.
        steps: K >= 1.
        first: sigma_1, where the geometric descent begins; published 49 of 255 grey levels (0.38) and 8 steps, which
            a beginning at the smoothest explanation shortens.
        last: sigma_K, its end; without one sigma_y, or the prior's lowest level where that is higher.
        strength: weight of the prior, above 0; published 0.23, which trusts a measurement a little more than does it good.
        least_noise: a measurement is taken to hold at least this much noise, for with none the prior would have no say on
            what A sees; 0 asks for exact agreement.
        push: noise added before denoising, as a share of the level's own, so that the denoiser meets what it was trained on and
            not the traces of the operator; the published method adds none, 0, and leaves more of them.
        return_iterate: "v" is the prior's last image, "u" the last that agrees with the measurement.
        start: where to begin, (B, C, H, W); without one the smoothest image that explains y.
        generator: where pushes draw from.
        progress: told of each step.
        watch: told of each step, and shown v.

    Returns:
        Images, (B, C, H, W).

    Raises:
        ConfigError: an argument is out of its range.
        DataError: y is not finite.

    Source: Zhang et al. (2022), Plug-and-play image restoration with deep denoiser prior, arXiv:2008.13751.
    """
    check_measurement(y, sigma_y)
    last = max(sigma_y, prior.sigmas[0]) if last is None else last
    first = max(first, last)
    _check(steps, first, last, strength, least_noise, push, return_iterate)
    record, streams = Record(steps, progress, watch), Streams.of(generator, len(y))
    trusted = max(sigma_y, least_noise)
    v = smoothest(operator, y, sigma_y=trusted) if start is None else first_guess(operator, y, start)
    for k in range(steps):
        sigma = first * (last / first) ** (k / max(steps - 1, 1))
        u = consistent(operator, v, y, sigma**2 / (strength * trusted**2) if trusted else math.inf)
        level = _nearest_in_ratio(prior, sigma)
        v = prior.restore(prior.degrade(u, level, streams, scale=push) if push else u, level, streams)
        record.told(k + 1, v)
    return record.arrived(u if return_iterate == "u" else v)


def _nearest_in_ratio(prior: Prior, sigma: float) -> int:
    """The level whose noise is nearest to sigma in ratio, as steps descend; `nearest_level` compares differences."""
    return 1 + min(range(len(prior.sigmas)), key=lambda j: abs(math.log(prior.sigmas[j] / sigma)))


def _check(
    steps: int, first: float, last: float, strength: float, least_noise: float, push: float, iterate: str
) -> None:
    if steps < 1:
        raise ConfigError(f"Half-quadratic splitting takes 1 or more steps; it got {steps}.")
    if not 0 < last <= first < math.inf:
        raise ConfigError(f"Noise levels descend from first to last, both above 0; they got {first} and {last}.")
    if not 0 < strength < math.inf:
        raise ConfigError(f"strength is the weight of the prior, above 0; it got {strength}. Published: 0.23.")
    if not 0 <= least_noise < math.inf:
        raise ConfigError(f"least_noise is a standard deviation, 0 or more; it got {least_noise}.")
    if not 0 <= push < math.inf:
        raise ConfigError(f"push scales the added noise and is 0 or more; it got {push}.")
    if iterate not in ("u", "v"):
        raise ConfigError(f"Half-quadratic splitting answers with the iterate u or v; it got {iterate!r}.")
