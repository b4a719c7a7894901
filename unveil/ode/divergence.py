"""The divergence of a field, and the field that carries a state together with its log-density."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.protocols import Field
from unveil.core.shapes import sum_per_sample

Divergence = Callable[[Field, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(field, t, x) -> (dx/dt, its divergence (B,))."""


def exact_divergence(field: Field, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The field and the trace of its Jacobian, one backward pass a dimension.

    Samples must not influence one another. For up to a few hundred dimensions.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        velocity = field(t, x)
        flat = velocity.flatten(1)
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for d in range(flat.shape[1]):
            keep = d + 1 < flat.shape[1]
            (row,) = torch.autograd.grad(flat[:, d].sum(), x, retain_graph=keep, materialize_grads=True)
            total = total + row.flatten(1)[:, d]
    return velocity.detach(), total.detach()


def hutchinson_divergence(probe: Tensor) -> Divergence:
    """A divergence estimated with one fixed probe v as v' J v: unbiased, one backward pass.

    The probe is drawn once per solve, not once per evaluation, or the solver would face noise.

    Args:
        probe: (B, ...), independent entries of mean 0 and variance 1.

    Source: Grathwohl et al. (2019), arXiv:1810.01367, section 3.1.
    """

    def divergence(field: Field, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            velocity = field(t, x)
            (product,) = torch.autograd.grad((velocity * probe).sum(), x, materialize_grads=True)
        return velocity.detach(), sum_per_sample(product * probe).detach()

    return divergence


def augmented(field: Field, shape: torch.Size, probe: bool) -> Field:
    """The field of a state that carries its log-density, and its probe, with it.

    The state is flat, (B, D + 1) or (B, 2 D + 1): x, then the integral of the divergence, then Hutchinson's probe, whose
    velocity is zero. So a solver may drop samples that have arrived, and each keeps its own probe.

    Args:
        field: (t, x) -> dx/dt on (B, *shape).
        shape: of one sample.
        probe: whether the state carries a probe; without one the divergence is exact.
    """
    dim = shape.numel()

    def joint(t: Tensor, state: Tensor) -> Tensor:
        x = state[:, :dim].unflatten(1, shape)
        divergence = hutchinson_divergence(state[:, dim + 1 :].unflatten(1, shape)) if probe else exact_divergence
        velocity, change = divergence(field, t, x)
        still = torch.zeros_like(state[:, dim + 1 :])
        return torch.cat([velocity.flatten(1), change[:, None], still], 1)

    return joint
