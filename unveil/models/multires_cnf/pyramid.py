"""Images in [0, 1] as what the flows of several resolutions see, and back; and their noise as one image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.numbers import check_whole
from unveil.models.multires_cnf.preprocessing import Logit, check_logit, logit, unlogit
from unveil.pyramids import PatchTransform


@dataclass(frozen=True)
class Level:
    """What one resolution is trained on.

    Attributes:
        state: the numbers that its flow carries to noise, (B, C, H, W).
        condition: the next coarser image, of the same sides; None at the coarsest.
        change: the logarithm of the determinant of the way from pixels to these numbers, (B,): its part of the whole.
    """

    state: Tensor
    condition: Tensor | None
    change: Tensor


@dataclass(frozen=True)
class Pyramid:
    """The fixed part of the model: the transform between resolutions, and the logit of one of them.

    Attributes:
        shape: of an image, (C, H, W).
        resolutions: S; the sides of the coarsest image are 2^(S - 1) times as small.
        transform: between two resolutions.
        logit: whether the "coarsest" image is seen through a logit, the "finest" (and with it all), or "none".
        alpha: the margin of the logit.

    Raises:
        ConfigError: a side does not divide.
    """

    shape: tuple[int, int, int]
    resolutions: int
    transform: PatchTransform = field(default_factory=PatchTransform)
    logit: Logit = "coarsest"
    alpha: float = 0.05

    def __post_init__(self) -> None:
        check_whole("resolutions", self.resolutions)
        check_logit(self.logit, self.alpha)
        height, width = self.shape[1:]
        most = 1
        while height % 2**most == 0 and width % 2**most == 0:
            most += 1
        if self.resolutions > most:
            raise ConfigError(
                f"Images of {height} x {width} cannot have {self.resolutions} resolutions, each of half the sides of the one "
                f"before; {most} at most fit these sides. Take fewer (model.resolutions), or another data.size."
            )

    def size(self, resolution: int) -> tuple[int, int]:
        """Height and width of the image of a resolution, 1 the finest."""
        return self.shape[1] >> (resolution - 1), self.shape[2] >> (resolution - 1)

    def state_shape(self, resolution: int) -> tuple[int, int, int]:
        """The shape of what a resolution's flow carries."""
        if resolution == self.resolutions:
            return self.shape[0], *self.size(resolution)
        return 3 * self.shape[0], *self.size(resolution + 1)

    def unit(self, resolution: int) -> float:
        """What white has become in the image of a resolution, where images are means no more."""
        return self.transform.gain ** (resolution - 1)

    def check(self, u: Tensor) -> None:
        """Refuse what are no images in [0, 1] of the model's channels.

        Raises:
            ShapeError: another number of axes or channels.
            DataError: not finite floating point numbers in [0, 1].
        """
        if u.ndim != 4 or u.shape[1] != self.shape[0]:
            raise ShapeError(f"The model is for images (B, {self.shape[0]}, H, W); these are {tuple(u.shape)}.")
        if not u.is_floating_point():
            raise DataError(f"Flows carry dequantised floating point images, and these are {u.dtype}.")
        if u.numel() and not bool(((u >= 0) & (u <= 1)).all()):  # nan is beyond too
            raise DataError(
                f"Flows carry images in [-1, 1]; these run from {2 * u.min().item() - 1:.4g} to {2 * u.max().item() - 1:.4g}."
            )

    def levels(self, u: Tensor, only: int | None = None) -> list[Level]:
        """What every resolution sees of images in [0, 1], finest first; with `only` the list holds that one alone."""
        self.check(u)
        x, change = u, u.new_zeros(len(u))
        if self.logit == "finest":
            x, change = logit(x, self.alpha)
        found = []
        for resolution in range(1, self.resolutions):
            shape = x.shape[1:]
            details, coarse = self.transform.split(x)
            change = change + self.transform.logdet(shape)
            if only in (None, resolution):
                found.append(Level(details, coarse / self.unit(resolution + 1), change))
            x, change = coarse, torch.zeros_like(change)
            if only == resolution:
                return found
        if self.logit == "coarsest":
            unit = self.unit(self.resolutions)
            x, gained = logit(x / unit, self.alpha)
            change = change + gained - math.log(unit) * x[0].numel() if len(x) else change
        return [*found, Level(x, None, change)]

    def coarse(self, state: Tensor) -> Tensor:
        """The image that the coarsest state stands for, as `levels` splits them."""
        if self.logit != "coarsest":
            return state
        return unlogit(state, self.alpha) * self.unit(self.resolutions)

    def given(self, u: Tensor, resolution: int) -> Tensor:
        """A coarse picture in [0, 1] as an image of a resolution."""
        x = logit(u, self.alpha)[0] if self.logit == "finest" else u
        return x * self.unit(resolution)

    def condition(self, image: Tensor, resolution: int) -> Tensor:
        """What the flow of a resolution is told of the next coarser image."""
        return image / self.unit(resolution + 1)

    def pixels(self, image: Tensor, resolution: int = 1) -> Tensor:
        """An image of a resolution as pixels, in [0, 1] where all went well."""
        image = image / self.unit(resolution)
        return unlogit(image, self.alpha) if self.logit == "finest" else image

    def shifted(self, image: Tensor, u: Tensor, factor: int) -> Tensor:
        """How far the logits of each block of an image are from those whose pixels average to u, at the size of u.

        The mean of logits is no logit of a mean, so with the logit of the finest pixels a small picture
        has to be found that the large one's pixels average to.
        """
        batch, channels, height, width = u.shape
        blocks = image.reshape(batch, channels, height, factor, width, factor)
        low, high = torch.full_like(u, -60.0), torch.full_like(u, 60.0)
        for _ in range(40):  # the mean rises with the shift, so the interval can be halved
            middle = (low + high) / 2
            bright = unlogit(blocks + middle[:, :, :, None, :, None], self.alpha).mean((3, 5)) > u
            low, high = torch.where(bright, low, middle), torch.where(bright, middle, high)
        return (low + high) / 2

    # -- noise ------------------------------------------------------------------------------------------------------

    def spread(self, resolution: int) -> float:
        """Standard deviation of a resolution's part of white noise at the finest."""
        detail, coarse = self.transform.variances
        before = coarse ** (resolution - 1)
        return math.sqrt(before if resolution == self.resolutions else detail * before)

    def merge_noise(self, parts: Sequence[Tensor]) -> Tensor:
        """The one image (B, C, H, W) whose details and coarsest image are these, as `split_noise` gives them."""
        *details, image = parts
        for detail in reversed(details):
            image = self.transform.merge(detail, image)
        return image

    def split_noise(self, image: Tensor) -> list[Tensor]:
        """The details of an image of noise at every resolution, finest first, and its coarsest image."""
        parts = []
        for _ in range(1, self.resolutions):
            details, image = self.transform.split(image)
            parts.append(details)
        return [*parts, image]
