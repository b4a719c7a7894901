"""The idx files of MNIST and its kin: a header of big-endian sizes, then bytes; often in gzip.

Source: LeCun, Cortes and Burges (1998), The MNIST database of handwritten digits, file formats.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from unveil.core.errors import DataError
from unveil.core.files import reason, shown
from unveil.data.found import Block, Found, class_numbers
from unveil.data.sources import IDX
from unveil.data.split import Split

_UINT8 = 8


def read_idx(path: Path) -> np.ndarray:
    """Read one idx file of unsigned bytes, of any shape.

    Raises:
        DataError: it is no such file, or is cut short or too long.
    """
    where = f"'{shown(path)}'"
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4))
            if zeros or kind != _UINT8 or not axes:
                raise DataError(f"{where} is not an idx file of unsigned bytes: its first four bytes say otherwise.")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            expected = math.prod(shape)
            raw = file.read(expected + 1)  # never more, whatever a compressed file would unfold to
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{where} is cut short or damaged: {reason(error)}.") from None
    if len(raw) != expected:
        state = "is cut short" if len(raw) < expected else "goes on behind its end"
        raise DataError(f"{where} {state}: its header announces {expected:,} bytes of shape {shape}.")
    return np.frombuffer(raw, np.uint8).reshape(shape)


def read_pairs(path: Path, split: Split) -> Found:
    """Read one idx file of images, or a folder of them; labels are found beside: `images-idx3` -> `labels-idx1`.

    In a folder the file with "train" in its name is for training, the one with "t10k" or "test" is its test part.
    """
    if path.is_file():
        images, labels = _read_pair(path)
        return _found(images, labels, None if labels is None else int(labels.max()) + 1, None, path)
    files = sorted(file for file in path.iterdir() if IDX.search(file.name) and "images" in file.name.lower())
    test = [file for file in files if "t10k" in file.name.lower() or "test" in file.name.lower()]
    train = [file for file in files if file not in test]
    if len(train) != 1 or len(test) > 1:
        names = ", ".join(shown(file.name) for file in files)
        raise DataError(f"'{shown(path)}' holds {names}; give one of these files itself.")
    if not test:
        return read_pairs(train[0], split)
    parts = [(train[0], False), (test[0], True)]
    pairs = [(*_read_pair(file), held) for file, held in parts if split == "all" or held == (split == "test")]
    known = [values for file, _ in parts if (values := _read_labels(file)) is not None]
    classes = max(int(values.max()) + 1 for values in known) if known else None
    if len({images.shape[1:] for images, _, _ in pairs}) > 1:
        raise DataError(f"The training and the test pictures of '{shown(path)}' differ in size.")
    wanted = [values for _, values, _ in pairs if values is not None]
    return _found(
        np.concatenate([images for images, _, _ in pairs]),
        np.concatenate(wanted) if len(wanted) == len(pairs) else None,
        classes,
        np.concatenate([np.full(len(images), held) for images, _, held in pairs]),
        path,
    )


def _found(
    images: np.ndarray, labels: np.ndarray | None, classes: int | None, held_out: np.ndarray | None, path: Path
) -> Found:
    if images.ndim != 3 or not images.size:
        raise DataError(f"'{shown(path)}' has the shape {images.shape}; idx images are (N, H, W), with N > 0.")
    return Found(Block(images[:, None]), labels, classes if labels is not None else None, held_out=held_out)


def _read_labels(file: Path) -> np.ndarray | None:
    name = file.name.replace("images", "labels").replace("idx3", "idx1")
    beside = [file.with_name(name), file.with_name(f"{name}.gz"), file.with_name(name.removesuffix(".gz"))]
    found = next((other for other in beside if other != file and other.is_file()), None)
    return None if found is None else class_numbers(read_idx(found), f"'{shown(found)}'")[0]


def _read_pair(file: Path) -> tuple[np.ndarray, np.ndarray | None]:
    images, labels = read_idx(file), _read_labels(file)
    if labels is not None and len(labels) != len(images):
        raise DataError(f"'{shown(file)}' holds {len(images)} images, but {len(labels)} labels lie beside it.")
    return images, labels
