"""From the bytes of an image file to pixels: upright, without alpha, 8 bits, grey or RGB."""

import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import reason, shown
from unveil.data.framing import Frame

_UPRIGHT = {  # what turns a picture of each EXIF orientation upright; from 5 on height and width change places
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableError(DataError):
    """A file that cannot be decoded; the message is the bare reason, for whoever knows the file's name."""


def load_image(
    path: str | os.PathLike[str], channels: int | None = None, *, behind: Literal["white", "black"] = "white"
) -> Tensor:
    """Read one picture: (C, H, W), float32 in [-1, 1].

    The picture is turned upright by its EXIF orientation and laid over `behind` where it is transparent; 16 bits become
    8; of an animation or a file of many pages the first is taken. Colour profiles are not applied.

    Args:
        path: the file.
        channels: 1 for grey (Rec. 601 luma), 3 for RGB; None keeps what the file is.
        behind: what shows where the picture is transparent.

    Raises:
        DataError: the file is missing, damaged, not an image, or larger than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    check_channels(channels)
    try:
        with warnings.catch_warnings(action="ignore"):  # what matters is an error, and the rest does not
            pixels, _ = decode(Path(path).expanduser().read_bytes(), shown(path), Frame(), channels, behind)
    except OSError as error:
        raise DataError(f"'{shown(path)}' cannot be read: {reason(error)}.") from None
    except UnreadableError as error:
        raise DataError(f"'{shown(path)}' cannot be read as an image: {error}.") from None
    x = torch.tensor(pixels, dtype=torch.float32).div_(127.5).sub_(1)
    return x.expand(channels or len(x), -1, -1).contiguous()


@dataclass(frozen=True)
class Contents:
    """What a file of pictures holds that `load_image` does not keep.

    Attributes:
        frames: how many pictures.
        transparent: whether something shines through.
        deep: whether a channel has more than 8 bits.
    """

    frames: int
    transparent: bool
    deep: bool


def inspect_image(path: str | os.PathLike[str]) -> Contents:
    """Look at what a picture file holds, without decoding its pixels.

    Raises:
        DataError: the file is missing or is no image.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(Path(path).expanduser()) as image:
            frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
            return Contents(frames, image.has_transparency_data, image.mode.startswith(("I", "F")))
    except (Image.UnidentifiedImageError, Image.DecompressionBombError):
        raise DataError(f"'{shown(path)}' cannot be read as an image.") from None
    except OSError as error:
        raise DataError(f"'{shown(path)}' cannot be read: {reason(error)}.") from None
    except Exception as error:  # as in `decode`
        raise DataError(f"'{shown(path)}' cannot be read as an image: {reason(error)}.") from None


def check_channels(channels: int | None) -> None:
    """Refuse any number of channels but 1 and 3; None stands for what the pictures are."""
    if channels not in (None, 1, 3):
        raise ConfigError(
            f"channels={channels!r} cannot be; give 1 for grey, 3 for RGB, or None for the pictures' own."
        )


def decode(raw: bytes, name: str, frame: Frame, channels: int | None, behind: str = "white") -> tuple[np.ndarray, bool]:
    """Decode and frame one picture.

    Grey pictures keep one channel whatever is asked, since one that is repeated can be repeated later.

    Returns:
        Pixels (1 or 3, H, W) in uint8, and whether the file holds more frames than the first.

    Raises:
        UnreadableError: the file is damaged, no image, or too large; the message does not name it.
        DataError: the picture, called `name`, is smaller than the frame.
    """
    if not raw:
        raise UnreadableError("it is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(raw)) as image:
            most = Image.MAX_IMAGE_PIXELS
            if most is not None and image.width * image.height > most:
                raise Image.DecompressionBombError
            # MPO, the format of many telephones, carries a second view or a depth map: no animation.
            animated = getattr(image, "is_animated", False) and image.format != "MPO"
            if image.format not in ("JPEG", "MPO"):  # the kinds that can be decoded at a reduced size, see below
                image.load()
            orientation = _orientation(image)
            height, width = image.size if orientation >= 5 else image.size[::-1]
            tall, wide = frame.resampled(height, width, name)
            # A JPEG may be decoded at a half, a quarter or an eighth; twice the goal is left to the fine resampling.
            scale = 2 * max(tall / height, wide / width)
            image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
            flat = flatten(image, behind)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError("it is not an image, or its beginning is damaged") from None
    except Image.DecompressionBombError:
        raise UnreadableError(
            f"it holds more than {Image.MAX_IMAGE_PIXELS:,} pixels (PIL.Image.MAX_IMAGE_PIXELS), perhaps to do harm"
        ) from None
    except Exception as error:  # damaged bytes make Pillow's many readers raise nearly anything
        raise UnreadableError(reason(error)) from None
    if orientation in _UPRIGHT:
        flat = flat.transpose(_UPRIGHT[orientation])
    return framed(flat, (tall, wide), frame, channels), animated


def framed(picture: Image.Image, resampled: tuple[int, int], frame: Frame, channels: int | None) -> np.ndarray:
    """Resample a picture, "L" or "RGB", to a height and width and keep what a frame keeps: (1 or 3, H, W) uint8."""
    if channels == 1:
        picture = picture.convert("L")
    tall, wide = resampled
    if picture.size != (wide, tall):
        picture = picture.resize((wide, tall), Image.Resampling.BICUBIC)
    rows, columns = frame.kept(tall, wide)
    pixels = np.asarray(picture)[rows, columns]
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _orientation(image: Image.Image) -> int:
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the notes of cameras are often broken where the picture is whole
        return 1
    return orientation if orientation in _UPRIGHT else 1


def flatten(image: Image.Image, behind: str) -> Image.Image:
    """Bring any mode to 8 bits, grey ("L") or "RGB"; what shines through is `behind`."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableError("its 32-bit values leave 0..65535, and nothing says what white is")
        return Image.fromarray((values / 257 + 0.5).astype(np.uint8))
    if image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 1):
            raise UnreadableError("its floating-point values leave 0..1, and nothing says what white is")
        return Image.fromarray((values * 255 + 0.5).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, behind)
        ground.alpha_composite((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))
        image = ground.convert("RGB")
    return image.convert("L" if grey else "RGB")
