"""The velocity of a continuous flow of images: a few convolutions that are told the time."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError

Activation = Literal["softplus", "swish", "tanh"]

_SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "softplus": functional.softplus,
    "swish": functional.silu,
    "tanh": torch.tanh,
}


class ConvDynamics(nn.Module):
    """3 x 3 convolutions with zero padding and a smooth activation, for images of any size.

    Every convolution is given the time as one more channel, and the first one also a condition of the same size. The last
    one's weights begin at zero, so that the velocity is at first the same everywhere.

    Args:
        channels: of the state.
        condition: channels of what is known beside it; 0 for nothing.
        hidden: widths of the layers between.
        activation: "softplus", "swish" or "tanh"; a flow needs a smooth one.

    Source: Voleti et al. (2021), arXiv:2106.08462; Grathwohl et al. (2019), arXiv:1810.01367, appendix B.
    """

    def __init__(
        self,
        channels: int,
        condition: int = 0,
        *,
        hidden: tuple[int, ...] = (64, 64, 64),
        activation: Activation = "softplus",
    ) -> None:
        super().__init__()
        if min(channels, *hidden) < 1 or condition < 0 or not hidden:
            raise ConfigError(
                f"ConvDynamics got channels={channels}, condition={condition}, hidden={hidden}; it needs widths of 1 or more "
                "and a condition of 0 or more."
            )
        if activation not in get_args(Activation):
            raise ConfigError(f"There is no activation {activation!r}; take {', '.join(get_args(Activation))}.")
        self.channels, self.condition, self.activation = channels, condition, activation
        widths = (channels + condition, *hidden, channels)
        layers = [nn.Conv2d(a + 1, b, 3, padding=1) for a, b in pairwise(widths)]
        nn.init.zeros_(layers[-1].weight)
        self.layers = nn.ModuleList(layers)

    def forward(self, t: Tensor, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The velocity (B, C, H, W) at time t, () or (B,), of a state of the same shape.

        Raises:
            ShapeError: the condition is missing, or of another size.
        """
        given = 0 if condition is None else condition.shape[1]
        if x.shape[1] != self.channels or given != self.condition:
            raise ShapeError(
                f"This network moves {self.channels} channels and is told {self.condition}; it got {x.shape[1]} and {given}."
            )
        if condition is not None and condition.shape[-2:] != x.shape[-2:]:
            raise ShapeError(
                f"State and condition are of one size; these are {tuple(x.shape[-2:])} and {tuple(condition.shape[-2:])}."
            )
        time = t.to(x).reshape(-1, 1, 1, 1).expand(len(x), 1, *x.shape[-2:])
        h = x if condition is None else torch.cat([x, condition], 1)
        smooth = _SMOOTH[self.activation]
        for place, layer in enumerate(self.layers):
            h = layer(torch.cat([smooth(h) if place else h, time], 1))
        return h
