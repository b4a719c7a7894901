"""A picture as rows of patches, and back."""

import torch.nn.functional as F
from torch import Tensor


def pad(x: Tensor, side: int) -> Tensor:
    """Continue pictures (..., C, H, W) below and to the right by their edges, until both sides are multiples of `side`."""
    tall, wide = (-length % side for length in x.shape[-2:])
    if not tall and not wide:
        return x
    flat = x.reshape(-1, *x.shape[-3:])
    return F.pad(flat, (0, wide, 0, tall), mode="replicate").reshape(
        *x.shape[:-2], x.shape[-2] + tall, x.shape[-1] + wide
    )


def to_patches(x: Tensor, side: int) -> Tensor:
    """Cut pictures whose sides are multiples of `side` into patches: (B, C, H, W) -> (C, B h w, side^2), row by row."""
    batch, channels, height, width = x.shape
    cut = x.reshape(batch, channels, height // side, side, width // side, side)
    return cut.permute(1, 0, 2, 4, 3, 5).reshape(channels, -1, side * side)


def from_patches(patches: Tensor, side: int, shape: tuple[int, int, int]) -> Tensor:
    """Lay patches together: (C, B h w, side^2) -> (B, C, h side, w side), where `shape` is (B, h, w)."""
    batch, tall, wide = shape
    cut = patches.reshape(-1, batch, tall, wide, side, side)
    return cut.permute(1, 0, 2, 4, 3, 5).reshape(batch, -1, tall * side, wide * side)
