"""Arrays of pictures, from memory or from .npy and .npz files, brought to (N, C, H, W).

Accepted shapes: (N, H, W, C), (N, C, H, W), (N, H, W) for grey, and (H, W, 3) for one colour picture. Of the axes 1 and 3
the channels' is the one of length 1 or 3, and if that does not tell, the shorter one.
Accepted numbers: uint8 and other integers in 0..255, bool, and floats in [0, 1] or [-1, 1]. Floats that are whole
255ths become the 8-bit numbers they once were; others are kept as float32.
"""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from unveil.core.errors import DataError
from unveil.core.files import reason, shown
from unveil.data.found import Block, Found, class_numbers
from unveil.data.framing import Frame
from unveil.data.split import Split
from unveil.operators import LUMA

_TRAIN = ("train_images", "x_train", "images_train", "images", "image", "x", "data", "frames", "arr_0")
_TRAIN_LABELS = ("train_labels", "y_train", "labels_train", "labels", "label", "y", "targets", "target")
_TEST = ("test_images", "x_test", "images_test")
_TEST_LABELS = ("test_labels", "y_test", "labels_test")
_NAMES = ("class_names", "label_names")
_CHANNELS = 4  # at most
_CHUNK = 1024
_MAPPED = 1 << 30  # a larger file stays on disk, mapped into memory


