"""A tree of named joints and how it stands in its bind pose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from unveil.body.joints import find_joint
from unveil.body.kinematics import check_tree, forward_kinematics, local_rotations
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import check_rotations


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints, their tree, and the pose in which a surface is bound to them, as a rule a T-pose.

    Args:
        names: of the joints, each once.
        parents: of the joints; -1 is a root, and a parent comes before its children.
        rotations: of the joints in the world in bind pose, (J, 3, 3).
        positions: of the joints in the world in bind pose, (J, 3), metres.
        ends: ends of bones that are no joints, as (joint, place in its frame): fingertips, toes, the top of the head.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rotations: Tensor
    positions: Tensor
    ends: tuple[tuple[int, tuple[float, float, float]], ...] = ()

    def __post_init__(self) -> None:
        joints = len(self.names)
        if len(self.parents) != joints or self.rotations.shape != (joints, 3, 3) or self.positions.shape != (joints, 3):
            raise ShapeError(
                f"A skeleton of {joints} names got {len(self.parents)} parents, rotations {tuple(self.rotations.shape)} and "
                f"positions {tuple(self.positions.shape)}; it needs one of each for every joint."
            )
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ConfigError(f"Joints of a skeleton need different names; {', '.join(sorted(twice))} comes twice.")
        check_tree(self.parents)
        if not torch.isfinite(self.positions).all():
            raise ConfigError("A joint of the skeleton is at a place that is not finite.")
        object.__setattr__(self, "rotations", check_rotations(self.rotations, "The skeleton's rotations"))

    @classmethod
    def at_rest(
        cls,
        names: Sequence[str],
        parents: Sequence[int],
        positions: Tensor,
        ends: Sequence[tuple[int, tuple[float, float, float]]] = (),
    ) -> "Skeleton":
        """A skeleton whose frames all lie along the axes of the world in bind pose."""
        upright = torch.eye(3, dtype=positions.dtype, device=positions.device).expand(len(names), 3, 3)
        return cls(tuple(names), tuple(parents), upright, positions, tuple(ends))

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The number of a joint, or an error that lists names like it."""
        return find_joint(name, self.names)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of each joint, those that hang on it."""
        return tuple(tuple(j for j, parent in enumerate(self.parents) if parent == joint) for joint in range(len(self)))

    @cached_property
    def offsets(self) -> Tensor:
        """Each joint's place in its parent's frame, (J, 3); a root's place in the world."""
        above = torch.tensor([max(parent, 0) for parent in self.parents])
        steps = self.positions - self.positions[above]
        local = (self.rotations[above].transpose(-1, -2) @ steps[..., None]).squeeze(-1)
        roots = torch.tensor([parent < 0 for parent in self.parents])
        return torch.where(roots[:, None], self.positions, local)

    @cached_property
    def local(self) -> Tensor:
        """Local rotations of the bind pose, (J, 3, 3)."""
        return local_rotations(self.rotations, self.parents)

    @cached_property
    def lengths(self) -> Tensor:
        """Length of the bone from each joint's parent to it, (J,), metres; of a root 0."""
        lengths = self.offsets.norm(dim=-1)
        roots = torch.tensor([parent < 0 for parent in self.parents])
        return torch.where(roots, torch.zeros_like(lengths), lengths)

    def place(self, rot: Tensor, root: Tensor | None = None, offsets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pose the skeleton.

        Args:
            rot: local rotations, (..., J, 3, 3).
            root: where the first joint is, (..., 3); without it, where it was in bind pose.
            offsets: places in the parents' frames, (..., J, 3), where bones are not as long as in bind pose.

        Returns:
            World rotations (..., J, 3, 3) and positions (..., J, 3).
        """
        return forward_kinematics(rot, self.offsets if offsets is None else offsets, self.parents, root)

    def bound(self, rot: Tensor, root: Tensor | None = None) -> "Skeleton":
        """The same bones with another bind pose, given by local rotations (J, 3, 3) and the place of the first joint."""
        rotations, positions = self.place(rot, root)
        return replace(self, rotations=rotations, positions=positions)

    def scaled(self, scale: float) -> "Skeleton":
        """The same joints with all bones so many times as long."""
        ends = tuple((joint, (scale * x, scale * y, scale * z)) for joint, (x, y, z) in self.ends)
        return replace(self, positions=scale * self.positions, ends=ends)

    def aligned(self) -> "Skeleton":
        """The same bind pose with every frame along the axes of the world, so that it is where all rotations are zero."""
        identity = torch.eye(3, dtype=self.rotations.dtype).expand_as(self.rotations)
        ends = []
        for joint, place in self.ends:
            turned = self.rotations[joint] @ self.rotations.new_tensor(place)
            ends.append((joint, (float(turned[0]), float(turned[1]), float(turned[2]))))
        return replace(self, rotations=identity, ends=tuple(ends))
