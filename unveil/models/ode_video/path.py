"""States along an ODE at any times: ahead of the start, behind it and in between, shared by a batch or not.

Time is counted in frames. A solver lands on whole frames from the start, and what lies between is read off its smooth path, so
a state does not depend on which other times are asked for.
"""

import math
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Field
from unveil.ode import Solver, solve

_NEAR = 1e-6  # of a frame
_FARTHEST = 100_000  # frames; nobody waits for more, and their grid would not fit into memory


def states_at(field: Field, z: Tensor, start: Tensor, times: Tensor, solver: Solver) -> tuple[Tensor, int]:
    """The states at some times, and how often the field was called.

    Args:
        field: (t, z) -> dz/dt, t in frames.
        z: the states at the start, (B, d).
        start: when, (B,), float64 on the CPU.
        times: (n,) in any order, or (B, n) in ascending order; float64 on the CPU.
        solver: its steps are from one frame to the next.

    Returns:
        (B, n, d).

    Raises:
        ConfigError: a time is too far from the start for any solver.
    """
    if not len(z):
        return z[:, None].expand(-1, times.shape[-1], -1), 0
    far = float((times - start[:, None]).abs().max())
    if far > _FARTHEST:
        raise ConfigError(f"Frames {far:g} frames away were asked for; a path is followed for {_FARTHEST} at most.")
    shared = times if times.ndim == 1 else times[0]
    if bool((start == start[0]).all()) and bool((times == shared).all()):
        return _together(field, z, float(start[0]), shared, solver)
    return _each(field, z, start, times.expand(len(z), -1), solver)


def _together(field: Field, z: Tensor, start: float, times: Tensor, solver: Solver) -> tuple[Tensor, int]:
    found: list[Tensor] = [z] * len(times)
    evaluations = 0
    for sign in (1, -1):
        ahead = sign * (times - start)
        rows = (ahead > _NEAR).nonzero().flatten().tolist()
        if not rows:
            continue
        frames = math.ceil(float(ahead.max()) - _NEAR)
        grid = start + sign * torch.arange(frames + 1, dtype=torch.float64)
        between = [row for row in rows if abs(float(ahead[row]) - round(float(ahead[row]))) > _NEAR]
        solution = solve(field, z, grid, solver, dense=bool(between))
        evaluations += solution.evaluations
        for row in set(rows) - set(between):
            found[row] = solution.states[round(float(ahead[row]))]
        if between:
            assert solution.path is not None
            for row, state in zip(between, solution.path.at(times[between]), strict=True):
                found[row] = state
    return torch.stack(found, 1), evaluations


def _each(field: Field, z: Tensor, start: Tensor, times: Tensor, solver: Solver) -> tuple[Tensor, int]:
    """Every sample on its own clock: each stretch from one time to the next takes the same time for all, at their own
    pace."""
    ahead = times.clamp(min=start[:, None])
    behind = times.clamp(max=start[:, None]).flip(1)
    forth, calls = _stretches(field, z, torch.cat([start[:, None], ahead], 1), solver)
    back, more = _stretches(field, z, torch.cat([start[:, None], behind], 1), solver)
    later = (times >= start[:, None]).to(z.device)[..., None]
    return torch.where(later, forth, back.flip(1)), calls + more


def _stretches(field: Field, z: Tensor, marks: Tensor, solver: Solver) -> tuple[Tensor, int]:
    """The states at marks (B, n + 1), which ascend or descend, but the first."""
    states, evaluations = [], 0
    for begin, end in pairwise(marks.unbind(1)):
        gap = end - begin
        frames = math.ceil(float(gap.abs().max()) - _NEAR)
        if frames > 0:
            wide = gap.to(z)[:, None]

            def warped(s: Tensor, z: Tensor, begin: Tensor = begin, gap: Tensor = gap, wide: Tensor = wide) -> Tensor:
                return wide * field(begin + s * gap, z)

            solution = solve(warped, z, torch.tensor([0.0, 1.0]), replace(solver, steps=solver.steps * frames))
            z = solution.final
            evaluations += solution.evaluations
        states.append(z)
    return torch.stack(states, 1), evaluations
