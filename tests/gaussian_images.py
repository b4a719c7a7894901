"""Gaussian images, measured by any operator: what a solver should answer, by dense linear algebra in float64."""

from dataclasses import dataclass
from functools import cached_property

import torch
from seeds import seeded

from unveil.core.random import Streams, randn_like
from unveil.operators import Blur, Downsample, Grayscale, Identity, Mask

SHAPE = (3, 4, 4)
D = 48


_KERNEL = torch.tensor([[0.1, 0.3, 0.05], [0.05, 0.4, 0.1]], dtype=torch.float64)
_HOLES = torch.tensor([[1, 0, 1, 1], [0, 0.5, 1, 0], [1, 1, 0, 0.25], [0, 1, 1, 1]], dtype=torch.float64)

OPERATORS = {
    "identity": Identity(),
    "mask": Mask(_HOLES),
    "downsample": Downsample(2),
    "grayscale": Grayscale(),
    "blur": Blur(_KERNEL),
}


def matrix(operator, shape=SHAPE):
    """A, (M, D)."""
    d = torch.Size(shape).numel()
    eye = torch.eye(d, dtype=torch.float64).reshape(d, *shape)
    return operator.forward(eye).reshape(d, -1).T


def correlated(seed=1):
    """A covariance without any symmetry, eigenvalues 0.02 to about 1, (D, D)."""
    basis, _ = torch.linalg.qr(torch.randn(D, D, generator=seeded(seed), dtype=torch.float64))
    return (basis * torch.linspace(0.02, 1.0, D, dtype=torch.float64)) @ basis.T


@dataclass(frozen=True)
class GaussianPrior:
    """The exact prior of N(mean, C) images; images flattened to D numbers within."""

    mean: torch.Tensor  # (D,)
    covariance: torch.Tensor  # (D, D)
    sigmas: tuple[float, ...]

    @cached_property
    def _eigen(self):
        return torch.linalg.eigh(self.covariance)

    def degrade(self, x, level, generator=None, *, scale=1.0):
        return x + scale * self.sigmas[level - 1] * randn_like(x, generator)

    def restore(self, y, level, generator=None):
        values, vectors = self._eigen
        shrink = (vectors * (values / (values + self.sigmas[level - 1] ** 2))) @ vectors.T
        return (self.mean + (y.flatten(1) - self.mean) @ shrink).reshape(y.shape)

    def posterior(self, y, operator, sigma_y):
        """Mean (D,) and covariance (D, D) of the image given one measurement, (1, ...)."""
        a = matrix(operator)
        middle = a @ self.covariance @ a.T + sigma_y**2 * torch.eye(len(a), dtype=torch.float64)
        gain = self.covariance @ a.T @ torch.linalg.pinv(middle, rtol=1e-10, hermitian=True)
        return self.mean + gain @ (y.flatten() - a @ self.mean), self.covariance - gain @ a @ self.covariance

    def image(self, seed=5):
        """One image drawn from the prior, (1, 3, 4, 4)."""
        values, vectors = self._eigen
        z = torch.randn(D, generator=seeded(seed), dtype=torch.float64)
        return (self.mean + (vectors * values.sqrt()) @ z).reshape(1, *SHAPE)


class Probe(Streams):
    """Draws of one unit of noise at a time: row 0 has none, and each other row one number of one draw.

    A solver that is affine in its noise then shows the exact mean and covariance of its answers.
    """

    def __init__(self, draws):
        super().__init__(0, 1 + draws * D)
        self.rows = 1

    def randn(self, shape, dtype=torch.float32):
        noise = torch.zeros(shape[0], D, dtype=dtype)
        noise[self.rows : self.rows + D] = torch.eye(D, dtype=dtype)
        self.rows += D
        return noise.reshape(shape)

    def moments(self, x):
        """Mean (D,) and covariance (D, D) that the rows stand for."""
        assert self.rows == len(self) == len(x)
        apart = x[1:].flatten(1) - x[0].flatten()
        return x[0].flatten(), apart.T @ apart
