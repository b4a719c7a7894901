"""Distributions whose denoisers are known exactly."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from unveil.core.protocols import Covariance, Schedule
from unveil.core.shapes import expand_as
from unveil.covariance import Identity


@dataclass(frozen=True)
class PointMass:
    """All data at one point."""

    mean: Tensor

    def denoiser(self):
        return lambda x_t, t: self.mean.expand_as(x_t)


@dataclass(frozen=True)
class White:
    """N(mean, var I) data, mean and var numbers or (C, H, W), under noise whose covariance is the identity."""

    mean: float | Tensor
    var: float | Tensor
    schedule: Schedule

    def denoiser(self):
        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (expand_as(c.to(x_t.dtype), x_t) for c in self.schedule(t))
            return self.mean + alpha * self.var / (alpha**2 * self.var + sigma**2) * (x_t - alpha * self.mean)

        return denoise


@dataclass(frozen=True)
class Gaussian:
    """N(mean, cov_data) data over flattened images under noise of covariance Sig, by dense linear algebra (float64)."""

    mean: Tensor  # (C, H, W)
    cov_data: Tensor  # (D, D)
    schedule: Schedule
    noise: Covariance = field(default_factory=Identity)

    def dense_noise(self) -> Tensor:
        d = self.mean.numel()
        eye = torch.eye(d, dtype=torch.float64).reshape(d, *self.mean.shape)
        return self.noise.apply(eye).reshape(d, d)

    def denoiser(self):
        """E[x | x_t] = m + alpha C (alpha^2 C + sigma^2 Sig)^-1 (x_t - alpha m), for any mixture of times."""
        sig, c, m = self.dense_noise(), self.cov_data, self.mean.flatten()
        # C and Sig diagonalised at once: V' Sig V = I, V' C V = diag(lam).
        chol = torch.linalg.cholesky(sig)
        inv = torch.linalg.inv(chol)
        lam, u = torch.linalg.eigh(inv @ c @ inv.T)
        v, v_inv = inv.T @ u, u.T @ chol.T  # v_inv = v^-1
        forward, back = v.T, v_inv.T

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (torch.atleast_1d(k)[:, None] for k in self.schedule(t.double()))
            white = (x_t.flatten(1) - alpha * m) @ forward.T
            shrunk = alpha * lam / (alpha**2 * lam + sigma**2) * white
            return (m + shrunk @ back.T).reshape(x_t.shape)

        return denoise
