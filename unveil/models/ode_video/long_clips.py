"""Clips longer than a model reads at once: windows that share a frame, and paths that pass over into one another."""

from collections.abc import Sequence

import torch
from torch import Tensor


def windows(count: int, length: int, least: int) -> list[tuple[int, int]]:
    """Spans (first, stop) of `length` frames that cover `count`, each beginning with the frame the last one ends with.

    The last window is moved back where it would have fewer frames than `least`.
    """
    length = max(2, length)
    spans = [(0, min(count, length))]
    while spans[-1][1] < count:
        first = spans[-1][1] - 1
        stop = min(count, first + length)
        spans.append((min(first, max(0, stop - least)), stop))
    return spans


def concerned(spans: Sequence[tuple[int, int]], number: int, times: Tensor) -> Tensor:
    """At which times, (n,), a window's path counts: nobody follows it far beyond its frames."""
    low = spans[number - 1][1] - 2 if number else -torch.inf
    high = spans[number][1] - 1 if number < len(spans) - 1 else torch.inf
    return (times >= low) & (times <= high)


def blended(parts: Sequence[Tensor], spans: Sequence[tuple[int, int]], times: Tensor) -> Tensor:
    """One path of several: over the frame before a window begins, the path before passes into that window's.

    Args:
        parts: the states of each window's path at all times, (B, n, d).
        spans: of the windows.
        times: (n,), in frames.
    """
    states = parts[0]
    for part, (_, ends) in zip(parts[1:], spans[:-1], strict=True):
        share = (times - (ends - 2)).clamp(0, 1).to(states)[:, None]
        states = torch.lerp(states, part, share)
    return states
