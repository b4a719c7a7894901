"""How many bits a picture takes without loss in the best of some file formats: a measure of how simple it is."""

import io
import lzma
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from unveil.core.errors import ConfigError, DataError

FORMATS = ("png", "webp", "jxl", "lzma")
SMALL = 16
"""Sides below this: a file's header is as long as the picture."""


def installed_formats() -> tuple[str, ...]:
    """The formats that can be written here; "webp" and "jxl" depend on how Pillow was built."""
    Image.init()
    return tuple(
        name
        for name in FORMATS
        if name in ("png", "lzma") or (features.check("webp") if name == "webp" else "JXL" in Image.SAVE)
    )


def lossless_bits(x: Tensor, formats: Sequence[str] = ("png", "webp")) -> Tensor:
    """Bits per number of each picture in the smallest of its files, (B,), float64.

    Numbers measured with different formats are not to be compared; PNG and WebP come with every Pillow.

    Args:
        x: whole numbers, uint8, (B, C, H, W) with 1 or 3 channels.
        formats: of `FORMATS`; "lzma" packs the bare numbers.

    Raises:
        DataError: other numbers than uint8, or other shapes.
        ConfigError: a format that is unknown or not installed.

    Source: Serra et al. (2020), arXiv:1909.11480.
    """
    if x.dtype != torch.uint8:
        raise DataError(f"Files hold whole levels: give pictures as uint8, not as {x.dtype}.")
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise DataError(f"Pictures are (B, 1, H, W) or (B, 3, H, W); these are {tuple(x.shape)}.")
    known = installed_formats()
    missing = [name for name in formats if name not in known]
    if missing or not formats:
        raise ConfigError(
            f"Pictures cannot be packed as {', '.join(missing) or 'nothing'}; installed are {', '.join(known)}."
        )
    if min(x.shape[2:]) < SMALL:
        warnings.warn(
            f"Pictures of {x.shape[3]} x {x.shape[2]} are smaller than the headers of their files, so their complexity says "
            f"little; from {SMALL} x {SMALL} on it does.",
            stacklevel=2,
        )
    pictures = x.permute(0, 2, 3, 1).cpu().numpy()
    sizes = [min(_PACKERS[name](picture) for name in formats) for picture in pictures]
    return torch.tensor(sizes, dtype=torch.float64) * 8 / x[0].numel()


def _saved(kind: str, **options: object) -> Callable[[np.ndarray], int]:
    def size(picture: np.ndarray) -> int:
        file = io.BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, kind, **options)
        return file.tell()

    return size


_PACKERS: dict[str, Callable[[np.ndarray], int]] = {
    "png": _saved("PNG", optimize=True),
    "webp": _saved("WEBP", lossless=True, quality=100, method=6),
    "jxl": _saved("JXL", lossless=True, effort=9),
    "lzma": lambda picture: len(lzma.compress(picture.tobytes(), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])),
}
