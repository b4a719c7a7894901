"""A character and its motions into a .glb file."""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unveil.body.character import Character, vertex_normals
from unveil.body.gltf.document import Document, glb_bytes
from unveil.body.gltf.nodes import local_matrix, parents_of, scale_of, world_matrices
from unveil.body.gltf.reader import bind_matrices, skin_joints
from unveil.body.motion import Motion
from unveil.core.errors import DataError
from unveil.core.files import new_file
from unveil.geometry import matrix_to_quaternion, nearest_rotation, unroll

_SKIN = (0.78, 0.62, 0.52, 1.0)
_FLOAT, _BYTE, _SHORT, _WHOLE = 5126, 5121, 5123, 5125
_VERTICES, _INDICES = 34962, 34963


def write_glb(
    character: Character, path: str | os.PathLike[str], motions: Motion | Mapping[str, Motion] | None = None
) -> Path:
    """Write a character with its skin, and motions of it as animations.

    A character that came from a file is written as that file, its materials and textures included, with the new animations
    in the place of the old ones.

    Args:
        character: what to write.
        path: the .glb file; what is there is replaced.
        motions: of the character's own skeleton, by name; without them there is no animation.

    Returns:
        The path.

    Raises:
        DataError: a motion is of another skeleton.
    """
    place, data = Path(path).expanduser(), character_bytes(character, motions)
    with new_file(place, force=True) as file:
        file.write_bytes(data)
    return place


def character_bytes(character: Character, motions: Motion | Mapping[str, Motion] | None = None) -> bytes:
    """What `write_glb` writes."""
    named = {"motion": motions} if isinstance(motions, Motion) else dict(motions or {})
    for name, motion in named.items():
        if motion.skeleton.names != character.skeleton.names:
            raise DataError(f"The motion '{name}' is not of the character's skeleton; retarget it first.")
    return glb_bytes(*(_animated(character, named) if character.document is not None else _fresh(character, named)))


class _Store:
    """Gathers the numbers of a file."""

    def __init__(self, tree: dict[str, Any], binary: bytes = b"") -> None:
        self.tree, self.binary = tree, bytearray(binary)
        self.tree.setdefault("bufferViews", [])
        self.tree.setdefault("accessors", [])

    def view(self, data: bytes, target: int | None = None) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.binary += data
        self.tree["bufferViews"].append(view)
        return len(self.tree["bufferViews"]) - 1

    def add(self, array: np.ndarray, kind: str, component: int, target: int | None = None, bounds: bool = False) -> int:
        array = np.ascontiguousarray(array)
        accessor: dict[str, Any] = {"bufferView": self.view(array.tobytes(), target), "componentType": component}
        accessor |= {"count": len(array), "type": kind}
        if bounds:
            rows = array.reshape(len(array), -1)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.tree["accessors"].append(accessor)
        return len(self.tree["accessors"]) - 1

    def floats(self, array: np.ndarray | Tensor, kind: str, target: int | None = None, bounds: bool = False) -> int:
        return self.add(np.asarray(array, np.float32), kind, _FLOAT, target, bounds)

    def finish(self) -> tuple[dict[str, Any], bytes]:
        self.tree["buffers"] = [{"byteLength": len(self.binary)}]
        return self.tree, bytes(self.binary)


