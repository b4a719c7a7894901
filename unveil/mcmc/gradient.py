"""The slope of an energy, and nothing else: no graph is kept and no parameter's gradient is made."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unveil.core.errors import DivergenceError, ShapeError
from unveil.core.protocols import Energy

Gradient = Callable[[Tensor], Tensor]
"""x -> the gradient of the energy summed over the samples, of the shape of x."""


def energy_gradient(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """The energy of each sample, (B,), and its gradient in x, (B, ...), both without a graph.

    It works under `no_grad` and `inference_mode` too.

    Raises:
        ShapeError: the energy does not give one number a sample.
    """
    energies, (slope,) = energy_gradients(lambda parts: energy(parts[0]), (x,))
    return energies, slope


def energy_gradients(
    energy: Callable[[Sequence[Tensor]], Tensor], parts: Sequence[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same for an energy of several variables, (B, ...) each."""
    with torch.inference_mode(False), torch.enable_grad():
        parts = [(part.clone() if part.is_inference() else part.detach()).requires_grad_(True) for part in parts]
        energies = energy(parts)
        if energies.shape != (len(parts[0]),):
            raise ShapeError(
                f"An energy gives one number a sample, of shape ({len(parts[0])},); this one gave {tuple(energies.shape)}."
            )
        # Samples do not see each other, so the gradient of the sum holds each one's own.
        slopes = torch.autograd.grad(energies.sum(), parts)
    return energies.detach(), slopes


def finite_sum(*parts: Tensor | None) -> Tensor:
    """A number that is finite where all of the parts are, for `check_finite`; a fraction of the work of looking at each."""
    sums = [x.sum(dtype=torch.promote_types(x.dtype, torch.float32)) for x in parts if x is not None]  # halves overflow
    return sum(sums[1:], sums[0])


def check_finite(seen: Sequence[Tensor], what: str = "The energy or the gradient of the energy") -> None:
    """Refuse a chain of which one step was not finite; `seen` holds the `finite_sum` of each.

    They are looked at together, since each look would wait for the device.

    Raises:
        DivergenceError: the message names the first such step.
    """
    if not seen:
        return
    finite = torch.stack(list(seen)).isfinite().tolist()
    if not all(finite):
        raise DivergenceError(
            f"{what} stopped being finite in step {finite.index(False) + 1} of {len(finite)} of a Langevin chain. A smaller "
            "step, or a lower learning rate of the energy, may help."
        )
