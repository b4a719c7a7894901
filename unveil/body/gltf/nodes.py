"""Where the nodes of a glTF file are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unveil.body.gltf.document import Document
from unveil.body.gltf.errors import GltfError

_LARGEST = 1e12


def parents_of(document: Document) -> list[int]:
    """The parent of each node, -1 for those without."""
    nodes = document.items("nodes")
    parents = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            document.item("nodes", child)
            if parents[child] >= 0 or child == number:
                raise GltfError("its nodes are no tree")
            parents[child] = number
    for number in range(len(nodes)):
        seen, above = 0, number
        while above >= 0:
            above, seen = parents[above], seen + 1
            if seen > len(nodes):
                raise GltfError("its nodes go round in a circle")
    return parents


def local_matrix(node: dict[str, Any]) -> np.ndarray:
    """How a node stands in its parent, (4, 4)."""
    if "matrix" in node:
        return _floats(node, "matrix", np.eye(4).ravel().tolist()).reshape(4, 4).T
    return matrix_of(
        _floats(node, "translation", (0, 0, 0)),
        _floats(node, "rotation", (0, 0, 0, 1)),
        _floats(node, "scale", (1, 1, 1)),
    )


def _floats(node: dict[str, Any], key: str, usual: Sequence[float]) -> np.ndarray:
    try:
        found = np.array(node.get(key, usual), float)
    except (OverflowError, TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (len(usual),) or not (np.abs(found) < _LARGEST).all():
        raise GltfError(f"the {key} of a node is not {len(usual)} finite numbers")
    return found


def matrix_of(translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Matrices of translations (..., 3), quaternions x y z w (..., 4) and scales (..., 3): (..., 4, 4)."""
    x, y, z, w = np.moveaxis(rotation / np.maximum(np.linalg.norm(rotation, axis=-1, keepdims=True), 1e-12), -1, 0)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    matrix = np.zeros((*translation.shape[:-1], 4, 4))
    matrix[..., :3, :3] = np.stack(rows, -1).reshape(*x.shape, 3, 3) * scale[..., None, :]
    matrix[..., :3, 3] = translation
    matrix[..., 3, 3] = 1
    return matrix


def world_matrices(parents: list[int], local: np.ndarray) -> np.ndarray:
    """Where nodes are in the world from how they stand in their parents, (N, 4, 4) or (N, T, 4, 4)."""
    world: dict[int, np.ndarray] = {}

    def place(number: int) -> np.ndarray:
        path = [number]
        while path[-1] not in world and parents[path[-1]] >= 0:
            path.append(parents[path[-1]])
        for one in reversed(path):
            if one not in world:
                above = parents[one]
                world[one] = local[one] if above < 0 else world[above] @ local[one]
        return world[number]

    return np.stack([place(number) for number in range(len(parents))])


def scale_of(matrix: np.ndarray) -> float:
    """The uniform scale of a matrix; the mean, where it is not quite uniform."""
    return float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))
