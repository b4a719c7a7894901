"""Distributional sliced Wasserstein distance: lines are looked for along which two sets differ most.

A map f turns evenly drawn directions into others. It is moved to raise the sliced distance, and held back by what all
directions have in common, so that they do not fall into one.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.random import Randomness
from unveil.divergences.sliced_wasserstein import sliced_wasserstein, unit_directions


class SliceMap(NamedTuple):
    """f(q) = W q + b, brought back to unit length.

    Attributes:
        weight: W, (d, d).
        bias: b, (d,).
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def identity(cls, like: Tensor) -> "SliceMap":
        """The map that changes no direction of points `like`, (n, d): plain slicing."""
        d = like.shape[1]
        return cls(torch.eye(d, dtype=like.dtype, device=like.device), like.new_zeros(d))

    def __call__(self, directions: Tensor) -> Tensor:
        """Unit vectors (P, d) to unit vectors (P, d)."""
        return F.normalize(directions @ self.weight.T + self.bias, dim=1)


def likeness(directions: Tensor) -> Tensor:
    """The mean |cosine| of all pairs of unit vectors (P, d), each with itself included: 1 where all are one line."""
    return (directions @ directions.T).abs().mean()


def slicing_loss(
    directions: Tensor, x: Tensor, y: Tensor, *, spread: float = 10.0, p: float = 2.0, summed: bool = False
) -> Tensor:
    """What a map of directions is moved to lower: spread times their likeness, less the distance along them.

    Args:
        directions: what the map makes of evenly drawn ones, (P, d).
        x: points, (n, d).
        y: points, (m, d).
        spread: lambda_C: how dear likeness is; 0 seeks the one direction in which the sets differ most.
        p: see `sliced_wasserstein`.
        summed: see `sliced_wasserstein`. A sum grows with the batch, and `spread` then weighs less.
    """
    return spread * likeness(directions) - sliced_wasserstein(x, y, directions, p=p, summed=summed)


def distributional_sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    *,
    projections: int = 1000,
    steps: int = 10,
    lr: float = 1e-2,
    spread: float = 10.0,
    p: float = 2.0,
    summed: bool = False,
    start: SliceMap | None = None,
    generator: Randomness = None,
) -> tuple[Tensor, SliceMap]:
    """The sliced distance along the directions that an inner optimisation finds.

    The map sees the points without their gradients; the distance is then taken with the map held fixed.

    Args:
        x: points, (n, d).
        y: points, (m, d).
        projections: how many directions are drawn.
        steps: of Adam, which moves the map.
        lr: its learning rate.
        spread: lambda_C, see `slicing_loss`.
        p: see `sliced_wasserstein`.
        summed: add up over the points as published code does, instead of averaging: the distance is then larger by the
            p-th root of n, and so is its weight beside `spread`.
        start: the map to begin with, such as the one returned before; the identity by default. The published map begins
            at random weights; beginning at the identity, no steps at all give the plain sliced distance.
        generator: draws the directions.

    Returns:
        The distance, a scalar whose gradients flow to x and y, and the map that was found.

    Raises:
        ConfigError: a number out of range.
        ShapeError: the points do not live in the same space.

    Source: Nguyen et al. (2021), arXiv:2002.07367, definition 2 and algorithm 1.
    """
    if projections < 1 or steps < 0 or lr <= 0 or spread < 0:
        raise ConfigError(
            f"The distributional distance got projections={projections}, steps={steps}, lr={lr}, spread={spread}; it "
            "needs at least 1 projection, 0 steps or more, lr > 0 and spread >= 0."
        )
    drawn = unit_directions(projections, x.shape[1], generator, like=x)
    given = start or SliceMap.identity(x)
    found = SliceMap(*(part.detach().clone().requires_grad_() for part in given))
    adam = torch.optim.Adam(found, lr=lr)
    with torch.enable_grad():
        for _ in range(steps):
            loss = slicing_loss(found(drawn), x.detach(), y.detach(), spread=spread, p=p, summed=summed)
            for part, gradient in zip(found, torch.autograd.grad(loss, found), strict=True):
                part.grad = gradient
            adam.step()
    found = SliceMap(*(part.detach() for part in found))
    return sliced_wasserstein(x, y, found(drawn), p=p, summed=summed), found
