"""The sizes of a pyramid's scales, all known before anything is resized, and the images of those sizes."""

from collections.abc import Sequence
from math import ceil, log

from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.pyramids.resize import resize

Size = tuple[int, int]
"""Height and width in pixels."""

FEWEST, NEAREST = 0.5, 0.95
"""The factor from a scale to the one below it: smaller leaves too much to be invented at once, larger wastes scales."""


def scale_sizes(
    height: int, width: int, *, min_size: int = 20, scales: int | None = None, ratio: float = 0.73
) -> list[Size]:
    """Choose the sizes of a pyramid, coarsest first; the last is the image's own, and no scale is larger.

    The short side of the coarsest scale is `min_size`, each scale is smaller than the next by one factor r, and every
    size is rounded from the image's own, so that errors do not add up.

    Args:
        height: of the image, in pixels.
        width: of the image.
        min_size: short side of the coarsest scale.
        scales: how many, 2 or more; None takes the number for which r is nearest to `ratio`.
        ratio: the r that is wished for.

    Raises:
        ConfigError: the image is too small for two scales, or the factor is too near to 1 or too far from it.

    Source: Shaham et al. (2019), arXiv:1905.01164, section 2.
    """
    for name, value in (("height", height), ("width", width), ("min_size", min_size)):
        check_whole(name, value)
    if not FEWEST <= ratio <= NEAREST:
        raise ConfigError(f"ratio={ratio}: it must be a number from {FEWEST} to {NEAREST}; about 0.75 is usual.")
    short = min(height, width)
    least = smallest_side(min_size)
    if short < least:
        raise ConfigError(
            f"A picture of {width} x {height} pixels (width x height) is too small for a pyramid whose coarsest scale is "
            f"{min_size} pixels on its short side: the short side must be {least} or more. Give a larger picture, or a "
            "smaller min_size, in a recipe model.min_size."
        )
    if scales is None:
        scales = max(2, 1 + round(log(min_size / short) / log(ratio)))
        while scales > 2 and (min_size / short) ** (1 / (scales - 1)) > NEAREST:
            scales -= 1
    check_whole("scales", scales, least=2)
    factor = (min_size / short) ** (1 / (scales - 1))
    if not FEWEST <= factor <= NEAREST:
        fitting = max(2, 1 + round(log(min_size / short) / log(0.73)))
        what = "nearly the same size" if factor > NEAREST else f"only {factor:.2f} of the next one's size"
        raise ConfigError(
            f"scales={scales} would make each scale {what}, for a short side of {short} pixels down to {min_size}; "
            f"{fitting} scales fit."
        )
    return [
        (_side(height, factor, scales - 1 - scale), _side(width, factor, scales - 1 - scale)) for scale in range(scales)
    ]


def smallest_side(min_size: int) -> int:
    """The smallest short side of an image from which a pyramid of two scales can be made."""
    return ceil(min_size / NEAREST)


def scaled_sizes(sizes: Sequence[Size], size: Size) -> list[Size]:
    """The sizes of a pyramid for another output size: every scale is multiplied alike, height and width on their own.

    Args:
        sizes: of the pyramid, coarsest first.
        size: that the last scale is to have.

    Returns:
        As many sizes, each at least 1 pixel; the last is `size`.
    """
    height, width = sizes[-1]
    return [(max(1, round(h * size[0] / height)), max(1, round(w * size[1] / width))) for h, w in sizes[:-1]] + [
        (size[0], size[1])
    ]


def image_pyramid(x: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """Images at every size, each made from the full one and clipped to [-1, 1].

    Args:
        x: (B, C, H, W) in [-1, 1].
        sizes: of the scales.

    Raises:
        ShapeError: a scale is larger than the images: a pyramid never enlarges.
    """
    for size in sizes:
        if size[0] > x.shape[-2] or size[1] > x.shape[-1]:
            raise ShapeError(
                f"A pyramid of images of {x.shape[-2]} x {x.shape[-1]} cannot have a scale of {size[0]} x {size[1]}, which "
                "is larger."
            )
    return [resize(x, size).clamp(-1, 1) for size in sizes]


def _side(side: int, factor: float, power: int) -> int:
    return max(1, round(side * factor**power))
