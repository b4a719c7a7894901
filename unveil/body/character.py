"""A surface bound to a skeleton: a character of a file, or a body of one shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from unveil.body.gltf.document import Document
from unveil.body.motion import Motion
from unveil.body.skeleton import Skeleton
from unveil.body.skinning import skin
from unveil.core.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Character:
    """A skinned surface.

    Args:
        skeleton: in the pose in which the surface was bound.
        vertices: in that pose, (V, 3), metres.
        faces: three vertices each, counter-clockwise from outside, (F, 3).
        weights: how much each vertex follows each joint, (V, J).
        colours: of the vertices, (V, 3) from 0 to 1, linear light, if known.
        motions: those that came with it, by name.
        document: the file it came from, so that what is not understood here (materials, textures) is kept.
    """

    skeleton: Skeleton
    vertices: Tensor
    faces: Tensor
    weights: Tensor
    colours: Tensor | None = None
    motions: Mapping[str, Motion] = field(default_factory=dict)
    document: Document | None = None

    def __post_init__(self) -> None:
        number, joints = len(self.vertices), len(self.skeleton)
        if self.vertices.shape != (number, 3) or self.weights.shape != (number, joints):
            raise ShapeError(
                f"A character of {joints} joints got vertices {tuple(self.vertices.shape)} and weights "
                f"{tuple(self.weights.shape)}; it needs (V, 3) and (V, {joints})."
            )
        if self.faces.ndim != 2 or self.faces.shape[1] != 3 or (len(self.faces) and int(self.faces.max()) >= number):
            raise ShapeError(f"Faces must be (F, 3) numbers of vertices below {number}.")

    def posed(self, rot: Tensor, root: Tensor | None = None, offsets: Tensor | None = None) -> Tensor:
        """The surface in other poses.

        Args:
            rot: local rotations, (T, J, 3, 3).
            root: where the first joint is, (T, 3); without it, where it was bound.
            offsets: places in the parents' frames, (T, J, 3), if bones change their length.

        Returns:
            (T, V, 3).
        """
        world, positions = self.skeleton.place(rot, root, offsets)
        turned = world @ self.skeleton.rotations.transpose(-1, -2)
        return skin(self.vertices, self.weights, turned, positions, self.skeleton.positions)

    def move(self, motion: Motion) -> Tensor:
        """The surface in every frame of a motion of its own skeleton, (T, V, 3)."""
        return self.posed(motion.rot, motion.root, motion.offsets)

    def scaled(self, scale: float) -> "Character":
        """The character so many times its size; it forgets its file and its motions."""
        skeleton, vertices = self.skeleton.scaled(scale), scale * self.vertices
        return replace(self, skeleton=skeleton, vertices=vertices, motions={}, document=None)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals at the vertices, of the faces around them weighted by area: (..., V, 3) -> (..., V, 3)."""
    a, b, c = (vertices[..., faces[:, i], :] for i in range(3))
    across = torch.linalg.cross(b - a, c - a, dim=-1)
    normals = torch.zeros_like(vertices)
    for i in range(3):
        normals = normals.index_add(-2, faces[:, i], across)
    return torch.nn.functional.normalize(normals, dim=-1)
