"""From whatever a user calls data to `Images`."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import shown
from unveil.core.protocols import Progress
from unveil.data.arrays import as_block, read_archive, read_array, reframe
from unveil.data.cache import decode_all
from unveil.data.dataset import Images
from unveil.data.decoding import check_channels
from unveil.data.files import as_encoded, photo_file, read_digits, read_folder, read_photos
from unveil.data.folders import ARRAYS, VIDEO, walk
from unveil.data.found import Block, Found, held_out_fifth
from unveil.data.framing import Crop, Frame
from unveil.data.hub import read_hub
from unveil.data.idx import read_pairs
from unveil.data.sources import Source, check_source
from unveil.data.split import Split, check_split
from unveil.data.store import Pictures, digest

_EPOCH = 1000  # a few pictures stand for about this many random crops


def open_images(
    source: str | os.PathLike[str] | np.ndarray | Tensor,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    split: Split = "train",
    crop: Crop | None = None,
    resize: int | bool | None = None,
    upsample: bool | None = None,
    flip: bool = False,
    crops: int | None = None,
    labels: bool = True,
    limit: int | None = None,
    cache: str | os.PathLike[str] | bool | None = None,
    progress: Progress | None = None,
) -> Images:
    """Open images from any source, and decode them all, so that damaged files are known before anything else begins.

    Sources: a folder (searched at any depth; `unveil.data.folders` tells which subfolders are classes and parts), one
    image, .npz, .npy and idx(.gz) files or a folder of the four MNIST files (`unveil.data.arrays`, `unveil.data.idx`),
    an array or tensor, a Hugging Face data set as `hf:NAME` or on disk, and two that are always there: `digits` (8x8)
    and `photos`. `load_image` tells how a file becomes pixels.

    Args:
        source: the source.
        size: height and width of a sample, one number for a square; None keeps the pictures', if they have one size.
        channels: 1 for grey, 3 for RGB; None takes RGB if any picture of the source is in colour.
        split: "train" or "test" (the source's own parts; else four fifths of the pictures, and the fifth whose
            contents have the smallest digests), or "all". A single picture is for training.
        crop: "center", "random", or "none", which changes the proportions instead. By default "center", and "random"
            for `photos`.
        resize: before a crop, True shrinks a picture until it just covers the size, a number shrinks its short side to
            that many pixels, False keeps its own pixels. By default True, and four times the size for `photos`.
        upsample: whether smaller pictures may be enlarged; by default only the `digits` may.
        flip: mirror samples left to right at random.
        crops: how many places each picture takes in the data set, if crops are random; by default so many that there
            are at least a thousand.
        labels: whether subfolders, and labels that lie beside the pictures, are classes.
        limit: at most this many pictures, spread evenly over the split.
        cache: where decoded files are kept; see `unveil.data.cache.decode_all`.
        progress: told how many files are decoded.

    Raises:
        DataError: the source is missing, empty, damaged or of no known kind, or its pictures do not fit the size.
        ConfigError: an option has no meaning.
    """
    check_channels(channels)
    check_split(split)
    for option, value in (("limit", limit), ("crops", crops)):
        if value is not None and value < 1:
            raise ConfigError(f"{option}={value} cannot be; give at least 1.")
    place, found = _find(source, split)
    name = place.name
    photos, digits = (place == Source("embedded", kind) for kind in ("photos", "digits"))
    side = (size, size) if isinstance(size, int) else size and (size[0], size[1])
    crop = crop or ("random" if photos and side else "center")
    if resize is None:
        resize = 4 * min(side) if photos and side else True
    frame = Frame(side, crop, resize, digits if upsample is None else upsample)
    if crops is not None and crop != "random":
        raise ConfigError(f"crops={crops} asks for several crops of each picture; crop={crop!r} must be 'random' then.")
    numbers = _numbers(found, frame, channels, name, cache, progress)
    rows = _rows(found, numbers, split, name)
    if limit is not None and limit < len(rows):
        rows = rows[np.arange(limit) * len(rows) // limit]
    known = labels and found.labels is not None
    store = numbers.store
    return Images(
        name,
        (channels or int(store.shapes[:, 0].max()), *(side or store.one_size(numbers.name))),
        frame,
        crops or (math.ceil(_EPOCH / len(rows)) if crop == "random" else 1),
        flip,
        found.classes if known else None,
        found.class_names if known else None,
        [*found.closed, *numbers.skipped],
        tuple(filter(None, (*numbers.notes, found.unread, found.stray if labels else ""))),
        torch.from_numpy(found.labels[numbers.kept][rows]) if known and found.labels is not None else None,
        store=store,
        rows=rows,
        digests=numbers.digests,
    )


def _find(source: str | os.PathLike[str] | np.ndarray | Tensor, split: Split) -> tuple[Source, Found]:
    if isinstance(source, Tensor):
        source = (source.float() if source.dtype == torch.bfloat16 else source).detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        return Source("npy", "array"), Found(as_block(source, "the array"))
    place = check_source(source)
    return place, _read(place, split)


def _read(place: Source, split: Split) -> Found:
    match place:
        case Source("points", name):
            raise DataError(f"'{name}' holds points, not pictures; open it with unveil.data.points.open_points.")
        case Source("moving-digits" | "video" | "videos"):
            raise DataError(_of_video(place))
        case Source("motions" | "bvh"):
            raise DataError(
                f"'{place.name}' holds motions of people, not pictures; train a model of poses on it, or give pictures."
            )
        case Source("embedded", "digits"):
            return read_digits()
        case Source("embedded", "photos"):
            return read_photos()
        case Source("embedded", name):
            return Found(as_encoded([photo_file(name.partition("/")[2])], name))
        case Source("hub", name, path):
            return read_hub(name, path, split)
    path = place.path
    assert path is not None
    match place.kind:
        case "npz":
            return read_archive(path, split)
        case "npy":
            return read_array(path)
        case "idx":
            return read_pairs(path, split)
        case "image":
            return Found(as_encoded([path], shown(path.resolve())))
        case _:
            return read_folder(path)


def _of_video(place: Source) -> str:
    folder = place.path
    if place.kind == "videos" and folder is not None and next(walk(folder, suffixes=VIDEO), None) is None:
        array = next(walk(folder, suffixes=ARRAYS), None)
        hint = f" It holds '{shown(array)}': give that file itself." if array else ""
        return f"The folder '{shown(folder)}' holds no images, nor does any folder in it.{hint}"
    return (
        f"'{place.name}' holds video, not pictures; open it with unveil.open_videos, train a model of video on it, or give "
        "pictures."
    )


@dataclass(frozen=True, eq=False)
class _Numbers:
    """The pictures of a source as numbers: framed, and without those that could not be read."""

    store: Pictures
    kept: np.ndarray  # which of those found each is
    name: Callable[[int], str]
    contents: Callable[[], Sequence[bytes]]  # what tells each from the others, before it was framed
    digests: Sequence[bytes] | None = None
    skipped: Sequence[tuple[str, str]] = ()
    notes: tuple[str, ...] = ()


def _numbers(
    found: Found,
    frame: Frame,
    channels: int | None,
    name: str,
    cache: str | os.PathLike[str] | bool | None,
    progress: Progress | None,
) -> _Numbers:
    pictures = found.pictures
    if isinstance(pictures, Block):
        block, pixels = reframe(pictures, frame, channels, f"'{name}'"), pictures.pixels
        return _Numbers(
            Pictures.of(block.pixels, block.levels),
            np.arange(len(block)),
            lambda row: f"picture {row} of '{name}'",
            lambda: [digest(picture) for picture in pixels],
        )
    decoded = decode_all(pictures, frame, channels, cache=cache, progress=progress)
    notes = f"{decoded.animated} of the files have several frames or pages; the first of each is used."
    return _Numbers(
        decoded.pictures,
        decoded.rows,
        lambda row: f"'{pictures.names[decoded.rows[row]]}'",
        lambda: decoded.contents,
        decoded.digests,
        decoded.skipped,
        (notes,) if decoded.animated else (),
    )


def _rows(found: Found, numbers: _Numbers, split: Split, name: str) -> np.ndarray:
    """Which pictures of the store are in the split."""
    if split == "all":
        return np.arange(len(numbers.store))
    if found.held_out is not None:
        rows = np.flatnonzero(found.held_out[numbers.kept] == (split == "test"))
        if not len(rows):
            raise DataError(f"No picture of the {split} part of '{name}' can be read.")
        return rows
    rows = np.flatnonzero(held_out_fifth(numbers.contents()) == (split == "test"))
    if not len(rows):
        raise DataError(
            f"'{name}' has fewer than five different pictures, too few to hold a fifth out for testing; "
            "use all of them (the split all), or give more."
        )
    return rows
