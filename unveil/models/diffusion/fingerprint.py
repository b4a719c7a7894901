"""Weights know the noise they were trained with: a few numbers that tell one diffusion from another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unveil.core.protocols import Covariance, Schedule


def fingerprint(schedule: Schedule, cov: Covariance, shape: torch.Size, options: Sequence[float]) -> Tensor:
    """Values of the schedule, a coloured probe and the parameterisation, as int64 bits of float64.

    Bits, because a model that is cast to half precision would round a buffer of floating point numbers.
    """
    alpha, sigma = schedule(torch.linspace(0.1, 1, 8, dtype=torch.float64))
    numbers = torch.arange(shape.numel(), dtype=torch.float64)
    probe = (numbers * 1.37 + numbers**2 * 0.11).sin().reshape(shape)  # of no symmetry that a covariance could have
    coloured = cov.sqrt(probe).flatten()
    places = torch.linspace(0, len(coloured) - 1, 6).long()
    norm = coloured.square().mean()[None]
    kept = [alpha, sigma, coloured[places], norm, torch.tensor([float(o) for o in options], dtype=torch.float64)]
    return torch.cat(kept).view(torch.int64)


def same(saved: Tensor, mine: Tensor) -> bool:
    """Whether two fingerprints are of one diffusion."""
    if saved.shape != mine.shape or saved.dtype != mine.dtype:
        return False
    saved, mine = (bits.cpu().view(torch.float64) for bits in (saved, mine))
    return torch.allclose(saved, mine, rtol=1e-6, atol=1e-9)
