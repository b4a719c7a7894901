"""How U-Nets are laid out: down through ever smaller levels, and up again past what was left on the way down."""

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from torch import nn

MakeStep = Callable[[int, int, int, bool], nn.Module]
"""(channels in, channels out, level, whether it attends) -> a layer."""
MakeResampling = Callable[[Literal["up", "down"], int, int], nn.Module]
"""(direction, channels, the level that is left) -> a layer that halves or doubles the sides."""


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