def _fresh(character: Character, motions: Mapping[str, Motion]) -> tuple[dict[str, Any], bytes]:
    skeleton = character.skeleton
    store = _Store({"asset": {"version": "2.0", "generator": "unveil"}})
    quaternions = matrix_to_quaternion(skeleton.local.double())
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(skeleton.names):
        node: dict[str, Any] = {"name": name, "translation": skeleton.offsets[joint].tolist()}
        node["rotation"] = quaternions[joint].roll(-1).tolist()
        if skeleton.children[joint]:
            node["children"] = list(skeleton.children[joint])
        nodes.append(node)
    roots = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    nodes.append({"name": "body", "mesh": 0, "skin": 0})
    bind = np.tile(np.eye(4), (len(skeleton), 1, 1))
    bind[:, :3, :3], bind[:, :3, 3] = skeleton.rotations.double(), skeleton.positions.double()
    inverse = np.linalg.inv(bind)
    inverse[:, 3] = (0, 0, 0, 1)
    store.tree |= {
        "scene": 0,
        "scenes": [{"nodes": [*roots, len(nodes) - 1]}],
        "nodes": nodes,
        "meshes": [{"name": "body", "primitives": [_primitive(store, character)]}],
        "materials": [_material(character)],
        "skins": [
            {"joints": list(range(len(skeleton))), "inverseBindMatrices": store.floats(inverse.swapaxes(1, 2), "MAT4")}
        ],
    }
    for name, motion in motions.items():
        local = motion.rot.double()
        tracks: dict[int, dict[str, Tensor]] = {j: {"rotation": _turns(local[:, j])} for j in range(len(skeleton))}
        tracks[0]["translation"] = motion.root
        if motion.offsets is not None:
            tracks |= {j: tracks[j] | {"translation": motion.offsets[:, j]} for j in range(1, len(skeleton))}
        _add_animation(store, name, motion.fps, tracks)
    return store.finish()


