"""Decoded pictures in one block of memory, or of a mapped file, whether of one size or of many."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from unveil.core.errors import DataError


def digest(*parts: str | bytes | np.ndarray) -> bytes:
    """Sixteen bytes that name their contents; an array is named by its shape, its type and its numbers."""
    total = blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).data)
        else:
            total.update(part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape"))
    return total.digest()


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures (C, H, W), each of its own shape.

    Attributes:
        pixels: all numbers, one picture after another, (sum of C H W,), or (N, C, H, W) where all shapes are one;
            uint8, or float32 in [-1, 1].
        shapes: (N, 3).
        levels: how many values a pixel can have, 256 for 8 bits; None for floating-point numbers.
    """

    pixels: np.ndarray
    shapes: np.ndarray
    levels: int | None = 256

    @classmethod
    def of(cls, block: np.ndarray, levels: int | None = 256) -> "Pictures":
        """Pictures of one shape, (N, C, H, W)."""
        return cls(block, np.broadcast_to(np.array(block.shape[1:]), (len(block), 3)), levels)

    @classmethod
    def joined(cls, pictures: Iterable[np.ndarray]) -> "Pictures":
        """Pictures of any shapes, (C, H, W) each."""
        pictures = list(pictures)
        return cls(np.concatenate([x.ravel() for x in pictures]), np.array([x.shape for x in pictures]))

    def __len__(self) -> int:
        return len(self.shapes)

    @cached_property
    def block(self) -> np.ndarray | None:
        """All pictures as (N, C, H, W), if they have one shape."""
        if self.pixels.ndim == 4:
            return self.pixels
        one = (self.shapes == self.shapes[0]).all()
        return self.pixels.reshape(len(self), *self.shapes[0].tolist()) if one else None

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.shapes.prod(1))

    def __getitem__(self, row: int) -> np.ndarray:
        """One picture, (C, H, W), not copied."""
        if self.block is not None:
            return np.asarray(self.block[row])
        shape, end = self.shapes[row], self._ends[row]
        return self.pixels[end - shape.prod() : end].reshape(shape)

    def digests(self) -> list[bytes]:
        """The digest of each picture's pixels."""
        return [digest(self[row]) for row in range(len(self))]

    def one_size(self, names: Callable[[int], str]) -> tuple[int, int]:
        """The height and width that all pictures have.

        Raises:
            DataError: they differ; two that do are named.
        """
        sizes = self.shapes[:, 1:]
        other = int((sizes != sizes[0]).any(1).argmax())
        if (sizes[other] != sizes[0]).any():
            (h, w), (tall, wide) = sizes[0], sizes[other]
            raise DataError(
                f"The pictures differ in size: {names(0)} is {h}x{w} pixels (height x width), {names(other)} is "
                f"{tall}x{wide}. Say which size you want, such as 64 for squares (in a recipe data.size=64)."
            )
        return int(sizes[0][0]), int(sizes[0][1])
