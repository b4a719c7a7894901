"""The divergence of a field, and the field that carries a state together with its log-density.

Where gradients are being recorded these can be differentiated once more, as training needs it; elsewhere they cannot,
and keep nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.protocols import Field
from unveil.core.shapes import mean_per_sample, sum_per_sample
from unveil.ode.adaptive import rms


def _opened(x: Tensor, recorded: bool) -> Tensor:
    """The state as something to differentiate by."""
    return x if recorded and x.requires_grad else x.detach().requires_grad_()


def _along(field: Field, t: Tensor, x: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity, and the row v' J of its Jacobian along a probe v."""
    recorded = torch.is_grad_enabled()
    with torch.enable_grad():
        x = _opened(x, recorded)
        velocity = field(t, x)
        (row,) = torch.autograd.grad(velocity, x, probe, create_graph=recorded, materialize_grads=True)
    return (velocity, row) if recorded else (velocity.detach(), row)


def _whole(field: Field, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The velocity, the trace of its Jacobian and the sum of the Jacobian's squares, each sample's own."""
    recorded = torch.is_grad_enabled()
    with torch.enable_grad():
        x = _opened(x, recorded)
        velocity = field(t, x)
        flat = velocity.flatten(1)
        trace = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        squares = torch.zeros_like(trace)
        for d in range(flat.shape[1]):
            keep = recorded or d + 1 < flat.shape[1]
            (row,) = torch.autograd.grad(
                flat[:, d].sum(), x, retain_graph=keep, create_graph=recorded, materialize_grads=True
            )
            trace = trace + row.flatten(1)[:, d]
            squares = squares + sum_per_sample(row.square())
    return (velocity, trace, squares) if recorded else (velocity.detach(), trace.detach(), squares.detach())


@dataclass(frozen=True)
class Augmented:
    """The field of a state that carries its log-density with it, and how straight its path is.

    The state is flat: x, then the integral of the divergence, and where it is `regularised` two more integrals, both
    means over the D numbers of x: half the squared speed, and the squares of the Jacobian (over D, of all its entries).

    Args:
        field: (t, x) -> dx/dt on (B, *shape).
        shape: of one sample.
        probe: Hutchinson's, (B, *shape), independent entries of mean 0 and variance 1: v' J v is the divergence on average,
            at one backward pass. It is kept for the whole solve, which would face noise otherwise. Without one the
            divergence is exact, at one backward pass a number; samples must not influence one another.
        regularised: carry the two integrals too.

    Source: Grathwohl et al. (2019), arXiv:1810.01367; Finlay et al. (2020), arXiv:2002.02798, for the integrals.
    """

    field: Field
    shape: torch.Size
    probe: Tensor | None = None
    regularised: bool = False

    def start(self, x: Tensor) -> Tensor:
        """The state of samples x, (B, *shape), that nothing has happened to: (B, D + 1) or (B, D + 3)."""
        return torch.cat([x.flatten(1), x.new_zeros(len(x), 3 if self.regularised else 1)], 1)

    def __call__(self, t: Tensor, state: Tensor) -> Tensor:
        """The velocity of a state."""
        x = state[:, : self.shape.numel()].unflatten(1, self.shape)
        if self.probe is None:
            velocity, change, squares = _whole(self.field, t, x)
            squares = squares / self.shape.numel()
        else:
            velocity, row = _along(self.field, t, x, self.probe)
            change, squares = sum_per_sample(row * self.probe), mean_per_sample(row.square())
        parts = [velocity.flatten(1), change[:, None]]
        if self.regularised:
            parts += [mean_per_sample(velocity.square())[:, None] / 2, squares[:, None]]
        return torch.cat(parts, 1)

    def norm(self, error: Tensor) -> Tensor:
        """The larger of the errors of x and of its log-density; those of the other integrals move no step."""
        dim = self.shape.numel()
        return torch.maximum(rms(error[:, :dim]), error[:, dim].abs())

    def read(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The samples (B, *shape), the integral of the divergence (B,), and the other two (B, 2) or (B, 0)."""
        dim = self.shape.numel()
        return state[:, :dim].unflatten(1, self.shape), state[:, dim], state[:, dim + 1 :]
