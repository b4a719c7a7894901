"""A character out of a glTF file: its skeleton, its skin and its animations, in metres, Y up."""

import os
import struct
from typing import Any

import numpy as np
import torch

from unveil.body.character import Character
from unveil.body.gltf.animations import sample_animation
from unveil.body.gltf.colours import vertex_colours
from unveil.body.gltf.document import Document, read_document
from unveil.body.gltf.errors import GltfError
from unveil.body.gltf.nodes import local_matrix, parents_of, scale_of, world_matrices
from unveil.body.kinematics import local_rotations
from unveil.body.motion import Motion
from unveil.body.skeleton import Skeleton
from unveil.body.units import metres_per_unit
from unveil.core.errors import UnveilError
from unveil.geometry import nearest_rotation


def read_glb(
    path: str | os.PathLike[str], *, skin: int | None = None, units: str | float | None = None, fps: float | None = None
) -> Character:
    """Read a skinned character from a .glb or .gltf file.

    Args:
        path: the file.
        skin: which of its skins, if it has several.
        units: what a length of 1 is; glTF means metres, which is taken if a human fits.
        fps: frames per second of its motions; without it those they were written with.

    Raises:
        GltfError: it is damaged, has no skin, or several of which none was named.
        DataError: its size is no human's in these units.
    """
    try:
        document = read_document(path)
        return _character(document, skin, units, fps)
    except OSError as error:
        raise GltfError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except GltfError as error:
        raise GltfError(f"'{path}' is no character that can be read: {error}.") from None
    except UnveilError:
        raise
    except (
        *(KeyError, TypeError, IndexError, AttributeError, struct.error),
        *(ValueError, OverflowError, RuntimeError),  # numbers that are none, or from which no turn can be found
    ) as error:
        raise GltfError(
            f"'{path}' is no character that can be read: it is damaged ({type(error).__name__}: {error})."
        ) from None


def _character(document: Document, skin: int | None, units: str | float | None, fps: float | None) -> Character:
    number = _choose(document, skin)
    joints, names, parents = skin_joints(document, number)
    tree = parents_of(document)
    local = np.stack([local_matrix(node) for node in document.items("nodes")])
    bind = bind_matrices(document, number, world_matrices(tree, local), joints)
    surface = _surface(document, number, [int(j) for j in document.item("skins", number)["joints"]], joints)
    skeleton = _skeleton(names, parents, bind.joints)
    scale = metres_per_unit(units, skeleton.positions)
    vertices = surface["vertices"] @ bind.placement[:3, :3].T + bind.placement[:3, 3]
    skeleton = Skeleton(skeleton.names, skeleton.parents, skeleton.rotations, scale * skeleton.positions)
    motions = {}
    for i, animation in enumerate(document.items("animations")):
        frames, rate = sample_animation(document, animation, local, fps)
        world = world_matrices(tree, frames)[joints].swapaxes(0, 1)  # (T, J, 4, 4)
        name = str(animation.get("name") or f"animation {i}")
        motions[name if name not in motions else f"{name} {i}"] = _motion(skeleton, world, scale, rate)
    return Character(
        skeleton,
        torch.from_numpy(scale * vertices).float(),
        torch.from_numpy(surface["faces"].astype(np.int64)),
        torch.from_numpy(surface["weights"]).float(),
        None if surface["colours"] is None else torch.from_numpy(surface["colours"]).float(),
        motions,
        document,
    )


class Bind:
    """The bind pose of a skin in the world.

    Attributes:
        placement: brings the mesh's own coordinates to the world, (4, 4).
        joints: where the joints were when the mesh was bound, (J, 4, 4).
        inverse: the file's inverse bind matrices, (J, 4, 4).
    """

    def __init__(self, placement: np.ndarray, inverse: np.ndarray) -> None:
        self.placement, self.inverse = placement, inverse
        self.joints = placement @ np.linalg.inv(inverse)


def bind_matrices(document: Document, skin: int, world: np.ndarray, joints: list[int]) -> Bind:
    """The bind pose, placed so that the skin's first joint is where its node is."""
    found = document.item("skins", skin)
    written = [int(j) for j in found["joints"]]
    inverse = np.tile(np.eye(4), (len(written), 1, 1))
    if "inverseBindMatrices" in found:
        inverse = document.numbers(found["inverseBindMatrices"]).astype(float)
    if len(inverse) < len(written) or not np.isfinite(np.linalg.cond(inverse[:, :3, :3])).all():
        raise GltfError("its inverse bind matrices do not fit its joints")
    inverse = inverse[[written.index(joint) for joint in joints]]
    return Bind(world[joints[0]] @ inverse[0], inverse)


def skin_joints(document: Document, skin: int) -> tuple[list[int], list[str], list[int]]:
    """The nodes of a skin's joints, parents first; their names, each once; and each one's parent among them."""
    written = document.item("skins", skin).get("joints")
    if not isinstance(written, list) or not written or len(set(written)) != len(written):
        raise GltfError("its skin has no joints, or one twice")
    for joint in written:
        document.item("nodes", joint)
    tree, members = parents_of(document), set(written)

    def above(node: int) -> int:
        node = tree[node]
        while node >= 0 and node not in members:
            node = tree[node]
        return node

    def depth(node: int) -> int:
        return 0 if node < 0 else 1 + depth(above(node))

    joints = sorted(written, key=depth)
    names: list[str] = []
    for joint in joints:
        name = str(document.item("nodes", joint).get("name") or f"joint {joint}")
        names.append(name if name not in names else f"{name} {joint}")
    return joints, names, [joints.index(above(joint)) if above(joint) >= 0 else -1 for joint in joints]


