"""Triangles to pixels."""

from typing import NamedTuple

import numpy as np

_CANDIDATES = 2_000_000  # pixels looked at in one go, to bound the memory


class Raster(NamedTuple):
    """What each pixel shows.

    Attributes:
        face: the triangle that is nearest, (H, W); -1 for none.
        share: its corners' shares in the pixel, (H, W, 3).
        near: how near it is, (H, W); -inf for none.
    """

    face: np.ndarray
    share: np.ndarray
    near: np.ndarray


def rasterize(points: np.ndarray, near: np.ndarray, faces: np.ndarray, height: int, width: int) -> Raster:
    """Find for each pixel the nearest triangle that faces the viewer.

    All triangles are worked on at once: each is looked at in the pixels of the rectangle around it.

    Args:
        points: corners in pixels, the centre of the first pixel being (0.5, 0.5), (V, 2).
        near: a number that grows towards the viewer and is linear on the screen, (V,).
        faces: counter-clockwise as seen from outside, on a screen whose y points down, (F, 3).
        height: of the picture.
        width: of the picture.
    """
    best = np.full(height * width, -np.inf)
    owner = np.full(height * width, -1)
    corner = points[faces]  # (F, 3, 2)
    edge, side = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = edge[:, 0] * side[:, 1] - edge[:, 1] * side[:, 0]
    low = np.ceil(corner.min(1) - 0.5).astype(int).clip(0)
    high = np.floor(corner.max(1) - 0.5).astype(int).clip(max=(width - 1, height - 1))
    sizes = (high - low + 1).clip(0)
    seen = np.flatnonzero((area < -1e-12) & (sizes.prod(1) > 0))  # y points down, so the area of a front is negative
    ends = np.cumsum(sizes[seen].prod(1))
    start = 0
    while start < len(seen):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _CANDIDATES, "right")))
        own = seen[start:stop]
        counts = sizes[own].prod(1)
        which = np.repeat(own, counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        x, y = low[which, 0] + within % sizes[which, 0], low[which, 1] + within // sizes[which, 0]
        inside, depth = _covered(x, y, which, corner, edge, side, area, near[faces])
        pixel, depth, which = (y * width + x)[inside], depth[inside], which[inside]
        np.maximum.at(best, pixel, depth)
        won = depth >= best[pixel]
        owner[pixel[won]] = which[won]
        start = stop
    return _filled(owner, best, corner, edge, side, area, height, width)


def _covered(
    x: np.ndarray,
    y: np.ndarray,
    which: np.ndarray,
    corner: np.ndarray,
    edge: np.ndarray,
    side: np.ndarray,
    area: np.ndarray,
    near: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    second, third = _shares(x, y, which, corner, edge, side, area)
    first = 1 - second - third
    inside = (first >= -1e-9) & (second >= -1e-9) & (third >= -1e-9)
    return inside, first * near[which, 0] + second * near[which, 1] + third * near[which, 2]


def _shares(
    x: np.ndarray,
    y: np.ndarray,
    which: np.ndarray,
    corner: np.ndarray,
    edge: np.ndarray,
    side: np.ndarray,
    area: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = x + 0.5 - corner[which, 0, 0], y + 0.5 - corner[which, 0, 1]
    second = (dx * side[which, 1] - dy * side[which, 0]) / area[which]
    third = (edge[which, 0] * dy - edge[which, 1] * dx) / area[which]
    return second, third


def _filled(
    owner: np.ndarray,
    best: np.ndarray,
    corner: np.ndarray,
    edge: np.ndarray,
    side: np.ndarray,
    area: np.ndarray,
    height: int,
    width: int,
) -> Raster:
    share = np.zeros((height * width, 3))
    drawn = np.flatnonzero(owner >= 0)
    second, third = _shares(drawn % width, drawn // width, owner[drawn], corner, edge, side, area)
    share[drawn] = np.stack([1 - second - third, second, third], 1).clip(0, 1)
    return Raster(owner.reshape(height, width), share.reshape(height, width, 3), best.reshape(height, width))
