"""Where a path goes in the space of states, and how fast."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.models.ode_video.given import Times, checked_query
from unveil.models.ode_video.model import ODEVideo
from unveil.models.still import evaluating


class Trajectory(NamedTuple):
    """A path in the space of states.

    Attributes:
        times: in frames, (n,) or (B, n).
        states: (B, n, d).
        velocities: dz/dt for a frame as the unit of time, (B, n, d).
    """

    times: Tensor
    states: Tensor
    velocities: Tensor


@torch.no_grad()
def trajectory(model: ODEVideo, known: Tensor, query: Times, *, times: Times = None) -> Trajectory:
    """The path that known frames lead to, at the mean of what they tell.

    Args:
        model: whose path.
        known: frames, (B, m, C, H, W).
        query: when, (n,) or (B, n), ascending.
        times: when the known frames were taken; 0, 1, 2, ... when None.
    """
    at = checked_query(query, len(known))
    with evaluating(model):
        encoded = model.encode(known, times)
        states = model.states(encoded.mean, encoded.start, at)
        velocities = [model.field(t, z) for t, z in zip(at.unbind(-1), states.unbind(1), strict=True)]
    return Trajectory(at, states, torch.stack(velocities, 1))
