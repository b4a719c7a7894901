"""Compressed sensing: few numbers, each a mixture of all pixels."""

import math
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_seed
from unveil.core.random import Streams
from unveil.operators.placed import Placed
from unveil.operators.tight import Tight

RADIX = 32
"""Walsh-Hadamard transforms take this many numbers at a time, as matrices."""


class Sensing(Tight):
    """Some rows of an orthonormal transform of each channel, after random signs: (B, C, H, W) -> (B, C, m). A A' = I.

    Rows and signs follow from the seed and the size alone, and are kept in `rows` and `signs`.

    Args:
        size: (H, W) of the images.
        ratio: how many numbers are measured of each pixel's one, in (0, 1]: m = round(ratio H W), at least 1.
        seed: names rows and signs.
        transform: "walsh-hadamard", for planes of 2^n pixels, or "hartley" (real and imaginary part of the Fourier
            transform, added), for planes of any size.
    """

    def __init__(
        self,
        size: tuple[int, int],
        ratio: float,
        seed: int = 0,
        transform: Literal["walsh-hadamard", "hartley"] = "walsh-hadamard",
    ) -> None:
        height, width = size
        pixels = height * width
        if height < 1 or width < 1:
            raise ShapeError(f"Sensing got a size of {height} x {width}; both sides are above zero.")
        if not 0 < ratio <= 1:
            raise ConfigError(f"Sensing got ratio={ratio}; it is the share of numbers kept, above 0 and at most 1.")
        if transform not in ("walsh-hadamard", "hartley"):
            raise ConfigError(f"Sensing got transform={transform!r}; it knows walsh-hadamard and hartley.")
        if transform == "walsh-hadamard" and pixels & (pixels - 1):
            raise ShapeError(
                f"A Walsh-Hadamard transform needs a power of two pixels; {height} x {width} are {pixels}. "
                'Take images of 32 x 32, 256 x 512 and so on, or transform="hartley".'
            )
        check_seed(seed)
        self.size, self.ratio, self.seed, self.transform = (height, width), ratio, seed, transform
        draws = Streams(seed, 1)
        self.signs = (draws.rand((1, pixels))[0] < 0.5).float() * 2 - 1
        order = draws.rand((1, pixels), torch.float64)[0].argsort()
        self.rows = order[: max(1, round(ratio * pixels))].sort().values
        self._signs, self._rows = Placed(self.signs), Placed(self.rows)

    @property
    def squared_norm(self) -> float:
        """1."""
        return 1.0

    def _transform(self, planes: Tensor) -> Tensor:
        """The orthonormal transform of the last axis; it is symmetric, so its own inverse."""
        if self.transform == "walsh-hadamard":
            return walsh_hadamard(planes)
        spectrum = torch.fft.fft2(planes.unflatten(-1, self.size), norm="ortho")
        return (spectrum.real + spectrum.imag).flatten(-2)

    def forward(self, x: Tensor) -> Tensor:
        """The measured numbers of each channel."""
        if x.shape[-2:] != self.size:
            (height, width), given = self.size, x.shape[-2:]
            raise ShapeError(f"Sensing made for images of {height} x {width} met images of {given[0]} x {given[1]}.")
        return self._transform(x.flatten(-2) * self._signs.like(x))[..., self._rows.near(x)]

    def adjoint(self, y: Tensor) -> Tensor:
        """The image that y was mixed from, were all other numbers 0."""
        if y.shape[-1] != len(self.rows):
            raise ShapeError(f"This sensing measures {len(self.rows)} numbers a channel; it got {y.shape[-1]}.")
        full = y.new_zeros(*y.shape[:-1], math.prod(self.size)).index_copy(-1, self._rows.near(y), y)
        return (self._transform(full) * self._signs.like(y)).unflatten(-1, self.size)


def walsh_hadamard(x: Tensor) -> Tensor:
    """The orthonormal Walsh-Hadamard transform of the last axis, whose length is a power of two, in natural order.

    It is its own inverse, and costs O(n log n): the matrix is a Kronecker product of small ones, applied one by one.
    """
    shape, left = x.shape, x.shape[-1]
    while left > 1:
        radix = min(left, RADIX)
        small = _hadamard(radix, x) / math.sqrt(radix)
        # The leading digit of the place is transformed and moved behind the others; in the end all stand as before.
        x = (small @ x.reshape(*shape[:-1], radix, -1)).transpose(-1, -2).reshape(shape)
        left //= radix
    return x


def _hadamard(n: int, x: Tensor) -> Tensor:
    """The matrix of signs (n, n), beside x."""
    matrix = x.new_ones(1, 1)
    while len(matrix) < n:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix
