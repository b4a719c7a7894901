"""From the turn of each joint to where all joints are."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError


class _Order(NamedTuple):
    joints: Tensor  # the joints by their depth
    back: Tensor  # where each joint is in that order
    sizes: list[int]  # joints of each depth
    above: list[Tensor]  # for each depth but the first: the parents' places among the joints of the depth before


def forward_kinematics(
    rot: Tensor, offset: Tensor, parents: Sequence[int], root: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Place every joint in the world from its local rotation.

    All joints of one depth are placed at once, so that a body takes nine products of matrices and not twenty-four.

    Args:
        rot: local rotation matrices, (..., J, 3, 3); that of a root orients it in the world.
        offset: place of each joint in its parent's frame, (J, 3) or (..., J, 3), metres; of a root, in the world.
        parents: parent of each joint; -1 is a root, and parents[j] < j.
        root: where the first joint is instead of at its offset, (3,) or (..., 3).

    Returns:
        World rotations (..., J, 3, 3) and positions (..., J, 3).

    Raises:
        ShapeError: the arguments disagree on J.

    Source: Loper et al. (2015), SMPL, eq. 3-4.
    """
    joints = len(parents)
    if rot.shape[-3:] != (joints, 3, 3) or offset.shape[-2:] != (joints, 3):
        raise ShapeError(
            f"{joints} joints need local rotations (..., {joints}, 3, 3) and offsets (..., {joints}, 3); the shapes are "
            f"{tuple(rot.shape)} and {tuple(offset.shape)}."
        )
    if root is not None:
        batch = torch.broadcast_shapes(root.shape[:-1], offset.shape[:-2])
        offset = torch.cat([root.expand(*batch, 3)[..., None, :], offset[..., 1:, :].expand(*batch, -1, -1)], -2)
    order = _order(tuple(parents), rot.device)
    batch = torch.broadcast_shapes(rot.shape[:-3], offset.shape[:-2])
    local = torch.cat(
        [rot.expand(*batch, -1, -1, -1), offset.expand(*batch, -1, -1)[..., None].to(rot.dtype)], -1
    ).index_select(-3, order.joints)
    last = local.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*batch, joints, 1, 4)
    levels = torch.cat([local, last], -2).split(order.sizes, -3)
    world = [levels[0]]
    for level, above in zip(levels[1:], order.above, strict=True):
        world.append(world[-1].index_select(-3, above) @ level)
    placed = torch.cat(world, -3).index_select(-3, order.back)
    return placed[..., :3, :3], placed[..., :3, 3]


def local_rotations(world: Tensor, parents: Sequence[int]) -> Tensor:
    """The rotation of each joint in its parent's frame, from those in the world: (..., J, 3, 3) twice."""
    above = torch.as_tensor([max(parent, 0) for parent in parents], device=world.device)
    local = world.index_select(-3, above).transpose(-1, -2) @ world
    roots = torch.as_tensor([parent < 0 for parent in parents], device=world.device)
    return torch.where(roots[:, None, None], world, local)


def check_tree(parents: Sequence[int]) -> None:
    """Refuse what is no tree in which every parent comes before its children.

    Raises:
        ConfigError: naming the first joint that is wrong.
    """
    if not parents or parents[0] != -1:
        raise ConfigError("The first joint must be a root: its parent is written as -1.")
    for joint, parent in enumerate(parents):
        if not -1 <= parent < joint:
            raise ConfigError(f"Joint {joint} has the parent {parent}; a parent must come before its children.")


@lru_cache(maxsize=64)
def _order(parents: tuple[int, ...], device: torch.device) -> _Order:
    check_tree(parents)
    depth: list[int] = []
    for parent in parents:
        depth.append(0 if parent < 0 else depth[parent] + 1)
    levels = [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
    joints = [joint for level in levels for joint in level]
    above = [[upper.index(parents[j]) for j in level] for upper, level in pairwise(levels)]
    back = sorted(range(len(joints)), key=joints.__getitem__)
    # Numbers made in inference mode could not be used in training afterwards.
    with torch.inference_mode(False):
        return _Order(
            torch.tensor(joints, device=device),
            torch.tensor(back, device=device),
            [len(level) for level in levels],
            [torch.tensor(places, device=device) for places in above],
        )
