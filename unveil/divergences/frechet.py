"""The Frechet distance between Gaussians: how far apart the means and covariances of two sets of samples are."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import DataError, ShapeError
from unveil.divergences.distances import check_same_space

_ROWS = 4096
"""Samples that are taken to float64 at a time."""


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of samples, in float64.

    Attributes:
        mean: (d,).
        cov: (d, d), symmetric; divided by n - 1 when it comes from n samples.
    """

    mean: Tensor
    cov: Tensor

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.cov.shape != (len(self.mean), len(self.mean)):
            raise ShapeError(
                f"Moments got a mean of shape {tuple(self.mean.shape)} and a covariance of shape "
                f"{tuple(self.cov.shape)}; they must be (d,) and (d, d)."
            )

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """Measure the mean and the unbiased covariance of samples x (n, d), n >= 2.

        The mean is taken first and the products of the deviations next, so that nothing cancels.
        """
        if x.ndim != 2 or len(x) < 2:
            raise ShapeError(f"Moments need at least two samples as a matrix (n, d); they got shape {tuple(x.shape)}.")
        mean = x.mean(0, dtype=torch.float64)
        scatter = mean.new_zeros(len(mean), len(mean))
        for rows in x.split(_ROWS):
            deviation = rows.double() - mean
            scatter.addmm_(deviation.T, deviation)
        return cls(mean, scatter / (len(x) - 1))


def frechet_gaussians(a: Moments, b: Moments) -> float:
    """Compute the squared 2-Wasserstein distance between two Gaussians, the quantity inside FID.

    |m_a - m_b|^2 + tr A + tr B - 2 tr (A B)^(1/2), for covariances A and B of any rank. FID reports this number, the
    square of a distance, under the name of a distance, and so does everything here.

    Raises:
        ShapeError: the Gaussians differ in dimension.
        DataError: a moment is not finite.

    Source: Dowson and Landau (1982), eq. 16; Heusel et al. (2017), arXiv:1706.08500, eq. 6.
    """
    if len(a.mean) != len(b.mean):
        raise ShapeError(f"One Gaussian has {len(a.mean)} dimensions and the other {len(b.mean)}; they must be equal.")
    _check_finite(a.mean, a.cov, b.mean, b.cov)
    return _distance(a.mean, b.mean, a.cov.trace() + b.cov.trace(), _trace_of_root(a.cov.double(), b.cov.double()))


def frechet_samples(x: Tensor, y: Tensor) -> float:
    """Compute the Frechet distance between the Gaussians fitted to two sets of samples.

    Where a set has no more samples than dimensions its covariance is never formed. With A = X X' and B = Y Y' for
    scaled deviations X and Y (d, samples), tr (A B)^(1/2) is the sum of the singular values of X' Y: a matrix as small
    as the samples are few, and no digits are lost to the directions in which there is no variance.

    Args:
        x: samples, (n, d), n >= 2.
        y: samples, (m, d), m >= 2.

    Raises:
        ShapeError: the samples do not live in the same space, or are fewer than two.
        DataError: a sample is not finite.
    """
    check_same_space(x, y)
    if min(len(x), len(y)) < 2:
        raise ShapeError(f"A covariance needs two samples or more; {len(x)} and {len(y)} were given.")
    if min(len(x), len(y)) > x.shape[1]:
        return frechet_gaussians(Moments.of(x), Moments.of(y))
    _check_finite(x, y)
    (mean_x, root_x), (mean_y, root_y) = _mean_and_root(x), _mean_and_root(y)
    traces = root_x.square().sum() + root_y.square().sum()
    return _distance(mean_x, mean_y, traces, torch.linalg.svdvals(root_x.T @ root_y).sum())


def _mean_and_root(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d,), and a root (d, rank) of the covariance: the scaled deviations themselves where they are few."""
    if len(x) > x.shape[1]:
        moments = Moments.of(x)
        return moments.mean, _thin_root(moments.cov)
    mean = x.mean(0, dtype=torch.float64)
    return mean, (x.double() - mean).T / (len(x) - 1) ** 0.5


def _distance(mean_a: Tensor, mean_b: Tensor, traces: Tensor, trace_of_root: Tensor) -> float:
    # Rounding may leave equal Gaussians a hair below zero.
    return max(0.0, ((mean_a - mean_b).double().square().sum() + traces - 2 * trace_of_root).item())


def _trace_of_root(a: Tensor, b: Tensor) -> Tensor:
    """Compute tr (a b)^(1/2) of two covariances.

    With a = L L', a b has the eigenvalues of the symmetric L' b L. Where either covariance is singular, those
    eigenvalues carry rounding, and the root of 1e-16 is 1e-8; so the singular values of L' M, with b = M M', are
    summed instead: the same numbers without the square.
    """
    root, definite = _cholesky(a)
    if definite and _cholesky(b)[1]:
        return torch.linalg.eigvalsh(root.T @ b @ root).clamp(min=0).sqrt().sum()
    return torch.linalg.svdvals(_thin_root(a).T @ _thin_root(b)).sum()


def _cholesky(cov: Tensor) -> tuple[Tensor, bool]:
    """The Cholesky factor, and whether every pivot stands clear of rounding."""
    root, failed = torch.linalg.cholesky_ex(cov)
    pivots = root.diagonal().square()
    noise = len(cov) * torch.finfo(cov.dtype).eps * cov.diagonal().max()
    return root, not failed.item() and bool(pivots.min() > noise)


def _thin_root(cov: Tensor) -> Tensor:
    """A root M (d, rank) with cov = M M', from the eigenvectors whose variance stands clear of rounding."""
    variance, direction = torch.linalg.eigh(cov)
    kept = variance > len(cov) * torch.finfo(cov.dtype).eps * variance.max()
    return direction[:, kept] * variance[kept].sqrt()


def _check_finite(*tensors: Tensor) -> None:
    if not all(x.isfinite().all() for x in tensors):
        raise DataError(
            "The Frechet distance was given numbers that are not finite. Look for NaN in the samples or features."
        )
