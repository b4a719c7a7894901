"""A clip as one picture: its frames side by side."""

from collections.abc import Collection

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.data.saving import to_uint8

_WHITE, _KNOWN = 255, (70, 120, 200)


def strip(
    x: Tensor, *, known: Collection[int] = (), most: int | None = None, scale: int | None = None, padding: int = 2
) -> Tensor:
    """Lay the frames of clips side by side, a row for each clip, on white; those that were known have a blue border.

    Args:
        x: a clip (T, C, H, W), or some of one length (B, T, C, H, W), in [-1, 1] or uint8, with 1 or 3 channels.
        known: the frames that were given and not made, counted from 0.
        most: show at most so many frames, evenly spread, the first and the last among them.
        scale: enlarges each pixel to scale x scale; by default so that frames are about 64 pixels wide, or their own.
        padding: pixels around each frame.

    Returns:
        One picture (3, H', W') in uint8, which `save_images` saves as a .png.

    Raises:
        ShapeError: x is no clip.
        ConfigError: a number cannot be.
    """
    x = x[None] if x.ndim == 4 else x
    if x.ndim != 5 or x.shape[2] not in (1, 3) or not x.numel():
        raise ShapeError(f"A strip is made of clips (B, T, C, H, W), C = 1 or 3, or of one; got {tuple(x.shape)}.")
    if (scale is not None and scale < 1) or padding < 0 or (most is not None and most < 2):
        raise ConfigError(f"scale={scale}, padding={padding}, most={most} cannot be: scale starts at 1 and most at 2.")
    x = to_uint8(x)
    number = list(range(x.shape[1]))
    if most is not None and most < len(number):
        number = [round(i * (len(number) - 1) / (most - 1)) for i in range(most)]
    scale = max(1, round(64 / x.shape[-1])) if scale is None else scale
    x = x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    tall, wide = x.shape[-2] + 2 * padding, x.shape[-1] + 2 * padding
    sheet = torch.full((3, len(x) * tall, len(number) * wide), _WHITE, dtype=torch.uint8)
    for row, clip in enumerate(x):
        for column, frame in enumerate(number):
            cell = sheet[:, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            if frame in known:
                cell[:] = torch.tensor(_KNOWN, dtype=torch.uint8)[:, None, None]
            cell[:, padding : tall - padding, padding : wide - padding] = clip[frame]
    return sheet
