"""From a time, a noise level or a label to a vector that steers every block."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.networks.layers.initialization import initialize, xavier_


class SinusoidalFeatures(nn.Module):
    """[sin, cos] of scale t, at frequencies from 1 down to 1/10000 in equal ratios.

    Args:
        width: how many features, even and at least 4.
        scale: what t is multiplied by: with t in [0, 1] and a scale of 1000, the published networks' step number.
        shift: the ratios are 10000^(-1 / (width / 2 - shift)); 1 ends at 1/10000 exactly, 0 stops one ratio before.

    Source: Vaswani et al. (2017), arXiv:1706.03762, section 3.5; shift 1 as in Ho et al. (2020), arXiv:2006.11239.
    """

    frequencies: Tensor

    def __init__(self, width: int, scale: float = 1000.0, shift: int = 1) -> None:
        super().__init__()
        _check_width(width)
        self.scale, self.shift = scale, shift
        exponents = torch.arange(width // 2) / (width // 2 - shift)
        self.register_buffer("frequencies", (-math.log(10000) * exponents).exp(), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """Features (B, width) of times t (B,)."""
        angles = (self.scale * t.float())[:, None] * self.frequencies.float()
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class FourierFeatures(nn.Module):
    """[sin, cos] of 2 pi w u for frequencies w drawn once from N(0, scale^2); u is a log noise level.

    Args:
        width: how many features, even and at least 4.
        scale: standard deviation of the frequencies, which are kept among the weights.

    Source: Tancik et al. (2020), arXiv:2006.10739; scale 16 as in Song et al. (2021), arXiv:2011.13456, appendix C.
    """

    frequencies: Tensor

    def __init__(self, width: int, scale: float = 16.0) -> None:
        super().__init__()
        _check_width(width)
        self.register_buffer("frequencies", scale * torch.randn(width // 2))

    def forward(self, t: Tensor) -> Tensor:
        """Features (B, width) of levels t (B,)."""
        angles = 2 * math.pi * t.float()[:, None] * self.frequencies.float()
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def _check_width(width: int) -> None:
    if width < 4 or width % 2:
        raise ConfigError(f"A time embedding of width {width} cannot be made; it needs an even width of at least 4.")


class TimeEmbedding(nn.Module):
    """Time, and the label where there are classes, to one shift vector for every residual block at once.

    The published networks give each block a linear layer of its own on the SiLU of a shared embedding; here these are
    the rows of one layer, because one large product is faster than twenty small ones.

    Args:
        features: times (B,) to features (B, width).
        width: how many features; the embedding is four times as wide.
        shifts: how many numbers each block wants, in the order in which the blocks are visited.
        classes: how many labels there are; one more, equal to `classes`, means "no label".
    """

    def __init__(self, features: nn.Module, width: int, shifts: list[int], classes: int | None = None) -> None:
        super().__init__()
        self.shifts, self.classes = shifts, classes
        self.features = features
        self.first = initialize(nn.Linear(width, 4 * width))
        self.second = initialize(nn.Linear(4 * width, 4 * width))
        self.label = nn.Embedding(classes + 1, 4 * width) if classes is not None else None
        self.project = initialize(nn.Linear(4 * width, sum(shifts)))
        for rows in self.project.weight.detach().split(shifts):
            if len(rows):
                xavier_(rows)  # as the layer of its own that it stands for

    def forward(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        """The shifts of all blocks side by side, (B, sum of n), from t (B,) and label (B,); None means "no label"."""
        h = self.features(t).to(self.first.weight.dtype)
        h = self.second(F.silu(self.first(h)))
        if self.label is not None:
            h = h + (self.label.weight[-1] if label is None else self.label(label))
        steering: Tensor = self.project(F.silu(h))
        return steering