def _primitive(store: _Store, character: Character) -> dict[str, Any]:
    most = int((character.weights > 0).sum(1).max())
    groups = max(1, min(2, -(-most // 4)))  # eight joints a vertex at most
    share, index = character.weights.topk(min(4 * groups, character.weights.shape[1]), 1)
    share, index = (torch.nn.functional.pad(x, (0, 4 * groups - x.shape[1])) for x in (share, index))
    share = share / share.sum(1, keepdim=True)
    index = torch.where(share > 0, index, 0)
    wide = len(character.skeleton) > 256
    attributes = {
        "POSITION": store.floats(character.vertices, "VEC3", _VERTICES, bounds=True),
        "NORMAL": store.floats(vertex_normals(character.vertices, character.faces), "VEC3", _VERTICES),
    }
    if character.colours is not None:
        attributes["COLOR_0"] = store.floats(character.colours, "VEC3", _VERTICES)
    for group in range(groups):
        own = slice(4 * group, 4 * group + 4)
        numbers = index[:, own].numpy().astype(np.uint16 if wide else np.uint8)
        attributes[f"JOINTS_{group}"] = store.add(numbers, "VEC4", _SHORT if wide else _BYTE, _VERTICES)
        attributes[f"WEIGHTS_{group}"] = store.floats(share[:, own], "VEC4", _VERTICES)
    faces = character.faces.numpy().astype(np.uint32).reshape(-1)
    return {"attributes": attributes, "indices": store.add(faces, "SCALAR", _WHOLE, _INDICES), "material": 0}


def _material(character: Character) -> dict[str, Any]:
    colour = _SKIN if character.colours is None else (1.0, 1.0, 1.0, 1.0)
    return {
        "name": "skin",
        "pbrMetallicRoughness": {"baseColorFactor": colour, "metallicFactor": 0.0, "roughnessFactor": 0.7},
    }


def _animated(character: Character, motions: Mapping[str, Motion]) -> tuple[dict[str, Any], bytes]:
    """The file that the character came from, with other animations."""
    document, tree, binary = _one_buffer(character)
    joints, skin = _own_skin(document, character.skeleton)
    above, nodes = parents_of(document), document.items("nodes")
    local = np.stack([local_matrix(node) for node in nodes])
    world = world_matrices(above, local)
    bind = bind_matrices(document, skin, world, joints)
    rest = np.tile(np.eye(4), (len(joints), 1, 1))
    rest[:, :3, :3], rest[:, :3, 3] = character.skeleton.rotations.double(), character.skeleton.positions.double()
    # The character may have been read in other units than the file's.
    unit = float(
        np.median(
            np.linalg.norm(rest[1:, :3, 3], axis=1) / np.maximum(np.linalg.norm(bind.joints[1:, :3, 3], axis=1), 1e-9)
        )
    )
    unit = 1.0 if abs(unit - 1) < 1e-3 or len(joints) < 2 else unit
    tree.pop("animations", None)
    store = _Store(tree, binary)
    for name, motion in motions.items():
        turned, places = (x.double().numpy() for x in motion.world())
        moved = np.tile(np.eye(4), (len(motion), len(joints), 1, 1))
        moved[..., :3, :3], moved[..., :3, 3] = turned, places
        moved = moved @ np.linalg.inv(rest)  # of the surface since it was bound
        moved[..., :3, 3] /= unit
        goal = moved @ bind.joints
        tracks: dict[int, dict[str, Tensor]] = {}
        for j, joint in enumerate(joints):
            parent = above[joint]
            if parent < 0:
                stand = goal[:, j]
            elif parent in joints:
                stand = np.linalg.inv(goal[:, joints.index(parent)]) @ goal[:, j]
            else:
                stand = np.linalg.inv(_between(above, local, goal, joints, parent)) @ goal[:, j]
            tracks[joint] = _track(stand, local[joint])
            if "matrix" in nodes[joint]:  # an animated node may not have one
                tree["nodes"][joint].pop("matrix", None)
                tree["nodes"][joint] |= _parts(local[joint])
        _add_animation(store, name, motion.fps, tracks)
    return store.finish()


def _between(above: list[int], local: np.ndarray, goal: np.ndarray, joints: list[int], node: int) -> np.ndarray:
    """Where a node that is no joint is, through the joint above it if there is one."""
    matrix = np.eye(4)
    while node >= 0 and node not in joints:
        matrix, node = local[node] @ matrix, above[node]
    return matrix if node < 0 else goal[:, joints.index(node)] @ matrix


def _track(stand: np.ndarray, still: np.ndarray) -> dict[str, Tensor]:
    scale = scale_of(still)
    turned = nearest_rotation(torch.from_numpy(stand[:, :3, :3] / max(scale, 1e-12)))
    track = {"rotation": _turns(turned)}
    if np.abs(stand[:, :3, 3] - still[:3, 3]).max() > 1e-5 * max(1.0, float(np.abs(still[:3, 3]).max())):
        track["translation"] = torch.from_numpy(np.ascontiguousarray(stand[:, :3, 3]))
    return track


def _parts(matrix: np.ndarray) -> dict[str, list[float]]:
    scale = scale_of(matrix)
    turned = nearest_rotation(torch.from_numpy(matrix[:3, :3] / max(scale, 1e-12)))
    return {
        "translation": matrix[:3, 3].tolist(),
        "rotation": matrix_to_quaternion(turned).roll(-1).tolist(),
        "scale": [scale] * 3,
    }


def _turns(rot: Tensor) -> Tensor:
    """Quaternions x y z w without jumps."""
    return unroll(matrix_to_quaternion(rot)).roll(-1, -1)


def _add_animation(store: _Store, name: str, fps: float, tracks: Mapping[int, Mapping[str, Tensor]]) -> None:
    frames = len(next(iter(next(iter(tracks.values())).values())))
    times = store.floats(np.arange(frames) / fps, "SCALAR", bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for node, track in tracks.items():
        for path, values in track.items():
            output = store.floats(values, "VEC4" if path == "rotation" else "VEC3")
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
    animation = {"name": name, "samplers": samplers, "channels": channels}
    store.tree.setdefault("animations", []).append(animation)


def _one_buffer(character: Character) -> tuple[Document, dict[str, Any], bytes]:
    document = character.document
    assert document is not None
    tree, binary, starts = copy.deepcopy(document.tree), bytearray(), []
    for buffer in document.buffers:
        binary += b"\0" * (-len(binary) % 4)
        starts.append(len(binary))
        binary += buffer
    for view in tree.get("bufferViews", []):
        view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
        view["buffer"] = 0
    return document, tree, bytes(binary)


def _own_skin(document: Document, skeleton: Any) -> tuple[list[int], int]:
    for skin in range(len(document.items("skins"))):
        joints, names, _ = skin_joints(document, skin)
        if tuple(names) == skeleton.names:
            return joints, skin
    raise DataError("The character's skeleton is none of its file's; set document=None to write it afresh.")
