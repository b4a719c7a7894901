"""Pictures out: grids, folders of PNGs, and animations."""

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.files import beside, new_file, shown, unwritable
from unveil.data.writing import MARK, check_pictures, is_ours

_CELL = 64  # pixels that a small picture is enlarged to, about
_WHITE = 255


def to_uint8(x: Tensor) -> Tensor:
    """Bring pictures of any shape from [-1, 1] to 0 .. 255 by rounding, on the CPU; what leaves the range is clipped.

    uint8 is returned as it is.

    Raises:
        DataError: they are neither floating point numbers nor uint8.
        DivergenceError: a number is not finite.
    """
    x = x.detach().cpu()
    if x.dtype == torch.uint8:
        return x
    if not x.is_floating_point():
        raise DataError(f"The pictures are {x.dtype}; give floating point numbers in [-1, 1], or uint8 from 0 to 255.")
    if not torch.isfinite(x).all():
        raise DivergenceError("The pictures hold numbers that are not finite: the model or the sampler has diverged.")
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def grid(x: Tensor, *, columns: int | None = None, padding: int = 2, scale: int | None = None) -> Tensor:
    """Lay pictures out in rows on white.

    Args:
        x: (B, C, H, W) in [-1, 1], or uint8, with 1 or 3 channels.
        columns: pictures in a row; by default a number near the root of B that leaves no gap, where there is one.
        padding: white pixels around each.
        scale: enlarges each pixel to scale x scale; by default so that pictures are about 64 pixels wide, or their own.

    Returns:
        One picture (C, H', W') in uint8.

    Raises:
        ShapeError: x is not a batch of grey or RGB pictures.
    """
    x = _pictures(x)
    count, channels, height, width = x.shape
    if columns is None:
        columns = _columns(count)
    if columns < 1 or padding < 0 or (scale is not None and scale < 1):
        raise ConfigError(
            f"columns={columns}, padding={padding}, scale={scale} cannot be; columns and scale start at 1."
        )
    columns = min(columns, count)
    if scale is None:
        scale = max(1, round(_CELL / width))
    x = x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    rows = math.ceil(count / columns)
    tall, wide = height * scale + padding, width * scale + padding
    sheet = torch.full((channels, rows * tall + padding, columns * wide + padding), _WHITE, dtype=torch.uint8)
    for i, picture in enumerate(x):
        top, left = padding + i // columns * tall, padding + i % columns * wide
        sheet[:, top : top + height * scale, left : left + width * scale] = picture
    return sheet


def save_images(
    x: Tensor,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    metadata: Mapping[str, Any] | None = None,
    columns: int | None = None,
    padding: int = 2,
    scale: int | None = None,
) -> Path:
    """Save pictures: all on one sheet if the path ends in .png, else in a folder as 00000.png, 00001.png, ...

    A single picture in a .png, and each one in a folder, is saved pixel for pixel, unless `scale` enlarges it.
    A folder that exists must be empty; with `force` it may also hold numbered pictures that were saved there before, and
    nothing else: they are all replaced.

    Args:
        x: (B, C, H, W), or one picture (C, H, W), in [-1, 1] or uint8, with 1 or 3 channels.
        path: a .png file or a folder; folders that are missing on the way are made.
        force: overwrite what is there.
        metadata: written into every PNG as text, e.g. {"seed": 0, "recipe": ...}; what is not text is written as JSON.
            Before it stands Software: unveil, by which a folder's own pictures are known again.
        columns: see `grid`.
        padding: see `grid`.
        scale: see `grid`.

    Returns:
        The path.

    Raises:
        ExistsError: something is there, and `force` is false or the folder holds something else.
        UnveilError: it cannot be written, as on a full disk.
    """
    path = Path(path).expanduser()
    check_pictures(path, force)
    x = _pictures(x[None] if isinstance(x, Tensor) and x.ndim == 3 else x)
    info = PngInfo()
    info.add_text(*MARK)
    for key, value in (metadata or {}).items():
        info.add_text(key, _text(value))
    if path.suffix.lower() == ".png":
        sheet = grid(x, columns=columns, padding=padding, scale=scale) if len(x) > 1 else _enlarged(x, scale)[0]
        with new_file(path, force) as file:
            as_image(sheet).save(file, "PNG", pnginfo=info)
    else:
        _save_folder(_enlarged(x, scale), path, info)
    return path


