"""Moving about in the space of noise."""

import torch
from torch import Tensor

from unveil.core.protocols import Covariance
from unveil.core.shapes import expand_as
from unveil.covariance import Identity


def slerp(start: Tensor, end: Tensor, weight: float, cov: Covariance = Identity()) -> Tensor:
    """Blend two latents along the great circle between them, where every point is as likely a noise as its ends.

    Args:
        start: latents, (B, ...).
        end: latents, (B, ...).
        weight: 0 gives start, 1 gives end.
        cov: covariance of the latents; the circle is drawn in whitened coordinates.
    """
    a, b = cov.inv_sqrt(start), cov.inv_sqrt(end)
    unit_a, unit_b = (v.flatten(1) / v.flatten(1).norm(dim=1, keepdim=True) for v in (a, b))
    angle = (unit_a * unit_b).sum(1).clamp(-1, 1).acos()
    sine = angle.sin()
    straight = sine < 1e-6
    safe = torch.where(straight, torch.ones_like(sine), sine)
    from_a = torch.where(straight, torch.full_like(sine, 1 - weight), ((1 - weight) * angle).sin() / safe)
    from_b = torch.where(straight, torch.full_like(sine, weight), (weight * angle).sin() / safe)
    return cov.sqrt(expand_as(from_a, a) * a + expand_as(from_b, b) * b)
