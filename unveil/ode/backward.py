"""Gradients of a solution without keeping what every step has computed.

"checkpoint" keeps the states between steps and takes each step again: the very gradient that plain backpropagation
finds. "adjoint" keeps the states at the times asked for and solves an ODE back from them: its gradient is that of the
exact solution, up to the tolerance of that solve.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unveil.core.protocols import Field
from unveil.ode.adaptive import rms
from unveil.ode.solution import Leg, Solution
from unveil.ode.tableau import Tableau

Run = Callable[..., tuple[Solution, list[list[Leg]]]]
"""(field, x, times, **options) -> the solution and the steps to each of its times."""


class _Checkpointed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, run: Run, tableau: Tableau, field: Field, times: Tensor, box: list[Solution], x: Tensor, *rest: Tensor
    ) -> Tensor:
        with torch.no_grad():
            solution, legs = run(field, x, times, keep=True)
        box.append(solution)
        ctx.tableau, ctx.field, ctx.legs = tableau, field, legs
        ctx.rest = rest
        return solution.states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (of_states,) = grads
        wanted = [value for value in ctx.rest if value.requires_grad]
        sums = [torch.zeros_like(value) for value in wanted]
        slope = of_states[-1]
        for legs, of_start in zip(reversed(ctx.legs), reversed(of_states[:-1]), strict=True):
            for leg in reversed(legs):
                with torch.enable_grad():
                    x = leg.x.detach().requires_grad_()
                    end = leg.again(ctx.tableau, ctx.field, x)
                slope, *more = torch.autograd.grad(end, [x, *wanted], slope, materialize_grads=True)
                torch._foreach_add_(sums, more)
            slope = slope + of_start
        found = iter(sums)
        return (*(None,) * 5, slope, *(next(found) if value.requires_grad else None for value in ctx.rest))


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, run: Run, back: Run, field: Field, times: Tensor, box: list[Solution], x: Tensor, *rest: Tensor
    ) -> Tensor:
        with torch.no_grad():
            solution, _ = run(field, x, times)
        box.append(solution)
        ctx.back, ctx.field, ctx.times, ctx.rest = back, field, times, rest
        ctx.save_for_backward(solution.states)
        return solution.states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (of_states,) = grads
        (states,) = ctx.saved_tensors
        wanted = [value for value in ctx.rest if value.requires_grad]
        shape, numbers = states.shape[1:], states[0].numel()
        sizes = [numbers, numbers, *(value.numel() for value in wanted)]

        def joint(t: Tensor, flat: Tensor) -> Tensor:
            x, slope, *_ = flat[0].split(sizes)
            with torch.enable_grad():
                x = x.reshape(shape).detach().requires_grad_()
                velocity = ctx.field(t.expand(len(x)), x)
            pulled = torch.autograd.grad(velocity, [x, *wanted], slope.reshape(shape), materialize_grads=True)
            return torch.cat([velocity.detach().flatten(), *(-part.flatten() for part in pulled)])[None]

        def norm(error: Tensor) -> Tensor:
            return torch.maximum(rms(error[:, :numbers]), rms(error[:, numbers : 2 * numbers]))

        sums = states.new_zeros(sum(sizes[2:]))
        slope = of_states[-1]
        for k in range(len(states) - 1, 0, -1):
            # The equation is linear in the slope, so it may be solved for one whose size tolerances are meant for.
            size = float(slope.square().mean().sqrt()) or 1.0
            start = torch.cat([states[k].flatten(), slope.flatten() / size, torch.zeros_like(sums)])[None]
            times = ctx.times[[k, k - 1]]
            with torch.no_grad():
                final = ctx.back(joint, start, times, norm)[0].final[0]
            slope = size * final[numbers : 2 * numbers].reshape(shape) + of_states[k - 1]
            sums += size * final[2 * numbers :]
        found = iter(part.reshape(value.shape) for part, value in zip(sums.split(sizes[2:]), wanted, strict=True))
        return (*(None,) * 5, slope, *(next(found) if value.requires_grad else None for value in ctx.rest))


def checkpointed(
    run: Run, tableau: Tableau, field: Field, x: Tensor, times: Tensor, parameters: Sequence[Tensor]
) -> Solution:
    """Solve, with gradients that take every step again."""
    box: list[Solution] = []
    states = _Checkpointed.apply(run, tableau, field, times, box, x, *parameters)
    return Solution(states, box[0].evaluations, box[0].rejected, box[0].accepted)


def by_adjoint(run: Run, back: Run, field: Field, x: Tensor, times: Tensor, parameters: Sequence[Tensor]) -> Solution:
    """Solve, with gradients from the adjoint equation, which `back` (field, x, times, norm) solves."""
    box: list[Solution] = []
    states = _Adjoint.apply(run, back, field, times, box, x, *parameters)
    return Solution(states, box[0].evaluations, box[0].rejected, box[0].accepted)
