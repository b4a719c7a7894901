"""How U-Nets are laid out: down through ever smaller levels, and up again past what was left on the way down."""

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from torch import nn

from unveil.core.errors import ConfigError

MakeStep = Callable[[int, int, int, bool], nn.Module]
"""(channels in, channels out, level, whether it attends) -> a layer."""
MakeResampling = Callable[[Literal["up", "down"], int, int], nn.Module]
"""(direction, channels, the level that is left) -> a layer that halves or doubles the sides."""


def check_ladder(name: str, channels: int, mult: Sequence[int], attention: Collection[int], dropout: float) -> None:
    """Refuse what cannot lay out a network, which is called `name`.

    Args:
        name: of the network.
        channels: at full resolution.
        mult: channels of each level as multiples of these.
        attention: the levels with attention.
        dropout: probability of dropping a number.

    Raises:
        ConfigError: one of these cannot be.
    """
    if channels < 4 or channels % 2 or not mult or any(m < 1 or m != int(m) for m in mult):
        raise ConfigError(
            f"{name} got channels={channels}, mult={tuple(mult)}; it needs an even number of channels, at least 4, and "
            "a whole number of at least 1 for each level."
        )
    if any(level not in range(len(mult)) for level in attention):
        raise ConfigError(
            f"{name} got attention at {tuple(attention)}; with {len(mult)} levels give 0 to {len(mult) - 1}."
        )
    if not 0 <= dropout < 1:
        raise ConfigError(f"{name} got dropout={dropout}; it needs 0 <= dropout < 1.")


def ladder(
    channels: int,
    widths: Sequence[int],
    blocks: int,
    attention: Collection[int],
    step: MakeStep,
    resample: MakeResampling,
    *,
    sparing: bool,
) -> tuple[nn.ModuleList, nn.ModuleList, nn.ModuleList]:
    """Make the layers of a U-Net in the order in which they are visited.

    Args:
        channels: of what enters.
        widths: channels of each level; each level after the first has half the sides.
        blocks: steps of each level going down; there is one more going up, and each takes back what one layer of the
            way down left (what entered is the first thing left).
        attention: the levels with attention, 0 being full resolution; the first of the two steps in the middle has it
            in any case.
        step: makes a step.
        resample: makes a resampling.
        sparing: on the way up only the last step of a level attends.

    Returns:
        The layers of the way down, of the middle and of the way up.
    """
    down, middle, up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
    last = len(widths) - 1
    width, left = channels, [channels]
    for level, outputs in enumerate(widths):
        for _ in range(blocks):
            down.append(step(width, outputs, level, level in attention))
            width = outputs
            left.append(width)
        if level < last:
            down.append(resample("down", width, level))
            left.append(width)
    middle.extend([step(width, width, last, True), step(width, width, last, False)])
    for level, outputs in reversed(list(enumerate(widths))):
        for i in range(blocks + 1):
            attends = level in attention and (i == blocks or not sparing)
            up.append(step(width + left.pop(), outputs, level, attends))
            width = outputs
        if level > 0:
            up.append(resample("up", width, level))
    return down, middle, up
