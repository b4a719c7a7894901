"""The moving average of the weights: smoother than the weights themselves, and better to sample from."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from unveil.training.player import Player


class Ema:
    """The moving averages of the parameters that a stage moves.

    After step k (counted from 0) the average is m a + (1 - m) w with m = min(ema, (1 + k) / (10 + k)), so that the
    start is soon forgotten. Everything else in a model, buffers and parameters that nobody moves, has no average: where
    the averages are in place, it is simply as it is.

    Args:
        players: whose parameters; `options.ema` of each is the weight of the past, 0 for no average. A parameter that
            two players share follows the first of them.
    """

    def __init__(self, players: Iterable[Player]) -> None:
        self._weights: dict[float, list[Tensor]] = {}
        self._averages: dict[float, list[Tensor]] = {}
        self._average_of: dict[Tensor, Tensor] = {}
        for player in players:
            for value in player.parameters.values():
                if player.options.ema and value not in self._average_of:
                    average = value.detach().clone()
                    self._average_of[value] = average
                    self._weights.setdefault(player.options.ema, []).append(value)
                    self._averages.setdefault(player.options.ema, []).append(average)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        for ema, averages in self._averages.items():
            m = min(ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(averages, self._weights[ema], 1 - m)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Put the averages in place of the weights, and the model in evaluation mode, while the block lasts."""
        modes = {module: module.training for module in model.modules()}
        weights = {value: value.detach().clone() for value in self._average_of}
        self.hand_over()
        model.eval()
        try:
            yield
        finally:
            self._put(weights)
            for module, training in modes.items():
                module.training = training

    def hand_over(self) -> None:
        """Make the averages the weights, for good."""
        self._put(self._average_of)

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """Give the averages under the names that their parameters have in the state of the model."""
        named = model.named_parameters(remove_duplicate=False)
        return {name: self._average_of[value] for name, value in named if value in self._average_of}

    @torch.no_grad()
    def load(self, model: nn.Module, averages: Mapping[str, Tensor]) -> None:
        """Take up averages by the names of their parameters; those that are not given begin at the weights."""
        for name, average in self.state(model).items():
            average.copy_(averages.get(name, model.get_parameter(name)))

    @staticmethod
    @torch.no_grad()
    def _put(values: Mapping[Tensor, Tensor]) -> None:
        if values:
            torch._foreach_copy_(list(values), list(values.values()))
