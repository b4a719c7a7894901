"""A closed mesh of a surface that is given by the sign of a function on a grid."""

from collections.abc import Callable

import numpy as np

_COARSE = 4


def sample_grid(
    distance: Callable[[np.ndarray], np.ndarray], low: np.ndarray, counts: tuple[int, int, int], step: float
) -> np.ndarray:
    """A signed distance on a grid, exact near the surface only: far from it, its value at a node of a coarser grid.

    Args:
        distance: (V, 3) -> (V,).
        low: the first corner, (3,).
        counts: nodes along x, y and z.
        step: between nodes.
    """
    axes = [low[i] + step * np.arange(counts[i]) for i in range(3)]
    coarse_axes = [axis[::_COARSE] for axis in axes]
    coarse = distance(_nodes(coarse_axes)).reshape([len(axis) for axis in coarse_axes])
    nearest = [
        np.minimum((np.arange(n) + _COARSE // 2) // _COARSE, c - 1) for n, c in zip(counts, coarse.shape, strict=True)
    ]
    values = coarse[np.ix_(*nearest)]
    near = np.abs(values) < _COARSE * step * 3**0.5 + 0.01
    values[near] = distance(_nodes(axes).reshape(*counts, 3)[near])
    return values


def surface_nets(values: np.ndarray, low: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The mesh that separates the nodes below 0 from the others.

    A cell whose corners differ in sign has one vertex, the mean of the crossings on its edges; an edge of the grid whose
    ends differ has a quadrilateral between its four cells, which is cut along its shorter diagonal.

    Args:
        values: (X, Y, Z), above 0 on the border.
        low: the place of the first node, (3,).
        step: between nodes.

    Returns:
        Vertices (V, 3), and triangles (F, 3), counter-clockwise from where values are above 0.

    Source: Gibson (1998), Constrained elastic surface nets.
    """
    inside = values < 0
    cells = tuple(n - 1 for n in values.shape)
    sums, counts = np.zeros((*cells, 3)), np.zeros(cells)
    crossed = []
    for axis in range(3):
        first, second = _ends(values, axis)
        changes = (first < 0) != (second < 0)
        crossed.append(changes)
        share = np.where(changes, first / np.where(changes, first - second, 1), 0)
        for da in (0, 1):
            for db in (0, 1):
                here = [slice(None)] * 3
                others = [i for i in range(3) if i != axis]
                for other, d in zip(others, (da, db), strict=True):
                    here[other] = slice(d, d + cells[other])
                found = changes[tuple(here)]
                counts += found
                sums[..., axis] += np.where(found, share[tuple(here)], 0)
                for other, d in zip(others, (da, db), strict=True):
                    sums[..., other] += d * found
    active = counts > 0
    number = np.full(cells, -1)
    number[active] = np.arange(active.sum())
    places = np.argwhere(active) + sums[active] / counts[active][:, None]
    quads = []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        edges = np.argwhere(crossed[axis])
        unit_b, unit_c = np.eye(3, dtype=int)[b], np.eye(3, dtype=int)[c]
        around = [edges, edges - unit_b, edges - unit_b - unit_c, edges - unit_c]
        quad = np.stack([number[tuple(cell.T)] for cell in around], 1)
        outward = inside[tuple(edges.T)]
        quads.append(np.where(outward[:, None], quad, quad[:, ::-1]))
    vertices = low + step * places
    return vertices, _triangles(vertices, np.concatenate(quads))


def _ends(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    n = values.shape[axis]
    return values.take(range(n - 1), axis), values.take(range(1, n), axis)


def _nodes(axes: list[np.ndarray]) -> np.ndarray:
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def _triangles(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    corner = vertices[quads]
    other = (
        np.linalg.norm(corner[:, 1] - corner[:, 3], axis=1) < np.linalg.norm(corner[:, 0] - corner[:, 2], axis=1) - 1e-9
    )
    quads = np.where(other[:, None], np.roll(quads, -1, 1), quads)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
