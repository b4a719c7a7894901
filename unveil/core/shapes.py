"""Small words about the shapes of tensors."""

from torch import Tensor


def expand_as(coefficient: Tensor, x: Tensor) -> Tensor:
    """Give a coefficient of shape () or (B,) trailing axes of length one, so that it multiplies x (B, ...)."""
    if coefficient.ndim == 0:
        return coefficient
    return coefficient.reshape(-1, *(1,) * (x.ndim - 1))


def sum_per_sample(x: Tensor) -> Tensor:
    """Sum over every axis but the first: (B, ...) -> (B,)."""
    return _rows(x).sum(1)


def mean_per_sample(x: Tensor) -> Tensor:
    """Average over every axis but the first: (B, ...) -> (B,)."""
    return _rows(x).mean(1)


def _rows(x: Tensor) -> Tensor:
    """Each sample's numbers in a row: (B, ...) -> (B, D), where a sample may be a single number."""
    return x.flatten(1) if x.ndim > 1 else x[:, None]
