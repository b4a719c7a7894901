"""Pictures as a codec reads and writes them: whole, in bytes, of any size."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unveil.core.errors import DataError
from unveil.core.files import reason, shown
from unveil.core.protocols import Progress
from unveil.data.decoding import UnreadableError, inspect_image
from unveil.data.decoding import decode as decode_picture
from unveil.data.files import read_folder, read_photos
from unveil.data.found import Encoded
from unveil.data.framing import Frame
from unveil.data.images import open_images
from unveil.data.sources import Source
from unveil.tasks.codec import read_whole

_FAST = 1  # of PNG: twice the bytes a second of the usual level, for files that are a few percent larger


def numbers(source: Source, data: str | Path, channels: int) -> Encoded | Tensor:
    """The pictures of a source, as files to be read one by one, or where they are no files all in one block in [-1, 1]."""
    match source.kind:
        case "folder" if source.path is not None:
            found = read_folder(source.path).pictures
        case "embedded" if source.name == "photos":
            found = read_photos().pictures
        case "image" if source.path is not None:
            found = Encoded(
                [shown(source.path)], lambda row: Path(str(source.path)).read_bytes(), str(source.path), "", 0
            )
        case _:
            images = open_images(data, channels=channels, split="all", labels=False)
            return images.batch(range(len(images)))[0]
    assert isinstance(found, Encoded)
    return found


class Readable:
    """Picture files as tensors (C, H, W), uint8, one after another; those that cannot be read are passed over.

    Attributes:
        skipped: of which files, and why.
    """

    def __init__(self, found: Encoded, channels: int, progress: Progress) -> None:
        self.found, self.channels, self.progress = found, channels, progress
        self.skipped: list[str] = []

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Tensor]:
        for row, name in enumerate(self.found.names):
            try:
                pixels, _ = decode_picture(self.found.read(row), name, Frame(), self.channels)
            except (OSError, UnreadableError) as error:
                self.skipped.append(f"'{name}' cannot be read: {reason(error)}.")
                continue
            yield _tensor(pixels).expand(self.channels, -1, -1)
            self.progress(row + 1, len(self))


def read_bytes(path: Path, *, drop_alpha: bool) -> tuple[Tensor, list[str]]:
    """Read one picture, (1 or 3, H, W) in uint8, and what of its file is not kept.

    Raises:
        DataError: it is missing, damaged, animated, or transparent where that is not to be dropped.
    """
    try:
        pixels, _ = decode_picture(read_whole(path), shown(path), Frame(), None)
    except UnreadableError as error:
        raise DataError(f"'{shown(path)}' cannot be read as an image: {error}.") from None
    contents, notes = inspect_image(path), []
    if contents.frames > 1:
        raise DataError(
            f"'{shown(path)}' holds {contents.frames} pictures, an animation or pages; give one picture, such as one frame of "
            "it."
        )
    if contents.transparent and not drop_alpha and _shines_through(path):
        raise DataError(
            f"'{shown(path)}' is transparent in places, which a codec does not keep; lay it over white with --drop-alpha."
        )
    if contents.deep:
        notes.append(f"'{shown(path)}' has more than 8 bits a channel; it was rounded to 8.")
    return _tensor(pixels), notes


def _shines_through(path: Path) -> bool:
    """Whether anything does: many programs keep an alpha that is opaque everywhere."""
    with Image.open(path) as image:
        return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements="W"))  # grey ones may still belong to Pillow


def write_picture(x: Tensor, file: Path, suffix: str) -> None:
    """Write a picture (1 or 3, H, W) in uint8 in the format of a suffix."""
    pixels = x.numpy()
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    kind = {".tif": "TIFF", ".tiff": "TIFF"}.get(suffix, suffix[1:].upper())
    options = {"compress_level": _FAST} if kind == "PNG" else {}
    image.save(file, kind, **options)
