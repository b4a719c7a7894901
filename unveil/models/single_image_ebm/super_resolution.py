"""From a size to a larger one in small steps, as an energy that knows one blur needs them."""

from math import isfinite, log

from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.pyramids import resize


def growing_sizes(size: tuple[int, int], factor: float, ratio: float) -> list[tuple[int, int]]:
    """The sizes of a picture that grows by about 1 / ratio each time; the last has exactly the sides times the factor.

    Args:
        size: (height, width) to begin with; it is not in the list.
        factor: above 1.
        ratio: in (0, 1).

    Raises:
        ConfigError: a factor of 1 or less, or another ratio.
    """
    if not (isfinite(factor) and factor > 1):
        raise ConfigError(f"A factor of {factor} enlarges nothing; it must be above 1, such as 2.")
    if not 0 < ratio < 1:
        raise ConfigError(f"ratio={ratio}: it must lie between 0 and 1; 0.75 is usual.")
    steps = max(1, round(log(factor) / -log(ratio)))
    grown = [factor ** (step / steps) for step in range(1, steps + 1)]
    return [(round(size[0] * share), round(size[1] * share)) for share in grown]


def project_back(x: Tensor, small: Tensor) -> Tensor:
    """Make an enlarged picture agree with the small one it stands for, by what it lacks when it is shrunk again.

    Source: Irani and Peleg (1991), Improving resolution by image registration.
    """
    return (x + resize(small - resize(x, small.shape[-2:]), x.shape[-2:])).clamp(-1, 1)
