"""The velocity of a state of a few numbers: a multilayer perceptron, and what it may leave alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError


class LatentDynamics(nn.Module):
    """dz/dt = f(z), or f(t, z), for states (B, state).

    Args:
        state: numbers of a state.
        hidden: widths between the layers, with ELU after each.
        order: 2 takes the state for positions followed by as many velocities: positions move by the velocities, and the
            network gives the accelerations.
        still: numbers at the state's beginning that never change, though the network is told them.
        time_dependent: tell the network the time; without it, what happens does not depend on when it does.

    Raises:
        ConfigError: numbers that cannot be.

    Source: Chen et al. (2018), arXiv:1806.07366; Yildiz et al. (2019), arXiv:1905.10994, for the second order.
    """

    def __init__(
        self,
        state: int,
        *,
        hidden: Sequence[int] = (128, 128),
        order: Literal[1, 2] = 1,
        still: int = 0,
        time_dependent: bool = False,
    ) -> None:
        super().__init__()
        if order not in (1, 2):
            raise ConfigError(f"The order is {order}; it can be 1 or 2.")
        if min(state, *hidden, still + 1) < 1 or still >= state or not hidden:
            raise ConfigError(
                f"LatentDynamics got state={state}, hidden={tuple(hidden)}, still={still}; it needs widths of 1 or more, and "
                "fewer numbers that stand still than the state has."
            )
        if order == 2 and (state - still) % 2:
            raise ConfigError(
                f"Of the second order {state - still} moving numbers are positions and velocities, as many of each; make "
                "that even."
            )
        self.state, self.order, self.still, self.time_dependent = state, order, still, time_dependent
        widths = (state + time_dependent, *hidden, (state - still) // order)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ELU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """The velocity (B, state) at time t, () or (B,).

        Raises:
            ShapeError: states of another length.
        """
        if z.ndim != 2 or z.shape[1] != self.state:
            raise ShapeError(f"States are {tuple(z.shape)}; this network moves (B, {self.state}).")
        told = torch.cat([z, t.to(z).expand(len(z))[:, None]], 1) if self.time_dependent else z
        moved = self.layers(told)
        if self.order == 2:
            moved = torch.cat([z[:, (self.state + self.still) // 2 :], moved], 1)
        return torch.cat([torch.zeros_like(z[:, : self.still]), moved], 1) if self.still else moved
