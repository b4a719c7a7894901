"""How much memory a training step takes, and from where on a scale is trained on windows of it."""

from typing import TYPE_CHECKING

from unveil.models.single_image_ebm.tiles import pixel_bytes

if TYPE_CHECKING:
    from unveil.models.single_image_ebm.energies import EnergyPyramid

WINDOW, BUDGET = 128, 2**31
"""A scale whose training steps would take more bytes is trained on windows of so many pixels."""
_BESIDE = 2  # the image and its recovery, beside the random chains


def training_bytes(model: "EnergyPyramid", scale: int, batch: int = 1) -> int:
    """What the activations of a training step take, about, on the whole of a scale.

    Args:
        model: of an image.
        scale: that trains, -1 for the finest.
        batch: random chains a step.
    """
    height, width = model.sizes[scale]
    return (batch + _BESIDE) * height * width * pixel_bytes(model.energies[scale])


def training_window(model: "EnergyPyramid", scale: int, batch: int = 1) -> int | None:
    """Side of the windows that a scale is trained on, None for the whole: `train_crop`, or what memory asks for."""
    longest = max(model.sizes[scale])
    if model.train_crop is not None:
        return model.train_crop if longest > model.train_crop else None
    return WINDOW if longest > WINDOW and training_bytes(model, scale, batch) > BUDGET else None


def memory_notes(model: "EnergyPyramid") -> list[str]:
    """What a user should know before a large image is trained: that windows of it are taken, and what is large even so."""
    cut = [scale for scale in range(model.scales) if training_window(model, scale) is not None]
    if model.train_crop is not None or not cut:
        return []
    height, width = model.sizes[-1]
    bank = model.bank * model.channels * height * width * 2  # at half precision
    return [
        f"A training step on all of {width} x {height} pixels would take some {_gigabytes(training_bytes(model, -1))}, so from "
        f"scale {cut[0]} on windows of {WINDOW} pixels are learned (model.train_crop). The starts of its chains still take "
        f"{_gigabytes(bank)}, and as long as {model.bank} samples: a smaller data.longest is quicker."
    ]


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GB"
