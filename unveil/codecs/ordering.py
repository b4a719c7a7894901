"""Renumbering a codebook so that neighbouring codes mean similar things.

K-means numbers its entries anyhow, and one added to a code then gives another picture altogether. Sorted along the direction
in which the entries differ most, most of a small step is a small change.
"""

import torch
from torch import Tensor


def principal_axis(book: Tensor) -> Tensor:
    """The direction in which the entries (K, d) differ most: (d,), float64, of unit length."""
    centred = book.double() - book.double().mean(0)
    return torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]


def order(book: Tensor, bright: Tensor | None = None) -> Tensor:
    """The permutation that sorts the entries (K, d) along their principal axis: (K,), int64.

    Args:
        book: the entries.
        bright: (d,) in which direction sums of pixels grow; the axis is turned so that it points there. All ones without it.
            Entries at the same place keep their order.

    Source: Scribano, Pezzi, Franchini and Prato (2023), Denoising diffusion models on model-based latent space, section 3.2.
        There the order falls, and the axis' sign is anyhow.
    """
    axis = principal_axis(book)
    towards = axis.sum() if bright is None else axis @ bright.double()
    if towards.abs() < 1e-9:  # as dark as bright: the largest component decides
        towards = axis[axis.abs().argmax()]
    return torch.argsort(book.double() @ axis * towards.sign(), stable=True)
