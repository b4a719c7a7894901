"""The signed distance to the embedded body's skin, negative inside."""

import numpy as np
import torch
from torch import Tensor

from unveil.body.embedded.capsules import BLENDS, Capsules, capsules

_JOIN = 0.018  # metres: how softly limbs flow into the torso
_BLOCK = 20_000  # points at a time, to bound the memory


def capsule_distances(points: Tensor, parts: Capsules) -> tuple[Tensor, Tensor]:
    """Distance of points (V, 3) to each capsule, (V, N), and the share of its axis they lie next to, (V, N)."""
    start, axis = torch.from_numpy(parts.start), torch.from_numpy(parts.end - parts.start)
    radius = torch.from_numpy(parts.radius)
    away = points[:, None] - start
    share = ((away * axis).sum(-1) / (axis * axis).sum(-1).clamp_min(1e-12)).clamp(0, 1)
    length = (away - share[..., None] * axis).square().sum(-1).clamp_min(1e-18).sqrt()
    return length - torch.lerp(radius[:, 0].expand_as(share), radius[:, 1].expand_as(share), share), share


def signed_distance(points: Tensor) -> Tensor:
    """About how far points (V, 3) in metres are outside the skin, (V,); smooth, and 0 on the skin exactly.

    The capsules of a part are joined softly, and each limb softly with the torso, but never one limb with another: legs
    that touch stay two.
    """
    parts = capsules()
    distances, _ = capsule_distances(points, parts)
    groups = {name: [i for i, part in enumerate(parts.part) if part == name] for name in BLENDS}
    soft = {name: -k * torch.logsumexp(-distances[:, groups[name]] / k, 1) for name, k in BLENDS.items()}
    torso = soft.pop("torso")
    joined = [-_JOIN * torch.logaddexp(-torso / _JOIN, -limb / _JOIN) for limb in soft.values()]
    return torch.stack(joined).amin(0)


def distances_at(points: np.ndarray) -> np.ndarray:
    """The same of an array, a block at a time: (V, 3) -> (V,)."""
    with torch.no_grad():
        blocks = torch.from_numpy(np.ascontiguousarray(points)).split(_BLOCK)
        return torch.cat([signed_distance(block) for block in blocks]).numpy()


def project(points: np.ndarray, steps: int) -> np.ndarray:
    """Move points onto the skin by Newton's method along the gradient: (V, 3) -> (V, 3)."""
    x = torch.from_numpy(points)
    for _ in range(steps):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = signed_distance(x)
            (gradient,) = torch.autograd.grad(value.sum(), x)
        x = x.detach() - (value.detach() / gradient.square().sum(1).clamp_min(1e-6))[:, None] * gradient
    return x.numpy()
