"""What a reader hands over: pictures as numbers, or files still to be decoded, and what is known of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unveil.core.errors import DataError


@dataclass(frozen=True, eq=False)
class Block:
    """Pictures of one shape: (N, C, H, W), uint8 with `levels` values, or float32 in [-1, 1] (levels None)."""

    pixels: np.ndarray
    levels: int | None = 256

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Image files that are still to be decoded, on disk or in another container.

    Attributes:
        names: what each is called on screen.
        read: the bytes of one; raises OSError where they cannot be had.
        place: where they lie: two collections of one place are the same one, at two times.
        state: changes whenever any of them does.
        size: their bytes in all.
    """

    names: Sequence[str]
    read: Callable[[int], bytes]
    place: str
    state: str
    size: int

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Found:
    """The pictures of a source.

    Attributes:
        pictures: N of them.
        labels: the class of each, (N,) int64, or None.
        classes: how many classes the whole source has, parts included that were not read.
        class_names: what the classes are called, if anything says so.
        held_out: which pictures are in the source's own test part, (N,) bool; None if it has none. A reader may leave
            out the part that nobody asks for.
        closed: folders that could not be opened, and why.
        unread: a sentence on pictures of kinds that are not read, or empty.
        stray: a sentence on pictures that keep subfolders from being classes, or empty.
    """

    pictures: Block | Encoded
    labels: np.ndarray | None = None
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    held_out: np.ndarray | None = None
    closed: tuple[tuple[str, str], ...] = ()
    unread: str = ""
    stray: str = ""


def held_out_fifth(contents: Sequence[bytes]) -> np.ndarray:
    """Hold out the fifth of the pictures whose digests are smallest: (N,) bool.

    So a picture's side depends on what it shows, not on its name or place; copies of one picture are on one side; and
    adding a few pictures leaves nearly all others where they were.
    """
    unique = sorted(set(contents))
    chosen = set(unique[: len(unique) // 5])
    return np.array([content in chosen for content in contents])


def class_numbers(values: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Turn labels, whole numbers or texts, (N,) or (N, 1), into classes 0, 1, ... and names where they are texts.

    Raises:
        DataError: they are anything else.
    """
    values = values.reshape(len(values)) if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim == 1 and values.dtype.kind in "US":
        names, numbers = np.unique(values.astype(str), return_inverse=True)
        return numbers.astype(np.int64), tuple(names.tolist())
    if values.ndim == 1 and values.dtype.kind in "iuf" and (values >= 0).all() and (values == values.round()).all():
        return values.astype(np.int64), None
    raise DataError(
        f"The labels of {where} are {values.dtype} of shape {values.shape}; "
        "give one whole number from 0 on, or one text, for each picture."
    )
