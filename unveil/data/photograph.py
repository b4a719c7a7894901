"""One picture to learn from, at its working size."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import shown
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness
from unveil.data.decoding import inspect_image, load_image
from unveil.data.files import photo_file
from unveil.data.folders import walk
from unveil.data.images import open_images
from unveil.data.masks import painted
from unveil.data.sources import PHOTOS, Source, check_source
from unveil.data.store import digest
from unveil.pyramids import masked_resize, resize

_LEAST = 1e-4
"""Standard deviation of every channel, of 2, below which a picture has one colour."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A data set of one picture.

    Attributes:
        name: a short name of it.
        x: the picture, (C, H, W) in [-1, 1].
        hole: (1, H, W), 1 where nothing is to be learned; None without a hole.
        notes: sentences on what a user should know.
        classes, class_names, skipped: nothing.
    """

    name: str
    x: Tensor
    hole: Tensor | None = None
    notes: tuple[str, ...] = ()

    classes = None
    class_names = None
    skipped = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.x.shape
        return channels, height, width

    def __len__(self) -> int:
        return 1

    @cached_property
    def fingerprint(self) -> str:
        """Names the numbers of the picture and of the hole."""
        return digest(self.x.numpy(), b"" if self.hole is None else self.hole.numpy()).hex()

    def batch(
        self, index: Sequence[int] | np.ndarray | Tensor, generator: Randomness = None
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The picture, as often as it is asked for, (B, C, H, W), and {"hole": (B, 1, H, W)} where it has one.

        Raises:
            IndexError: an index is not 0.
        """
        places = np.asarray(index, dtype=np.int64).reshape(-1)
        if places.any():
            raise IndexError(f"'{self.name}' is one picture, of index 0; {int(places.max())} was asked for.")
        x = self.x.expand(len(places), -1, -1, -1).clone()
        return x, {} if self.hole is None else {"hole": self.hole.expand(len(places), -1, -1, -1).clone()}


def open_photograph(
    source: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    longest: int | None = None,
    shortest: int | None = None,
    hole: str | os.PathLike[str] | None = None,
) -> Photograph:
    """Open one picture and bring it to its working size; the file is never changed, and nothing is enlarged.

    Args:
        source: a file, a single picture in an .npy or .npz, or one of the embedded photographs, such as photos/rocket.
        size: exact height and width, as a run has found them before; it goes before `longest`.
        channels: 1 for grey, 3 for RGB; the picture's own when None.
        longest: pixels that the long side is shrunk to; None keeps the picture's own size.
        shortest: pixels that the short side keeps even so, where the picture has them: for very long pictures.
        hole: a picture of the same size, white where nothing is to be learned and black elsewhere.

    Raises:
        DataError: it is missing, damaged, or not one picture; or the hole is no mask, has another size, or covers everything
            or nothing; or one colour is all that can be learned.
        ConfigError: a number that cannot be.
    """
    for name, value in (("longest", longest), ("shortest", shortest)):
        if value is not None:
            check_whole(name, value)
    place = check_source(source)
    x, notes = _read(place, str(source), channels)
    height, width = x.shape[-2:]
    goal = _working_size(height, width, size, longest, shortest)
    if goal != (height, width) and size is None:
        notes.append(
            f"{shown(place.path) if place.path else place.name} has {width} x {height} pixels (width x height); it is learned "
            f"at {goal[1]} x {goal[0]}, and stays as it is itself. data.longest={max(height, width)} keeps its size."
        )
    if hole is None:
        pixels = resize(x[None], goal).clamp(-1, 1)
        _check_varied(pixels.flatten(2)[0], str(source))
        return Photograph(place.name, pixels[0], None, tuple(notes))
    known = 1 - _hole(hole, (height, width))
    pixels, seen = masked_resize(x[None], known[None], goal)
    if not bool(seen.any()):
        raise DataError(
            f"The hole in {shown(hole)} leaves no pixel of the picture known at {goal[1]} x {goal[0]} (width x height), at "
            "which it is learned; give a smaller hole, or learn it larger (data.longest)."
        )
    _check_varied(pixels[0][:, seen[0, 0].bool()], f"{source} outside its hole")
    return Photograph(place.name, pixels[0], 1 - seen[0], tuple(notes))


def _read(place: Source, source: str, channels: int | None) -> tuple[Tensor, list[str]]:
    notes = []
    if place.kind == "image" or (place.kind == "embedded" and "/" in place.name):
        path = place.path or photo_file(place.name.partition("/")[2])
        contents = inspect_image(path)
        if contents.frames > 1:
            notes.append(f"{shown(path)} has {contents.frames} frames or pages; the first is used.")
        if contents.transparent:
            notes.append(f"{shown(path)} is transparent in places; it is laid over white.")
        if contents.deep:
            notes.append(f"{shown(path)} has more than 8 bits a channel; it is rounded to 8.")
        return load_image(path, channels), notes
    if place.kind in ("npy", "npz"):
        images = open_images(source, channels=channels, split="all", labels=False)
        if images.pictures == 1:
            return images.batch([0])[0][0], notes
        raise DataError(f"'{place.name}' holds {images.pictures} pictures, and this model learns from one; give one.")
    if place.kind in ("motions", "bvh"):
        raise DataError(f"'{source}' holds motions of people, and this model learns from one picture; give a file.")
    if place == Source("embedded", "photos"):
        names = ", ".join(f"photos/{name}" for name in PHOTOS)
        raise DataError(f"'photos' holds several pictures, and this model learns from one; name one of {names}.")
    found = next(walk(place.path), None) if place.kind == "folder" and place.path is not None else None
    hint = f", such as {shown(place.path / found)}" if found is not None and place.path is not None else ""
    raise DataError(f"'{source}' is not one picture, and this model learns from one; give a file{hint}.")


def _working_size(
    height: int, width: int, size: tuple[int, int] | None, longest: int | None, shortest: int | None
) -> tuple[int, int]:
    if size is not None:
        if size[0] > height or size[1] > width or abs(size[0] * width - size[1] * height) > max(height, width):
            raise ConfigError(
                f"data.size is {size[0]} x {size[1]} (height x width), and the picture of {height} x {width} cannot be shrunk "
                "to that in its own proportions; leave data.size out, and give data.longest."
            )
        return size
    share = min(1.0, longest / max(height, width)) if longest is not None else 1.0
    if shortest is not None:
        share = max(share, min(1.0, shortest / min(height, width)))
    return max(1, round(height * share)), max(1, round(width * share))


def _check_varied(pixels: Tensor, name: str) -> None:
    """Refuse pixels, (C, N), of one colour."""
    if float(pixels.std(1, correction=0).max()) < _LEAST:
        raise DataError(
            f"{name} has one colour everywhere, so there is nothing to learn from it; give another picture."
        )


def _hole(path: str | os.PathLike[str], size: tuple[int, int]) -> Tensor:
    """A mask (1, H, W): 1 where a picture is white."""
    mask = painted((load_image(path, 1, behind="black") + 1) / 2, f"The hole in {shown(path)}")
    if mask.shape[-2:] != size:
        raise DataError(
            f"The hole in {shown(path)} is {mask.shape[2]} x {mask.shape[1]} pixels (width x height), and the picture is "
            f"{size[1]} x {size[0]}; they must have the same size."
        )
    if not 0 < float(mask.mean()) < 1:
        what = "all of the picture" if bool(mask.any()) else "nothing: it is dark everywhere"
        raise DataError(
            f"The hole in {shown(path)} covers {what}; make it white where the hole is, and black elsewhere."
        )
    return mask
