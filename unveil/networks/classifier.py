"""A small classifier of images, whose features measure how alike pictures are."""

import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers.initialization import initialize
from unveil.networks.layers.memory import channels_last


class Classifier(nn.Module):
    """Three levels of two convolutions each, a mean over the pixels, and two linear layers.

    It takes images of any size from 4 x 4; made for 8 x 8 to 64 x 64, and for a minute or two of training on a CPU.

    Args:
        in_channels: channels of the images.
        classes: how many classes it tells apart.
        channels: channels at full resolution; the next levels have twice and four times as many.
        features: how many features an image is given, `num_features`.

    Raises:
        ConfigError: fewer than one channel or feature, or fewer than two classes.

    Source: Simonyan & Zisserman (2015), arXiv:1409.1556, made small; normalization by Ioffe & Szegedy (2015),
    arXiv:1502.03167.
    """

    def __init__(self, in_channels: int, classes: int, *, channels: int = 32, features: int = 128) -> None:
        super().__init__()
        if min(in_channels, channels, features) < 1 or classes < 2:
            raise ConfigError(
                f"Classifier got in_channels={in_channels}, classes={classes}, channels={channels}, features={features}; "
                "it needs at least two classes, and at least one of the others."
            )
        self.in_channels, self.num_features = in_channels, features
        widths = [channels, 2 * channels, 4 * channels]
        levels: list[nn.Module] = []
        for inputs, outputs in zip([in_channels, *widths], widths, strict=False):
            levels += [*_convolve(inputs, outputs), *_convolve(outputs, outputs), nn.MaxPool2d(2)]
        self.levels = nn.Sequential(*levels[:-1])  # the last level is averaged whole
        self.project = initialize(nn.Linear(widths[-1], features))
        self.classify = initialize(nn.Linear(features, classes))
        channels_last(self)

    def features(self, x: Tensor) -> Tensor:
        """Features (B, num_features) of images (B, in_channels, H, W).

        Raises:
            ShapeError: other channels, or a side below 4.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < 4:
            raise ShapeError(
                f"The classifier was given {tuple(x.shape)}; it takes images (B, {self.in_channels}, H, W) "
                "with sides of at least 4."
            )
        return F.silu(self.project(self.levels(x).mean((2, 3))))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, in_channels, H, W)."""
        return self.classify(self.features(x))


def _convolve(inputs: int, outputs: int) -> list[nn.Module]:
    """Convolution, normalization over the batch, and a kink; the normalization has the bias."""
    return [
        initialize(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
