"""Which times to visit: in sampling a descending grid, in training random draws."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Schedule
from unveil.core.random import Randomness, Streams, rand

_FIRST = 1e-5  # the earliest time a network sees, where likelihoods begin
Spacing = Literal["trailing", "leading", "quadratic"]


def subsequence(length: int, steps: int, spacing: Spacing = "trailing") -> Tensor:
    """Choose some steps of a chain, as a descending grid of times that starts at noise and ends at 0.

    Args:
        length: L, the steps of the whole chain.
        steps: S <= L, the steps to take.
        spacing: "trailing" takes round(i L / S), so the noisiest step is in it; "leading" takes 1 + floor((i - 1) L / S)
            and misses it; "quadratic" is dense near the data.

    Returns:
        (S + 1,), times i / L, float64, the last one 0.

    Source: Song et al. (2021), arXiv:2010.02502, appendix D; Lin et al. (2024), arXiv:2305.08891, table 2.
    """
    if not 1 <= steps <= length:
        raise ConfigError(f"{steps} sampling steps were asked of a chain of {length}; take 1 to {length}.")
    i = torch.arange(1, steps + 1, dtype=torch.float64)
    match spacing:
        case "trailing":
            chosen = (i * length / steps).round()
        case "leading":
            chosen = 1 + ((i - 1) * length / steps).floor()
        case "quadratic":
            chosen = ((i / steps) ** 2 * length).round()
        case _:
            raise ConfigError(f"Unknown spacing {spacing!r}; take trailing, leading or quadratic.")
    if len(chosen.unique()) < steps or chosen[0] < 1:
        raise ConfigError(
            f"{steps} {spacing} steps of a chain of {length} would visit a step twice; take fewer steps or trailing ones."
        )
    return torch.cat([chosen.flip(0) / length, torch.zeros(1, dtype=torch.float64)])


def even(steps: int, first: float = 1.0, last: float = 0.0) -> Tensor:
    """An even grid of times from `first` down to `last`, (steps + 1,), float64."""
    if steps < 1:
        raise ConfigError(f"{steps} sampling steps were asked for; take 1 or more.")
    return torch.linspace(first, last, steps + 1, dtype=torch.float64)


def times_of(schedule: Schedule, steps: int, spacing: Spacing = "trailing", start: float = 1.0) -> Tensor:
    """The times a sampler visits under a schedule: its own steps where it has some, else an even grid.

    Args:
        start: where to begin, in (0, 1]; below 1 only that part of the way is walked, in `steps` steps.
    """
    if not 0 < start <= 1:
        raise ConfigError(f"Sampling cannot start at t = {start}; take a time in (0, 1], where 1 is pure noise.")
    length: int | None = getattr(schedule, "steps", None)
    if length is None:
        if spacing != "trailing":
            raise ConfigError(f"Spacing {spacing!r} is for schedules with discrete steps; this one is continuous.")
        return even(steps, start)
    part = max(round(start * length), 1)
    return subsequence(part, steps, spacing) * part / length


def draw_times(
    n: int, schedule: Schedule, generator: Randomness = None, *, stratified: bool = False, until: float = 1.0
) -> Tensor:
    """Draw training times, (n,) float64 on the CPU: uniform on a chain's steps, or on [1e-5, 1].

    Args:
        stratified: spread the batch evenly (lower variance of the loss): sample i takes u + i * golden ratio, modulo 1,
            with one u for the batch, so that it holds for every batch size and number of processes.
        until: the latest time; the others draw together as it does.
    """
    if stratified:
        index: Sequence[int] = generator.index if isinstance(generator, Streams) else range(n)
        shared = generator.shared() if isinstance(generator, Streams) else float(rand((1,), generator)[0])
        u = (shared + torch.tensor(index, dtype=torch.float64) * ((5**0.5 - 1) / 2)) % 1
    else:
        u = rand((n,), generator, dtype=torch.float64).cpu()
    length: int | None = getattr(schedule, "steps", None)
    if length is not None:
        return (1 + (u * round(until * length)).floor()) / length
    return (_FIRST + (1 - _FIRST) * u) * until
