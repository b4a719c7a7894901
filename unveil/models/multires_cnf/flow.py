"""The flow of one resolution: blocks that carry its numbers to noise, told the coarser picture."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.random import Randomness, Streams, rademacher_like, randn_like
from unveil.ode import Augmented, Backward, Solver, solve

Probe = Literal["rademacher", "gaussian", "exact"]
MOST_EXACT = 4096
"""Numbers of a state up to which the exact trace is taken: it costs a backward pass for each."""


@dataclass(frozen=True)
class Encoded:
    """Where a flow has carried its numbers.

    Attributes:
        z: noise, of the shape of the state.
        change: the logarithm of the determinant of the way there, (B,).
        kinetic: half the squared speed, a mean over numbers, integrated and summed over blocks, (B,).
        jacobian: the squares of the Jacobian, alike, (B,).
        evaluations: of the networks.
    """

    z: Tensor
    change: Tensor
    kinetic: Tensor
    jacobian: Tensor
    evaluations: int


class ResolutionFlow(nn.Module):
    """Continuous flows in sequence, from numbers at time 0 to Gaussian noise at time 1.

    Args:
        blocks: networks (t, state, condition) -> velocity, each integrated over [0, 1].
        channels: of the state.
        condition: channels of the condition; 0 for none.
        standardise: scale each channel of the state by what it is in the first batch that is trained on.
        scale_condition: the same for the condition.
        name: what messages call it.
    """

    shift: Tensor
    scale: Tensor
    condition_shift: Tensor
    condition_scale: Tensor
    settled: Tensor

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        channels: int,
        condition: int = 0,
        *,
        standardise: bool = True,
        scale_condition: bool = False,
        name: str = "",
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        if not self.blocks:
            raise ConfigError("A flow needs a block or more.")
        self.channels, self.condition, self.name = channels, condition, name
        self.standardise, self.scale_condition = standardise, scale_condition and condition > 0
        for part, width in (("", channels), ("condition_", condition)):
            self.register_buffer(f"{part}shift", torch.zeros(1, width, 1, 1))
            self.register_buffer(f"{part}scale", torch.ones(1, width, 1, 1))
        self.register_buffer("settled", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def settle(self, state: Tensor, condition: Tensor | None) -> None:
        """Take the scales of a first batch, over all processes, and note that training has begun; later ones change nothing."""
        if bool(self.settled):
            return
        if self.standardise:
            _measure(state, self.shift, self.scale)
        if self.scale_condition and condition is not None:
            _measure(condition, self.condition_shift, self.condition_scale)
        self.settled.fill_(True)

    def standard(self, state: Tensor) -> Tensor:
        """The state as the blocks see it."""
        return (state - self.shift) / self.scale

    def told(self, condition: Tensor | None) -> Tensor | None:
        """The condition as the blocks see it; no gradient flows to it."""
        return None if condition is None else (condition.detach() - self.condition_shift) / self.condition_scale

    def logdet(self, state: Tensor) -> Tensor:
        """The logarithm of the determinant of `standard` for one sample, ()."""
        return -self.scale.log().sum() * (state.shape[-2] * state.shape[-1])

    def encode(
        self,
        state: Tensor,
        condition: Tensor | None = None,
        *,
        solver: Solver,
        probe: Probe = "rademacher",
        generator: Randomness = None,
        backward: Backward = "backprop",
        steer: float = 0.0,
        regularised: bool = False,
    ) -> Encoded:
        """Carry states (B, C, H, W) to noise.

        Args:
            solver: of the ODE.
            probe: how the trace is estimated, or "exact".
            generator: where probes come from; each is kept for a whole block.
            backward: how gradients come about.
            steer: b, where the end of each block's time is drawn from [1 - b, 1 + b].

        Raises:
            ConfigError: the exact trace of too many numbers.
            DivergenceError: the solver gives up; the message says in which block, and why.

        Source: Ghosh et al. (2020), arXiv:2006.10711, for the random end.
        """
        shape, told = state.shape[1:], self.told(condition)
        if probe == "exact" and shape.numel() > MOST_EXACT:
            raise ConfigError(
                f"The exact trace of a state of {shape.numel()} numbers would cost a backward pass for each; up to "
                f"{MOST_EXACT} it can be taken. Take random probes, and more of them for less scatter."
            )
        v, change = self.standard(state), self.logdet(state).expand(len(state))
        kinetic, jacobian, evaluations = torch.zeros_like(change), torch.zeros_like(change), 0
        for place, net in enumerate(self.blocks):
            drawn = {"rademacher": rademacher_like, "gaussian": randn_like}
            direction = drawn[probe](v.detach(), generator) if probe in drawn else None
            joint = Augmented(_told(net, told), shape, direction, regularised)
            end = 1.0 + steer * (2 * Streams.of(generator, len(v)).shared() - 1) if steer else 1.0
            with self._named(place):
                solution = solve(
                    joint,
                    joint.start(v),
                    torch.tensor([0.0, end], dtype=torch.float64),
                    solver,
                    backward=backward,
                    parameters=net.parameters(),
                    norm=joint.norm,
                )
            v, gained, more = joint.read(solution.final)
            change, evaluations = change + gained, evaluations + solution.evaluations
            if regularised:
                kinetic, jacobian = kinetic + more[:, 0], jacobian + more[:, 1]
        return Encoded(v, change, kinetic, jacobian, evaluations)

    def carry(self, state: Tensor, condition: Tensor | None = None, *, solver: Solver) -> Tensor:
        """The noise of states, without its density, which is cheaper."""
        told, v = self.told(condition), self.standard(state)
        for place, net in enumerate(self.blocks):
            with self._named(place):
                v = solve(_told(net, told), v, torch.tensor([0.0, 1.0], dtype=torch.float64), solver).final
        return v

    def decode(
        self, z: Tensor, condition: Tensor | None = None, *, solver: Solver, backward: Backward = "backprop"
    ) -> Tensor:
        """Carry noise (B, C, H, W) back to states."""
        told, v = self.told(condition), z
        for place in reversed(range(len(self.blocks))):
            net = self.blocks[place]
            with self._named(place):
                v = solve(
                    _told(net, told),
                    v,
                    torch.tensor([1.0, 0.0], dtype=torch.float64),
                    solver,
                    backward=backward,
                    parameters=net.parameters(),
                ).final
        return v * self.scale + self.shift

    def matching(self, state: Tensor, condition: Tensor | None, generator: Randomness) -> Tensor:
        """The error of the velocity beside straight lines from data to noise, (B,): trains a flow without solving it.

        Source: Lipman et al. (2023), arXiv:2210.02747.
        """
        (net,) = self.blocks
        told, start = self.told(condition), self.standard(state)
        noise = randn_like(torch.cat([start.flatten(1), start.new_zeros(len(start), 1)], 1), generator)
        # The last number of each row becomes a time: the share of a Gaussian below it.
        z, t = noise[:, :-1].reshape(start.shape), torch.special.ndtr(noise[:, -1])
        share = t.reshape(-1, 1, 1, 1)
        return (net(t, (1 - share) * start + share * z, told) - (z - start)).square().flatten(1).mean(1)

    def _named(self, place: int) -> "_Named":
        return _Named(f"Resolution {self.name}, block {place + 1} of {len(self.blocks)}: ")


class _Named:
    """Tells in which part of the model a solver gave up."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, DivergenceError):
            raise DivergenceError(self._where + str(error)) from error


def _told(net: nn.Module, condition: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda t, v: net(t, v, condition)


def _measure(x: Tensor, shift: Tensor, scale: Tensor) -> None:
    """Write the mean and the standard deviation of each channel, over all processes."""
    sums = torch.stack([torch.ones_like(x), x, x.square()]).double().sum((1, 3, 4))
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(sums)
    mean = sums[1] / sums[0]
    spread = (sums[2] / sums[0] - mean.square()).clamp(min=0).sqrt().clamp(min=1e-3)
    shift.copy_(mean.reshape(shift.shape))
    scale.copy_(spread.reshape(scale.shape))