def _choose(document: Document, skin: int | None) -> int:
    skins = document.items("skins")
    used = [
        i
        for i in range(len(skins))
        if any(node.get("skin") == i and "mesh" in node for node in document.items("nodes"))
    ]
    if not used:
        raise GltfError("it has no mesh that is bound to a skeleton; export the character with its rig")
    if skin is None and len(used) > 1:
        told = ", ".join(
            f"{i} ({skins[i].get('name', 'without a name')}, {len(skins[i].get('joints', []))} joints)" for i in used
        )
        raise GltfError(f"it has several skins; say which by skin=: {told}")
    if skin is not None and skin not in used:
        raise GltfError(f"it has no skin {skin} with a mesh; there are {', '.join(map(str, used))}")
    return used[0] if skin is None else skin


def _skeleton(names: list[str], parents: list[int], bind: np.ndarray) -> Skeleton:
    turned = torch.from_numpy(np.stack([matrix[:3, :3] / max(scale_of(matrix), 1e-12) for matrix in bind]))
    return Skeleton(
        tuple(names), tuple(parents), nearest_rotation(turned).float(), torch.from_numpy(bind[:, :3, 3].copy()).float()
    )


def _surface(document: Document, skin: int, written: list[int], joints: list[int]) -> dict[str, Any]:
    order = [written.index(joint) for joint in joints]
    parts: dict[str, list[np.ndarray]] = {"vertices": [], "faces": [], "weights": [], "colours": []}
    count = 0
    for node in document.items("nodes"):
        if node.get("skin") != skin or "mesh" not in node:
            continue
        for primitive in document.item("meshes", node["mesh"]).get("primitives", []):
            attributes = primitive.get("attributes", {})
            if primitive.get("mode", 4) != 4 or not {"POSITION", "JOINTS_0", "WEIGHTS_0"} <= attributes.keys():
                continue
            vertices = document.numbers(attributes["POSITION"]).astype(float)
            faces = document.numbers(primitive["indices"]) if "indices" in primitive else np.arange(len(vertices))
            faces = faces.reshape(-1)[: faces.size // 3 * 3].reshape(-1, 3)
            if faces.size and int(faces.max()) >= len(vertices):
                raise GltfError("a triangle names a vertex that is not there")
            parts["vertices"].append(vertices)
            parts["faces"].append(faces.astype(np.int64) + count)
            parts["weights"].append(_weights(document, attributes, len(vertices), len(written))[:, order])
            parts["colours"].append(vertex_colours(document, primitive, len(vertices)))
            count += len(vertices)
    if not count:
        raise GltfError("its skin moves no triangles")
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _weights(document: Document, attributes: dict[str, Any], vertices: int, joints: int) -> np.ndarray:
    weights = np.zeros((vertices, joints))
    group = 0
    while f"JOINTS_{group}" in attributes and f"WEIGHTS_{group}" in attributes:
        index = document.numbers(attributes[f"JOINTS_{group}"]).astype(int)
        share = document.numbers(attributes[f"WEIGHTS_{group}"]).astype(float)
        if index.shape != share.shape or len(index) != vertices or (share < 0).any():
            raise GltfError("its weights do not fit its vertices")
        if ((index >= joints) & (share > 0)).any():
            raise GltfError("a vertex follows a joint that is not there")
        for column in range(index.shape[1]):
            np.add.at(weights, (np.arange(vertices), np.minimum(index[:, column], joints - 1)), share[:, column])
        group += 1
    total = weights.sum(1, keepdims=True)
    weights[:, 0] += np.where(total[:, 0] > 0, 0, 1)  # what follows nothing follows the first joint
    return weights / np.where(total > 0, total, 1)


def _motion(skeleton: Skeleton, world: np.ndarray, scale: float, fps: float) -> Motion:
    sizes = np.cbrt(np.abs(np.linalg.det(world[..., :3, :3])))[..., None, None]
    turned = nearest_rotation(torch.from_numpy(world[..., :3, :3] / np.maximum(sizes, 1e-12)))
    places = scale * torch.from_numpy(np.ascontiguousarray(world[..., :3, 3]))
    above = [max(parent, 0) for parent in skeleton.parents]
    offsets = (turned[:, above].transpose(-1, -2) @ (places - places[:, above])[..., None]).squeeze(-1).float()
    roots = torch.tensor([parent < 0 for parent in skeleton.parents])
    offsets = torch.where(roots[:, None], places.float(), offsets)
    local = local_rotations(turned, skeleton.parents).float()
    moved = (offsets - skeleton.offsets)[:, ~roots].abs()
    stretched = (moved.numel() and float(moved.max()) > 1e-4) or int(roots.sum()) > 1
    return Motion(skeleton, local, places[:, 0].float(), fps, offsets if stretched else None)