def save_animation(
    frames: Iterable[Tensor],
    path: str | os.PathLike[str],
    *,
    fps: float = 12.0,
    hold: float = 1.5,
    force: bool = False,
    metadata: Mapping[str, Any] | None = None,
    columns: int | None = None,
    padding: int = 2,
    scale: int | None = None,
) -> Path:
    """Save a trajectory as a GIF that plays for ever, each frame a sheet of pictures.

    Args:
        frames: T batches (B, C, H, W) in [-1, 1] or uint8, as a tensor (T, B, C, H, W) or one after another.
        path: a .gif file.
        fps: frames a second; GIF counts in hundredths of a second.
        hold: how many seconds the last frame stays.
        force: overwrite what is there.
        metadata: written into the file's comment, as JSON.
        columns: see `grid`.
        padding: see `grid`.
        scale: see `grid`.

    Returns:
        The path.

    Raises:
        ExistsError: something is there, and `force` is false.
        UnveilError: it cannot be written, as on a full disk.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"'{shown(path)}': an animation is saved as .gif.")
    if not 0 < fps <= 100:
        raise ConfigError(f"fps={fps} cannot be; a GIF plays at most 100 frames a second.")
    sheets = [as_image(grid(x, columns=columns, padding=padding, scale=scale)) for x in frames]
    if not sheets:
        raise ShapeError("There are no frames to save.")
    times = [round(100 / fps) * 10] * len(sheets)
    times[-1] = max(times[-1], round(hold * 100) * 10)
    comment = json.dumps(dict(metadata), default=str) if metadata else ""
    with new_file(path, force) as file:
        sheets[0].save(
            file, "GIF", save_all=True, append_images=sheets[1:], duration=times, loop=0, comment=comment.encode()
        )
    return path


def _pictures(x: Tensor) -> Tensor:
    if not isinstance(x, Tensor):
        raise DataError(
            f"Pictures to save are a tensor; got a {type(x).__name__}, of which torch.as_tensor may make one."
        )
    shape = tuple(x.shape)
    if x.ndim != 4:
        raise ShapeError(f"Pictures to save have the shape (B, C, H, W), or (C, H, W) for one; got {shape}.")
    if not x.numel():
        raise ShapeError(f"Pictures to save have the shape (B, C, H, W); in {shape} there is nothing to see.")
    if x.shape[1] not in (1, 3):
        last = " These lie behind: bring them forward with permute(0, 3, 1, 2)." if x.shape[3] in (1, 3) else ""
        raise ShapeError(
            f"Pictures to save have the shape (B, C, H, W) with 1 channel (grey) or 3 (RGB); got {shape}, which has "
            f"{x.shape[1]}.{last}"
        )
    return to_uint8(x)


def _columns(count: int) -> int:
    least = math.isqrt(count - 1) + 1  # the root, rounded up
    return next((n for n in range(least, 2 * math.isqrt(count) + 1) if count % n == 0), least)


def _enlarged(x: Tensor, scale: int | None) -> Tensor:
    return x if scale is None else x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)


def as_image(picture: Tensor) -> Image.Image:
    """One picture (C, H, W) in uint8, grey or RGB, for Pillow."""
    pixels = picture.numpy()
    return Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _save_folder(x: Tensor, path: Path, info: PngInfo) -> None:
    names = [f"{i:05d}.png" for i in range(len(x))]
    temporary = beside(path)
    try:
        temporary.mkdir(parents=True)
        for name, picture in zip(names, x, strict=True):
            as_image(picture).save(temporary / name, "PNG", pnginfo=info)
        if path.is_dir():
            for name in names:
                (temporary / name).replace(path / name)
            for old in path.iterdir():
                if old.name not in names and is_ours(old):
                    old.unlink()
        else:
            temporary.rename(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