def read_array(path: Path) -> Found:
    """Read the pictures of an .npy file, which holds no labels."""
    with readable(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return Found(as_block(array, f"'{shown(path)}'"))


@dataclass(frozen=True)
class _Part:
    """The training or the test part of an archive, by the names of its arrays."""

    images: str
    labels: str | None
    held_out: bool


def read_archive(path: Path, split: Split) -> Found:
    """Read the pictures and labels of an .npz file; of its own training and test parts only what is asked for."""
    where = f"'{shown(path)}'"
    with readable(path), np.load(path, allow_pickle=False) as file:
        keys = {key.lower(): key for key in file.files}

        def find(names: tuple[str, ...]) -> str | None:
            return next((keys[name] for name in names if name in keys), None)

        train, test, names = find(_TRAIN), find(_TEST), find(_NAMES)
        if train is None:
            train, test = _only_pictures(file, where), None
        parts = [_Part(train, find(_TRAIN_LABELS), False)]
        if test is not None:
            parts.append(_Part(test, find(_TEST_LABELS), True))
        labels = {part.images: np.atleast_1d(file[part.labels]) for part in parts if part.labels is not None}
        class_names = None if names is None else tuple(str(name) for name in file[names].tolist())
        if test is not None and split != "all":
            parts = [part for part in parts if part.held_out == (split == "test")]
        blocks = [as_block(file[part.images], f"{part.images} of {where}") for part in parts]
    pixels = _joined(blocks, where)
    held_out = np.repeat([part.held_out for part in parts], [len(block) for block in blocks])
    found = Found(pixels, held_out=held_out if test is not None else None)
    if any(part.labels is None for part in parts):
        return found
    for part, block in zip(parts, blocks, strict=True):
        count = len(labels[part.images])
        if count != len(block):
            raise DataError(f"{where} has {len(block)} {part.images} but {count} {part.labels}; give one for each.")
    # All labels of the file are numbered together, so that each part knows every class.
    numbers, texts = class_numbers(np.concatenate([v.reshape(len(v), -1) for v in labels.values()]), where)
    ends = np.cumsum([len(values) for values in labels.values()])
    own = dict(zip(labels, np.split(numbers, ends[:-1]), strict=True))
    classes = max(int(numbers.max()) + 1, len(class_names or ()))
    wanted = np.concatenate([own[part.images] for part in parts])
    return replace(found, labels=wanted, classes=classes, class_names=class_names or texts)


def _joined(blocks: list[Block], where: str) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    if len({(block.pixels.shape[1:], block.levels) for block in blocks}) > 1:
        raise DataError(f"The training and the test pictures of {where} differ in shape or in type.")
    return Block(np.concatenate([block.pixels for block in blocks]), blocks[0].levels)


def _only_pictures(file: Mapping[str, np.ndarray], where: str) -> str:
    shapes = {key: file[key].shape for key in file}
    found = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    if len(found) == 1:
        return found[0]
    held = ", ".join(f"{shown(key)} {shape}" for key, shape in shapes.items()) or "nothing"
    raise DataError(f"{where} holds {held}; which are the pictures? Call them `images` (and their classes `labels`).")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file of arrays raises into a word on it."""
    try:
        yield
    except DataError:
        raise
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(
                f"'{shown(path)}' is no array file, or holds Python objects, which are never unpickled: "
                "save plain arrays with numpy.save or numpy.savez."
            ) from None
        raise DataError(f"'{shown(path)}' is damaged: {reason(error)}.") from None
    except (OSError, EOFError, KeyError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"'{shown(path)}' cannot be read: {reason(error)}.") from None


def as_block(array: np.ndarray, where: str) -> Block:
    """Bring pictures to (N, C, H, W), and their numbers to uint8 or to float32 in [-1, 1].

    Raises:
        DataError: the shape or the range of the numbers, those of `where`, is none of those accepted.
    """
    x = _channels_first(array, where)
    if not x.size:
        raise DataError(f"{where} has the shape {array.shape}: there is no picture in it.")
    if x.dtype == bool:
        return Block(np.ascontiguousarray(x) * np.uint8(255))
    if x.dtype.kind not in "iuf":
        raise DataError(f"{where} holds {x.dtype}; pictures are uint8 in 0..255, or floats in [0, 1] or [-1, 1].")
    chunks = [x[i : i + _CHUNK] for i in range(0, len(x), _CHUNK)]
    low, high = np.min([chunk.min() for chunk in chunks]), np.max([chunk.max() for chunk in chunks])  # NaN if any is
    if x.dtype.kind == "f":
        return _from_floats(x, chunks, float(low), float(high), where)
    if low < 0 or high > 255:
        raise DataError(
            f"{where} holds whole numbers from {low} to {high}; give 0..255, or floats in [0, 1] or [-1, 1]."
        )
    if high == 1:
        raise DataError(f"{where} holds only 0 and 1, nearly black in 0..255; save it as bool, or times 255.")
    if isinstance(array, np.memmap) and x.dtype == np.uint8 and x.nbytes > _MAPPED:
        return Block(np.asarray(x))
    return Block(np.ascontiguousarray(x, dtype=np.uint8))


def _channels_first(x: np.ndarray, where: str) -> np.ndarray:
    if x.ndim == 3 and x.shape[2] == 3:
        x = x[None]
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and min(x.shape[1], x.shape[3]) <= _CHANNELS:
        first, last = x.shape[1] in (1, 3), x.shape[3] in (1, 3)
        if first == last:  # neither tells, or both: channels are fewer than columns
            first = x.shape[1] < x.shape[3]
        return x if first else x.transpose(0, 3, 1, 2)
    alone = f" Of a single grey picture make (1, {x.shape[0]}, {x.shape[1]})." if x.ndim == 2 else ""
    raise DataError(
        f"{where} has the shape {x.shape}; pictures are (N, H, W, C) or (N, C, H, W) with at most {_CHANNELS} channels, "
        f"or (N, H, W) for grey.{alone}"
    )


def _from_floats(x: np.ndarray, chunks: list[np.ndarray], low: float, high: float, where: str) -> Block:
    if not (low >= -1 - 1e-5 and high <= 1 + 1e-5):  # false for nan too
        raise DataError(
            f"{where} holds floats from {low:.4g} to {high:.4g}; give [0, 1] or [-1, 1]. "
            "If they run to 255, save them as uint8."
        )
    scale, shift = (255.0, 0.0) if low >= 0 else (127.5, 127.5)

    def in_8_bits(chunk: np.ndarray) -> np.ndarray:
        return (chunk.astype(np.float32) * scale + shift).clip(0, 255)

    if all(np.abs((v := in_8_bits(chunk)) - v.round()).max() < 0.01 for chunk in chunks):
        return Block(np.concatenate([in_8_bits(chunk).round().astype(np.uint8) for chunk in chunks]))
    times = 2.0 if low >= 0 else 1.0
    out = np.ascontiguousarray(x, dtype=np.float32) * np.float32(times) - np.float32(times - 1)
    return Block(out.clip(-1, 1), None)


def reframe(block: Block, frame: Frame, channels: int | None, where: str) -> Block:
    """Resample and crop all pictures of a block at once, and turn RGB to grey if one channel is asked for.

    Raises:
        DataError: the pictures are smaller than the frame, or their channels are neither grey nor RGB.
    """
    x, levels = block.pixels, block.levels
    if channels is not None and x.shape[1] not in (1, 3, channels):
        raise DataError(f"The pictures of {where} have {x.shape[1]} channels, which cannot become {channels}.")
    if channels == 1 and x.shape[1] == 3:
        weights = np.array(LUMA, np.float32)
        grey = np.concatenate([np.tensordot(x[i : i + _CHUNK], weights, (1, 0)) for i in range(0, len(x), _CHUNK)])
        x = (grey if levels is None else grey.round().astype(np.uint8))[:, None]
    tall, wide = frame.resampled(x.shape[2], x.shape[3], f"Each picture of {where}")
    resize = (tall, wide) != x.shape[2:]
    rows, columns = frame.kept(tall, wide)
    if not resize:
        cut = x[:, :, rows, columns]
        return Block(cut if cut.shape == x.shape else np.ascontiguousarray(cut), levels)
    out = []
    for i in range(0, len(x), _CHUNK):
        chunk = torch.from_numpy(np.array(x[i : i + _CHUNK], np.float32))
        if levels is not None:
            chunk *= 255 / (levels - 1)
        chunk = F.interpolate(chunk, (tall, wide), mode="bicubic", antialias=True)[:, :, rows, columns]
        chunk = chunk.clamp_(-1, 1) if levels is None else chunk.clamp_(0, 255).round_().to(torch.uint8)
        out.append(chunk.numpy())
    return Block(np.concatenate(out), None if levels is None else 256)
