"""Langevin chains over several variables at once, such as a picture's latent code and what is added to the picture."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness
from unveil.mcmc.gradient import check_finite, energy_gradients, finite_sum
from unveil.mcmc.step import LangevinStep
from unveil.mcmc.trace import Trace


@torch.no_grad()
def joint_langevin(
    energy: Callable[..., Tensor],
    parts: Sequence[Tensor],
    moves: Sequence[LangevinStep],
    *,
    steps: int,
    in_turn: bool = False,
    generator: Randomness = None,
    watch: Callable[[int, int, tuple[Tensor, ...]], None] | None = None,
    traces: Sequence[Trace] | None = None,
) -> tuple[Tensor, ...]:
    """Walk over several variables, each with a step of its own.

    Args:
        energy: (x, y, ...) -> (B,), low where data is.
        parts: where the variables start, (B, ...) each; they are not changed.
        moves: the step of each.
        steps: how many, 1 or more; in each one every variable moves once.
        in_turn: move one after the other, in the order given, each where those before it have moved already; else all move
            along one and the same gradient.
        generator: of the noise; the variables draw from it in the order given.
        watch: told (steps done, steps in all, the variables) after each step.
        traces: one a variable, filled with what it felt.

    Returns:
        The last states, in the order given.

    Raises:
        ConfigError: a number out of range.
        DivergenceError: an energy or a gradient is not finite.
        ShapeError: as many steps as variables are needed, all for the same samples.
    """
    check_whole("steps", steps)
    if not parts or len(parts) != len(moves) or len({len(part) for part in parts}) != 1:
        raise ShapeError(
            f"A chain over several variables needs a step for each, and all of the same samples; it got {len(moves)} steps "
            f"for variables of shape {', '.join(str(tuple(part.shape)) for part in parts) or 'none'}."
        )
    state = [part.detach() for part in parts]
    for move, part in zip(moves, state, strict=True):
        move.check(part)
    seen: list[Tensor] = []
    groups = [[i] for i in range(len(state))] if in_turn else [list(range(len(state)))]
    for k in range(steps):
        sums = []
        for group in groups:
            energies, slopes = energy_gradients(partial(_of_some, energy, state, group), [state[i] for i in group])
            sums.append(finite_sum(energies, *slopes))
            for i, slope in zip(group, slopes, strict=True):
                if traces is not None:
                    traces[i].felt(energies, slope, moves[i].step_size / 2, moves[i].longest)
                state[i] = moves[i].move(state[i], moves[i].drift(slope), generator)
        seen.append(torch.stack(sums).sum())
        if watch is not None:
            watch(k + 1, steps, tuple(state))
    check_finite(seen)
    return tuple(state)


def _of_some(
    energy: Callable[..., Tensor], state: Sequence[Tensor], group: Sequence[int], moving: Sequence[Tensor]
) -> Tensor:
    """The energy as a function of some of the variables."""
    parts = list(state)
    for i, part in zip(group, moving, strict=True):
        parts[i] = part
    return energy(*parts)
