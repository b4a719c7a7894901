"""A surface that follows its joints."""

import torch
from torch import Tensor

from unveil.core.errors import ShapeError

_MANY = 4  # poses from which on it pays to weight the vertices once for all


def skin(vertices: Tensor, weights: Tensor, rot: Tensor, joints: Tensor, rest: Tensor) -> Tensor:
    """Linear blend skinning: v = sum_j w_j (R_j (v_rest - J_j) + P_j).

    Args:
        vertices: the surface at rest, (V, 3), the same for all poses, or (B, V, 3).
        weights: how much each vertex follows each joint, (V, J), rows that sum to 1.
        rot: R, how far each joint has turned in the world since rest, (B, J, 3, 3).
        joints: P, where the joints are, (B, J, 3).
        rest: J, where they were, (J, 3) or (B, J, 3).

    Returns:
        The surface posed, (B, V, 3).

    Raises:
        ShapeError: the arguments disagree on the number of vertices or of joints.

    Source: Lewis, Cordner and Fong (2000), Pose space deformation, section 2.1; Loper et al. (2015), eq. 2-4.
    """
    if vertices.shape[-2] != weights.shape[0] or not weights.shape[1] == rot.shape[-3] == joints.shape[-2]:
        raise ShapeError(
            f"{vertices.shape[-2]} vertices and {rot.shape[-3]} joints do not fit weights of {tuple(weights.shape)}."
        )
    shift = joints - (rot @ rest[..., None]).squeeze(-1)
    moves = torch.cat([rot, shift[..., None]], -1)  # (B, J, 3, 4)
    batch, number = len(moves), len(weights)
    if vertices.ndim == 2 and batch >= _MANY:
        # One product for all poses: the weighted vertices (V, 4 J) by the moves (4 J, 3 B).
        ones = torch.cat([vertices, vertices.new_ones(number, 1)], 1)
        weighted = (weights[:, :, None] * ones[:, None, :]).flatten(1)
        posed = weighted @ moves.permute(1, 3, 0, 2).reshape(-1, 3 * batch)
        return posed.unflatten(1, (batch, 3)).transpose(0, 1)
    blended = (weights @ moves.flatten(2)).unflatten(-1, (3, 4))
    return (blended[..., :3] @ vertices[..., None]).squeeze(-1) + blended[..., 3]
