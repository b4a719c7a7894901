"""Maximum mean discrepancy: how differently two sets of samples look to a kernel."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.divergences.distances import check_same_space, squared_distances

Kernel = Callable[[Tensor, Tensor], Tensor]
"""Points (n, d) and (m, d) -> similarities (n, m), symmetric and positive semi-definite."""

_ROWS = 2048
"""Rows of the kernel matrix that are held at a time."""


@dataclass(frozen=True)
class Polynomial:
    """The kernel (scale x.y + offset)^degree; the kernel of KID when left as it is.

    Attributes:
        degree: at least 1; 3 compares means, covariances and third moments.
        scale: multiplies the inner product; None means 1 / d.
        offset: at least 0; above 0 all moments up to the degree count.

    Source: Binkowski et al. (2018), arXiv:1801.01401, section 4.
    """

    degree: int = 3
    scale: float | None = None
    offset: float = 1.0

    def __post_init__(self) -> None:
        if self.degree < 1 or self.offset < 0 or (self.scale is not None and self.scale <= 0):
            raise ConfigError(
                f"Polynomial got degree={self.degree}, scale={self.scale}, offset={self.offset}; it needs degree >= 1, "
                "scale > 0 (or None for 1/d) and offset >= 0. The published kernel is degree 3, scale 1/d, offset 1."
            )

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """All similarities of x (n, d) and y (m, d), (n, m)."""
        scale = 1 / x.shape[1] if self.scale is None else self.scale
        return (scale * (x @ y.T) + self.offset) ** self.degree


@dataclass(frozen=True)
class MixtureRBF:
    """The sum over bandwidths s of exp(-|x - y|^2 / (2 s^2)): a sum and not a mean.

    Source: Li et al. (2015), Generative moment matching networks, arXiv:1502.02761, section 2.
    """

    bandwidths: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)

    def __post_init__(self) -> None:
        if not self.bandwidths or min(self.bandwidths) <= 0:
            raise ConfigError(f"MixtureRBF got bandwidths {self.bandwidths}; it needs one or more, all above 0.")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """All similarities of x (n, d) and y (m, d), (n, m)."""
        squared = squared_distances(x, y)
        return torch.stack([torch.exp(-squared / (2 * s**2)) for s in self.bandwidths]).sum(0)


def mmd2(x: Tensor, y: Tensor, kernel: Kernel, *, unbiased: bool = True) -> Tensor:
    """Estimate the squared maximum mean discrepancy: E k(x, x') + E k(y, y') - 2 E k(x, y).

    Args:
        x: samples, (n, d).
        y: samples, (m, d).
        kernel: similarity of all pairs.
        unbiased: leave a sample's likeness to itself out (U-statistic: right on average, may be negative) or keep it
            in (V-statistic: never negative, too large by about 2 k(x, x) / n).

    Returns:
        A scalar; gradients flow to x and y.

    Raises:
        ShapeError: the samples do not live in the same space, or are too few.

    Source: Gretton et al. (2012), A kernel two-sample test, eq. 3 and lemma 6.
    """
    check_same_space(x, y)
    if min(len(x), len(y)) < (needed := 2 if unbiased else 1):
        raise ShapeError(
            f"The discrepancy needs {needed} samples or more on each side; {len(x)} and {len(y)} were given."
        )
    return _mean_within(x, kernel, unbiased) + _mean_within(y, kernel, unbiased) - 2 * _mean_between(x, y, kernel)


def _mean_within(x: Tensor, kernel: Kernel, unbiased: bool) -> Tensor:
    n = len(x)
    total = x.new_zeros(())
    for start in range(0, n, _ROWS):
        block = kernel(x[start : start + _ROWS], x)
        total = total + block.sum()
        if unbiased:
            total = total - block.diagonal(start).sum()
    return total / (n * (n - 1 if unbiased else n))


def _mean_between(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    total = x.new_zeros(())
    for rows in x.split(_ROWS):
        total = total + kernel(rows, y).sum()
    return total / (len(x) * len(y))
