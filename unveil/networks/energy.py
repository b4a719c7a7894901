"""The energy of a whole image: residual blocks without any normalisation, an average over space, and one number."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as divided_by_its_norm

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers.memory import channels_last

Activation = Literal["silu", "relu", "leaky", "elu"]
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu, "relu": F.relu, "leaky": lambda x: F.leaky_relu(x, 0.2), "elu": F.elu,
}  # fmt: skip


class EnergyBlock(nn.Module):
    """Two convolutions, added to their input; the sides may be halved on both ways.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        down: whether the sides are halved, by averaging.
        first: whether this is the first block, which sees pixels: it has no activation before its first convolution.
        activation: see `ImageEnergy`.
        wrap: what is done to each convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        down: bool,
        first: bool,
        activation: Activation,
        wrap: Callable[[nn.Module], nn.Module],
    ) -> None:
        super().__init__()
        self.down, self.first, self.activation = down, first, _ACTIVATIONS[activation]
        self.conv1 = wrap(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = wrap(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = wrap(nn.Conv2d(inputs, outputs, 1)) if down or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H', W')."""
        h = self.conv2(self.activation(self.conv1(x if self.first else self.activation(x))))
        if self.down:  # averaging and a 1 x 1 convolution may change places, and on fewer pixels that is cheaper
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        out: Tensor = h + self.skip(x)
        return out


class ImageEnergy(nn.Module):
    """Gives every image one number, (B, C, H, W) -> (B,), low where it looks like data.

    The discriminator of spectrally normalised GANs with its normalisation taken out. An energy must judge a sample by
    itself and be the same function in training and in chains, so there is neither dropout nor any batch statistic.

    Args:
        channels: of the images.
        widths: channels that each block ends with.
        downs: how many blocks, the first ones, halve the sides.
        activation: "silu", "relu", "leaky" or "elu"; smooth ones make calmer chains.
        spectral_norm: divide each layer by its spectral norm, of which training mode keeps track.

    Raises:
        ConfigError: an argument cannot work.

    Source: Miyato et al. (2018), arXiv:1802.05957, appendix B; as an energy without the norm: Hill et al. (2022), Learning
    probabilistic models from generator latent spaces with Hat EBM, released code.
    """

    def __init__(
        self,
        channels: int,
        *,
        widths: Sequence[int] = (256, 256, 256, 256),
        downs: int = 2,
        activation: Activation = "silu",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        if channels < 1 or not widths or min(widths) < 1 or not 0 <= downs <= len(widths):
            raise ConfigError(
                f"ImageEnergy got {channels} channels, widths={tuple(widths)}, downs={downs}; it needs a width of 1 or more "
                "for each block, and no more halvings than blocks."
            )
        if activation not in get_args(Activation):
            raise ConfigError(f"activation is {activation!r}; it can be {' or '.join(get_args(Activation))}.")
        wrap: Callable[[nn.Module], nn.Module] = divided_by_its_norm if spectral_norm else lambda layer: layer
        self.channels, self.divisor, self.activation = channels, 2**downs, _ACTIVATIONS[activation]
        inputs = (channels, *widths[:-1])
        self.blocks = nn.Sequential(
            *(
                EnergyBlock(a, b, place < downs, place == 0, activation, wrap)
                for place, (a, b) in enumerate(zip(inputs, widths, strict=True))
            )
        )
        self.last = wrap(nn.Linear(widths[-1], 1, bias=False))
        channels_last(self)  # a third less time of a chain

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> energies (B,).

        Raises:
            ShapeError: other channels, or sides that cannot be halved so often.
        """
        if x.ndim != 4 or x.shape[1] != self.channels or x.shape[2] % self.divisor or x.shape[3] % self.divisor:
            raise ShapeError(
                f"This energy takes images (B, {self.channels}, H, W) with sides that are multiples of {self.divisor}; it got "
                f"{tuple(x.shape)}."
            )
        h = self.activation(self.blocks(x.contiguous(memory_format=torch.channels_last))).mean((2, 3))
        energies: Tensor = self.last(h).squeeze(1)
        return energies
