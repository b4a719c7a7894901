"""The gradient of a patch energy, whole or tile by tile: the same numbers in less memory."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.numbers import check_whole
from unveil.networks.patch_energy import PatchEnergy, Weights

BUDGET = 2**30
"""Bytes that the activations of one gradient may take."""
_AT_ONCE = 2**16  # pixels that a CPU's caches hold the activations of, about


def tiled_gradient(
    energy: Callable[[Tensor], Tensor], x: Tensor, *, tile: int | None, halo: int, rows: int | None = None
) -> Tensor:
    """The gradient in x of the sum of a map that is made of patches, found tile by tile.

    A pixel lies in patches that reach `halo` pixels beyond it, so the gradient of a tile's pixels is found exactly from the
    tile and a halo of that width.

    Args:
        energy: images (B, C, H, W) -> a map of any shape, of which each number depends on one patch.
        x: the images; they are not changed.
        tile: side of a tile; None takes the whole.
        halo: the side of a patch, less 1.
        rows: images that are looked at together; all when None.

    Returns:
        The gradient, of the shape of x.
    """
    if tile is not None:
        check_whole("tile", tile)
    height, width = x.shape[-2:]
    step = rows or len(x)
    if (tile is None or tile >= max(height, width)) and step >= len(x):
        return _gradient(energy, x)
    tall, wide = (tile or height, tile or width)
    found = torch.empty_like(x)
    for first in range(0, len(x), step):
        some = x[first : first + step]
        for top in range(0, height, tall):
            for left in range(0, width, wide):
                above, before = max(0, top - halo), max(0, left - halo)
                part = _gradient(energy, some[..., above : top + tall + halo, before : left + wide + halo])
                inner = part[..., top - above : top - above + tall, left - before : left - before + wide]
                found[first : first + step, :, top : top + tall, left : left + wide] = inner
    return found


def gradient_of(
    network: PatchEnergy, weights: Weights, *, tile: int | None = None, budget: int = BUDGET
) -> Callable[[Tensor], Tensor]:
    """The gradient of a network's energy, with weights that are constant, in tiles where memory asks for it.

    Args:
        network: the energy.
        weights: what its `weights` gave.
        tile: side of the tiles; None chooses it, and the number of images at a time, by `budget`.
        budget: bytes that activations may take.
    """
    constant = [
        (weight.detach().contiguous(memory_format=torch.channels_last), bias.detach()) for weight, bias in weights
    ]

    def gradient(x: Tensor) -> Tensor:
        chosen, rows = plan(network, tuple(x.shape), tile=tile, budget=budget, on_cpu=x.device.type == "cpu")
        return tiled_gradient(lambda part: network(part, constant), x, tile=chosen, halo=network.field - 1, rows=rows)

    return gradient


def plan(
    network: PatchEnergy,
    shape: tuple[int, ...],
    *,
    tile: int | None = None,
    budget: int = BUDGET,
    on_cpu: bool = True,
) -> tuple[int | None, int]:
    """Choose the side of the tiles, None for the whole, and how many images are looked at together.

    Args:
        network: the energy.
        shape: of the images, (B, C, H, W).
        tile: a side that is wished for.
        budget: bytes that activations may take.
        on_cpu: whether few images at a time are faster, as they are where caches are small.
    """
    count, _, height, width = shape
    each = pixel_bytes(network)
    halo = network.field - 1
    most = budget // each  # pixels
    if tile is None and height * width > most:
        tile = max(network.field, int(most**0.5) - 2 * halo)
    pixels = height * width if tile is None else min(tile + 2 * halo, height) * min(tile + 2 * halo, width)
    rows = max(1, (min(most, _AT_ONCE) if on_cpu else most) // pixels)
    return tile, min(rows, count)


def pixel_bytes(network: PatchEnergy) -> int:
    """Bytes that the activations of one gradient take for each pixel: all layers, forwards and backwards."""
    return 4 * 2 * (sum(network.widths) + network.channels + 1)


def _gradient(energy: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
    return slope
