"""The embedded body, made from its measurements: no file, no download."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags

from unveil.body.embedded.capsules import capsules, rest_joints
from unveil.body.embedded.directions import gender_directions, shape_directions, vertex_field
from unveil.body.embedded.distance import capsule_distances, distances_at, project
from unveil.body.embedded.regressor import joint_regressor
from unveil.body.embedded.surface_nets import sample_grid, surface_nets
from unveil.body.joints import GENDERS

_STEP = 0.0195
_MARGIN = 0.13
_SMOOTHINGS, _SPREADINGS = 3, 12


def build() -> dict[str, np.ndarray]:
    """Make the arrays that all genders share, and the templates of each."""
    vertices, faces = _mesh()
    adjacency = _adjacency(len(vertices), faces)
    directions = [*shape_directions(), *gender_directions().values()]
    field = vertex_field(vertices, directions)
    for _ in range(4):
        field = np.stack([0.5 * one + 0.5 * (adjacency @ one) for one in field])
    moves = np.stack([direction.joints for direction in directions])
    changes = dict(zip(gender_directions(), field[10:], strict=True))
    templates = [vertices + changes.get(gender, 0) for gender in GENDERS]
    return {
        "templates": np.stack(templates).astype(np.float32),
        "directions": np.moveaxis(field[:10], 0, -1).astype(np.float32),
        "regressor": joint_regressor(vertices, field, rest_joints(), moves).astype(np.float32),
        "weights": _weights(vertices, adjacency).astype(np.float32),
        "faces": faces.astype(np.int64),
    }


def _mesh() -> tuple[np.ndarray, np.ndarray]:
    parts = capsules()
    ends = np.concatenate([parts.start, parts.end])
    low, high = ends.min(0) - _MARGIN, ends.max(0) + _MARGIN
    counts = np.ceil((high - low) / _STEP).astype(int) + 1
    low[0] = -_STEP * (counts[0] - 1) / 2  # the two sides alike
    grid = sample_grid(distances_at, low, (int(counts[0]), int(counts[1]), int(counts[2])), _STEP)
    vertices, faces = surface_nets(grid, low, _STEP)
    adjacency = _adjacency(len(vertices), faces)
    for _ in range(_SMOOTHINGS):
        vertices = project(0.5 * vertices + 0.5 * (adjacency @ vertices), steps=2)
    return vertices, faces


def _adjacency(number: int, faces: np.ndarray) -> csr_matrix:
    """The mean over the neighbours of each vertex, as a matrix."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([edges, edges[:, ::-1]])
    joined = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (number, number)).tocsr()
    joined.data[:] = 1
    return (diags(1 / np.asarray(joined.sum(1)).ravel()) @ joined).tocsr()


def _weights(vertices: np.ndarray, adjacency: csr_matrix) -> np.ndarray:
    """Each vertex follows the nearest capsule's joint, and what its neighbours along the skin follow."""
    import torch

    parts = capsules()
    nearest = capsule_distances(torch.from_numpy(vertices), parts)[0].argmin(1).numpy()
    weights = np.eye(24)[parts.owner[nearest]]
    for _ in range(_SPREADINGS):
        weights = 0.5 * weights + 0.5 * (adjacency @ weights)
    fourth = np.sort(weights, 1)[:, -4:-3]
    weights = np.where(weights >= fourth, weights, 0)
    return weights / weights.sum(1, keepdims=True)
