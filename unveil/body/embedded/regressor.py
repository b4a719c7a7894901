"""Joints as averages of vertices, so that they follow the shape of the skin."""

import numpy as np
from scipy.optimize import nnls

_NEAREST = 400
_PLACE, _MOTION = 30.0, 3.0  # weights of the equations


def joint_regressor(vertices: np.ndarray, field: np.ndarray, joints: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Weights that find the joints from the vertices, at rest and as the shape changes.

    For each joint a least-squares problem with weights of 0 or more over the nearest vertices.

    Args:
        vertices: at rest, (V, 3).
        field: how they move in each direction, (K, V, 3).
        joints: at rest, (J, 3).
        moves: how they move, (K, J, 3).

    Returns:
        (J, V), rows that sum to 1.
    """
    regressor = np.zeros((len(joints), len(vertices)))
    for j, joint in enumerate(joints):
        near = np.argsort(((vertices - joint) ** 2).sum(1), kind="stable")[:_NEAREST]
        rows = [np.full((1, len(near)), _PLACE), _PLACE * (vertices[near] - joint).T]
        rows += [_MOTION * direction[near].T for direction in field]
        values = np.concatenate([[_PLACE], np.zeros(3), _MOTION * moves[:, j].ravel()])
        regressor[j, near] = nnls(np.concatenate(rows), values)[0]
    return regressor / regressor.sum(1, keepdims=True)
