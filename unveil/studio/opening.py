"""Files that a page brings or finds in its folder, told apart by their names and looked at before they are used."""

import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from unveil.body.amass import read_amass
from unveil.body.body_motion import BodyMotion
from unveil.body.parametric import Body
from unveil.core.errors import DataError
from unveil.studio.backdrop import Backdrop
from unveil.studio.folder import check_size
from unveil.studio.looks import PAPER
from unveil.tasks.pose_choices import CHARACTERS, PICTURES

MOTIONS = (".npz",)
ESTIMATES = (".pkl",)
PROJECTS = (".json",)
KNOWN = (*MOTIONS, *ESTIMATES, *CHARACTERS, *PROJECTS, *PICTURES)

_WIDEST = 1600  # pixels of a picture behind the body
_LONGEST = 20_000  # frames of a motion
_Read = TypeVar("_Read")


def suffix_of(name: str) -> str:
    """What kind of file a name tells, one of those known.

    Raises:
        DataError: it is none of them.
    """
    lower = name.lower()
    found = next((suffix for suffix in sorted(KNOWN, key=len, reverse=True) if lower.endswith(suffix)), None)
    if found is None:
        raise DataError(f"'{name[:60]}' cannot be opened here; files may be {', '.join(KNOWN)}.")
    return found


def read_motion(name: str, data: bytes, body: Body) -> BodyMotion:
    """A motion, or one pose, of an .npz file.

    Raises:
        DataError: it is none, or too long.
    """
    motion = from_bytes(name, data, ".npz", lambda path: read_amass(path, body))
    if len(motion) > _LONGEST:
        raise DataError(f"{name} has {len(motion)} frames; up to {_LONGEST} can be opened here.")
    return motion


def read_json(name: str, data: bytes) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: it is none.
    """
    check_size(name, len(data))
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise DataError(f"{name} is no JSON file that can be read.") from None


def read_picture(name: str, data: bytes) -> Backdrop:
    """A picture, upright, to be shown at most 1600 pixels wide or high.

    Raises:
        DataError: it is none, or too large.
    """
    check_size(name, len(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                upright = _on_paper(ImageOps.exif_transpose(image))
                width, height = upright.size
                upright.thumbnail((_WIDEST, _WIDEST))
                return Backdrop(np.asarray(upright).copy(), name, (height, width))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{name} has too many pixels; make it smaller.") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise DataError(f"{name} is no picture that can be read.") from None


def _on_paper(image: Image.Image) -> Image.Image:
    """Without what shines through: that may hide any colour."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, (*PAPER, 255))
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")


def from_bytes(name: str, data: bytes, suffix: str, read: Callable[[Path], _Read]) -> _Read:
    """Let a reader of files read bytes; its message names the file as the page does.

    Raises:
        DataError: the reader refused them.
    """
    check_size(name, len(data))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"opened{suffix}"  # the page's own name never reaches the disk
        path.write_bytes(data)
        try:
            return read(path)
        except (DataError, OSError) as error:
            raise DataError(str(error).replace(str(path), name)) from None


def _refuse_constant(word: str) -> float:
    raise ValueError(word)
