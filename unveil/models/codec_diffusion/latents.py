"""Codes of a codec as numbers that noise can be added to: code i of K is 2 i / (K - 1) - 1, evenly spread over [-1, 1]."""

import torch
from torch import Tensor

from unveil.core.random import Randomness, rand, randn


def values_of(size: int, like: Tensor) -> Tensor:
    """The numbers of all codes 0 .. size - 1, (size,), of the type and on the device of another tensor."""
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


def to_latents(codes: Tensor, size: int) -> Tensor:
    """The numbers of codes 0 .. size - 1, of the same shape."""
    return codes.float() * (2 / (size - 1)) - 1


def to_codes(z: Tensor, size: int) -> Tensor:
    """The codes nearest to some numbers, which may lie beyond [-1, 1]; int64, of the same shape."""
    return ((z + 1) * ((size - 1) / 2)).round().clamp(0, size - 1).long()


def disturbed(codes: Tensor, size: int, spread: tuple[float, float], generator: Randomness = None) -> Tensor:
    """Move codes (B, ...) by rounded Gaussian noise.

    Args:
        codes: 0 .. size - 1.
        size: how many there are.
        spread: between these lies the standard deviation of the noise, in codes; each sample draws its own.
        generator: one stream per row.

    Returns:
        Codes 0 .. size - 1, of the same shape, int64.
    """
    low, high = spread
    share = rand((len(codes), *(1,) * (codes.ndim - 1)), generator, device=codes.device)
    noise = randn(codes.shape, generator, device=codes.device)
    return (codes + (low + (high - low) * share) * noise).round().clamp(0, size - 1).long()
