"""Weights of the networks of the papers, built here from their descriptions, beside the numbers that are printed there.

Nothing is trained, and most take no memory: they are built without storage. The goal is the printed number to within one of its
last digit, for some numbers are rounded where others are cut off.
"""

from collections.abc import Callable

import measuring
import torch
from measuring import Bench
from torch import nn

from unveil.networks import VideoUNet
from unveil.recipes import resolve
from unveil.recipes.build import build_model

DEEP = {"mult": (1, 2, 3, 4), "attention": (1, 2, 3)}
CITY = {"mult": (1, 1, 2, 3, 4), "attention": (2, 3, 4)}
VIDEO = {  # channels, channels of a head, channels of SPATIN, known frames, frames, channels of a frame, levels, printed
    "SMMNIST, concat": (64, 64, None, 5, 5, 1, DEEP, "27.9"),
    "SMMNIST, spatin": (64, 64, 128, 5, 5, 1, DEEP, "53.9"),
    "KTH, concat": (96, 96, None, 10, 5, 1, DEEP, "62.8"),
    "KTH, spatin": (192, 96, 192, 10, 5, 1, DEEP, "367.6"),
    "BAIR, concat": (192, 192, None, 2, 5, 3, DEEP, "251.2"),
    "BAIR, spatin": (192, 192, 128, 2, 5, 3, DEEP, "328.6"),
    "Cityscapes, concat": (192, 192, None, 2, 5, 3, CITY, "262.1"),
    "Cityscapes, spatin": (256, 256, 128, 2, 5, 3, CITY, "579.1"),
    "UCF-101, concat": (288, 288, None, 4, 4, 3, DEEP, "565.0"),
    "UCF-101, spatin": (288, 288, 192, 4, 4, 3, DEEP, "739.4"),
}
FLOWS = {  # resolutions, blocks at each, pixels a side, printed
    "CIFAR-10, 2 resolutions, small": (2, 8, 32, "1.3"),
    "CIFAR-10, 2 resolutions, large": (2, 20, 32, "3.3"),
    "CIFAR-10, 3 resolutions, small": (3, 6, 32, "1.5"),
    "CIFAR-10, 3 resolutions, large": (3, 20, 32, "5.1"),
    "ImageNet64, 2 resolutions": (2, 12, 64, "2.0"),
    "ImageNet64, 3 resolutions": (3, 8, 64, "2.0"),
    "ImageNet128, 4 resolutions": (4, 8, 128, "2.74"),
}


def video(
    channels: int,
    heads: int,
    spatin: int | None,
    known: int,
    frames: int,
    colours: int,
    levels: dict[str, tuple[int, ...]],
) -> nn.Module:
    """A network of masked conditional video diffusion."""
    maps = {"conditioning": "spatin", "spatin_channels": spatin} if spatin else {}
    with torch.device("meta"):
        return VideoUNet(frames * colours, known * colours, channels=channels, head_channels=heads, **levels, **maps)


def flow(resolutions: int, blocks: int, side: int) -> nn.Module:
    """A flow of several resolutions."""
    changes = [f"model.resolutions={resolutions}", f"model.blocks={blocks}", f"data.size={side}"]
    with torch.device("meta"):
        return build_model(resolve("cifar10-mrcnf-3", changes), (3, side, side))


def count(bench: Bench, name: str, build: Callable[[], nn.Module], printed: str) -> None:
    """A network's weights beside the printed number."""
    if not bench.wants(name):
        return
    weights = sum(value.numel() for value in build().parameters()) / 1e6
    digit = 10.0 ** -len(printed.partition(".")[2])
    off = abs(weights - float(printed)) / digit
    unit = "million weights (ratio: last printed digits off)"
    bench.figure(name, weights, unit, "<= 1", peer=float(printed), peer_name="printed", ratio=off)


def main() -> None:
    options = measuring.parser(__doc__.splitlines()[0]).parse_args()
    bench = measuring.begin(options)
    count(bench, "CIFAR-10, DDPM", lambda: build_model(resolve("cifar10-ddpm"), (3, 32, 32)), "35.7")
    for name, (*sizes, printed) in VIDEO.items():
        count(bench, f"video diffusion, {name}", lambda sizes=sizes: video(*sizes), printed)
    for name, (*sizes, printed) in FLOWS.items():
        count(bench, f"flow, {name}", lambda sizes=sizes: flow(*sizes), printed)


if __name__ == "__main__":
    main()
