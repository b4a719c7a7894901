"""The energy of an image's patches: a fully convolutional network without padding, for images of any size."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole

Activation = Literal["elu", "silu"]
Weights = Sequence[tuple[Tensor, Tensor]]
"""The weight and the bias of each layer, as they are used: already divided by their spectral norms."""

_SETTLING = 15  # power iterations before training, as many as PyTorch's own spectral norm takes


class PatchEnergy(nn.Module):
    """3x3 convolutions of stride 1 that give every patch of an image one number, low where the patch looks like data.

    With n layers a number depends on a patch of 2n + 1 pixels a side, and the map is 2n pixels smaller than the image in
    both directions. All layers but the last are divided by their spectral norm, of which one power iteration a use in
    training mode keeps track. In evaluation mode nothing changes.

    Args:
        channels: of the images.
        widths: channels of the layers between, so there are len(widths) + 1 layers.
        activation: "elu" or "silu"; both are smooth, as an energy that is walked down should be.
        spectral_norm: whether to divide by the spectral norms.

    Attributes:
        border: n, by how much the map is smaller on each side.
        field: 2n + 1, the side of a patch in pixels.

    Raises:
        ConfigError: a number below 1, or an unknown activation.

    Source: Zheng, Xie and Li (2021), CVPR, section 4; Miyato et al. (2018), arXiv:1802.05957. The sign is ours:
    their f is minus this energy.
    """

    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (32, 32, 32, 32),
        *,
        activation: Activation = "elu",
        spectral_norm: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("channels", channels), *(("A width", width) for width in widths)):
            check_whole(name, value)
        if not widths:
            raise ConfigError("A patch energy needs at least one layer between; widths such as 32,32,32,32 are usual.")
        if activation not in get_args(Activation):
            raise ConfigError(f"activation {activation!r} is not known; take {' or '.join(get_args(Activation))}.")
        self.channels, self.widths, self.activation = channels, tuple(widths), activation
        sides = (channels, *widths, 1)
        self.layers = cast(list[nn.Conv2d], nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in pairwise(sides)))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.005)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        self.normalized = len(widths) if spectral_norm else 0
        for index in range(self.normalized):
            self.register_buffer(f"left_{index}", functional.normalize(torch.randn(sides[index + 1]), dim=0))
        with torch.no_grad():
            for _ in range(_SETTLING):
                self._settle()

    @property
    def border(self) -> int:
        """By how many pixels the map is smaller than the image, on each side."""
        return len(self.layers)

    @property
    def field(self) -> int:
        """The side of the patch that one number of the map depends on."""
        return 2 * self.border + 1

    def weights(self) -> Weights:
        """The layers as they are used, to be found once and used many times; gradients flow from them to the parameters.

        In training mode each call takes one power iteration towards the spectral norms.
        """
        if self.training:
            with torch.no_grad():
                self._settle()
        found = []
        for index, layer in enumerate(self.layers):
            weight, bias = layer.weight, layer.bias
            assert bias is not None
            if index < self.normalized:
                weight = weight / self._norm(weight, index)
            found.append((weight, bias))
        return found

    def forward(self, x: Tensor, weights: Weights | None = None) -> Tensor:
        """Images (B, C, H, W) -> the map (B, 1, H - 2n, W - 2n) of energies.

        Args:
            x: the images.
            weights: what `weights` gave, or a constant copy of it; its own when None.

        Raises:
            ShapeError: the images have other channels, or are smaller than a patch.
        """
        if x.ndim != 4 or x.shape[1] != self.channels or min(x.shape[-2:]) < self.field:
            raise ShapeError(
                f"This energy takes images (B, {self.channels}, H, W) of {self.field} pixels a side or more; it got "
                f"{tuple(x.shape)}."
            )
        *between, last = self.weights() if weights is None else weights
        act = functional.elu if self.activation == "elu" else functional.silu
        for weight, bias in between:
            x = act(functional.conv2d(x, weight, bias))
        return functional.conv2d(x, *last)

    def _settle(self) -> None:
        """One power iteration of every normalised layer."""
        for index in range(self.normalized):
            left = self.get_buffer(f"left_{index}")
            matrix = self.layers[index].weight.flatten(1)
            left.copy_(functional.normalize(matrix @ functional.normalize(matrix.T @ left, dim=0), dim=0))

    def _norm(self, weight: Tensor, index: int) -> Tensor:
        """The spectral norm of a layer as a matrix, as well as the power iteration knows it; differentiable."""
        left = self.get_buffer(f"left_{index}").clone()  # the buffer moves on, and the graph must not see it
        matrix = weight.flatten(1)
        right = functional.normalize(matrix.detach().T @ left, dim=0)
        return torch.dot(left, matrix @ right)
