"""Split an image into its 2 x 2 means and what they leave out, by a fixed linear map of known determinant.

For each patch of pixels a b / c d the three details are the differences of its rows, of its columns and of its
diagonals, and the coarse pixel is its mean, each times a factor that depends on the variant.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError

Variant = Literal["unimodular", "haar", "orthonormal"]

_DETAIL = {"unimodular": 2 ** (-2 / 3), "haar": 0.5, "orthonormal": 0.5}
_COARSE = {"unimodular": 0.25, "haar": 0.25, "orthonormal": 0.5}
_SIGNS = ((1.0, 1.0, -1.0, -1.0), (1.0, -1.0, 1.0, -1.0), (1.0, -1.0, -1.0, 1.0), (1.0, 1.0, 1.0, 1.0))


@dataclass(frozen=True)
class PatchTransform:
    """An invertible linear map from images to details and a coarse image of half the sides.

    Attributes:
        variant: "unimodular" keeps volumes and gives means; "haar" gives means too, with the differences of Haar's
            wavelet, and shrinks volumes; "orthonormal" is Haar's wavelet itself, whose coarse image is twice the mean.

    Source: Voleti et al. (2021), arXiv:2106.08462, section 3; Yu et al. (2020), arXiv:2010.13821, for Haar's.
    """

    variant: Variant = "unimodular"

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise ConfigError(f"There is no transform {self.variant!r}; take {', '.join(get_args(Variant))}.")

    @property
    def gain(self) -> float:
        """What the coarse image is of the mean: 1, or 2."""
        return 4 * _COARSE[self.variant]

    @property
    def variances(self) -> tuple[float, float]:
        """Of the details, and of the coarse image, where the image is white noise of variance 1."""
        return 4 * _DETAIL[self.variant] ** 2, 4 * _COARSE[self.variant] ** 2

    def logdet(self, shape: tuple[int, ...] | torch.Size) -> float:
        """The logarithm of the determinant of `split` for one image, (C, H, W)."""
        each = 3 * math.log(2 * _DETAIL[self.variant]) + math.log(2 * _COARSE[self.variant])
        return each * (math.prod(shape) // 4)

    def matrix(self) -> Tensor:
        """The map of one patch, (4, 4), float64: rows for the three details and the coarse pixel, columns for a b c d."""
        signs = torch.tensor(_SIGNS, dtype=torch.float64)
        signs[:3] *= _DETAIL[self.variant]
        signs[3] *= _COARSE[self.variant]
        return signs

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) to details (B, 3 C, H/2, W/2), the first kind of all channels first, and coarse (B, C, H/2, W/2).

        Raises:
            ShapeError: a side is odd.
        """
        if x.ndim != 4 or x.shape[-2] % 2 or x.shape[-1] % 2:
            raise ShapeError(
                f"Images of shape {tuple(x.shape)} cannot be split; they are (B, C, H, W) with even sides."
            )
        a, b, c, d = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
        top, bottom, left, right = a + b, c + d, a - b, c - d
        details = _DETAIL[self.variant] * torch.cat([top - bottom, left + right, left - right], 1)
        return details, _COARSE[self.variant] * (top + bottom)

    def merge(self, details: Tensor, coarse: Tensor) -> Tensor:
        """The images (B, C, H, W) that split into these.

        Raises:
            ShapeError: details and coarse images do not belong together.
        """
        batch, channels, height, width = coarse.shape
        if details.shape != (batch, 3 * channels, height, width):
            raise ShapeError(
                f"Coarse images of shape {tuple(coarse.shape)} need details of shape {(batch, 3 * channels, height, width)}; "
                f"these are {tuple(details.shape)}."
            )
        rows, columns, diagonals = (details / (4 * _DETAIL[self.variant])).chunk(3, 1)
        mean = coarse / self.gain
        upper, lower, across, along = mean + rows, mean - rows, columns + diagonals, columns - diagonals
        patches = torch.stack([upper + across, upper - across, lower + along, lower - along], 2)  # a b c d
        grid = patches.unflatten(2, (2, 2)).permute(0, 1, 4, 2, 5, 3)
        return grid.reshape(batch, channels, 2 * height, 2 * width)
