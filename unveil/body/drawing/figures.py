"""What can be drawn: surfaces of a colour, and bones as tapered rods."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from unveil.body.skeleton import Skeleton
from unveil.core.errors import ConfigError, ShapeError

CLAY = (0.72, 0.66, 0.60)
BLUE = (0.30, 0.50, 0.78)
ORANGE = (0.90, 0.52, 0.25)
_SIDES = 10


@dataclass(frozen=True, eq=False)
class Figure:
    """A surface to be drawn.

    Args:
        vertices: (V, 3), metres, Y up.
        faces: counter-clockwise from outside, (F, 3).
        colour: red, green and blue from 0 to 1, of all or of each vertex, (V, 3).
    """

    vertices: Tensor
    faces: Tensor
    colour: Sequence[float] | Tensor = CLAY

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3 or self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise ShapeError(
                f"A figure got vertices {tuple(self.vertices.shape)} and faces {tuple(self.faces.shape)}; it needs (V, 3) and "
                "(F, 3): one pose of a surface."
            )
        if not torch.isfinite(self.vertices).all():
            raise ConfigError("A figure has vertices that are not finite.")

    def moved(self, shift: Sequence[float] | Tensor) -> "Figure":
        """The figure elsewhere."""
        return replace(self, vertices=self.vertices + torch.as_tensor(shift, dtype=self.vertices.dtype))


def bones_figure(
    skeleton: Skeleton, positions: Tensor, rot: Tensor | None = None, colour: Sequence[float] = BLUE
) -> Figure:
    """A skeleton as rods between its joints.

    Args:
        skeleton: whose joints they are.
        positions: of the joints in the world, (J, 3).
        rot: world rotations of the joints, (J, 3, 3); with them the ends of the last bones are drawn too.
        colour: of the rods.
    """
    rods = [(positions[parent], positions[j]) for j, parent in enumerate(skeleton.parents) if parent >= 0]
    if rot is not None:
        rods += [(positions[j], positions[j] + rot[j] @ positions.new_tensor(end)) for j, end in skeleton.ends]
    size = float((positions.amax(0) - positions.amin(0)).max())
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    count = 0
    for start, end in rods:
        a, b = start.double().numpy(), end.double().numpy()
        length = float(np.linalg.norm(b - a))
        if length < 1e-3 * size:
            continue
        ring, own = _rod(a, b, min(0.16 * length, 0.016 * size), min(0.07 * length, 0.008 * size))
        vertices.append(ring)
        faces.append(own + count)
        count += len(ring)
    for place in positions.double().numpy():
        ball, own = _ball(place, 0.011 * size)
        vertices.append(ball)
        faces.append(own + count)
        count += len(ball)
    return Figure(torch.from_numpy(np.concatenate(vertices)).float(), torch.from_numpy(np.concatenate(faces)), colour)


def ball_figure(place: Tensor, radius: float, colour: Sequence[float] = ORANGE) -> Figure:
    """A ball about a place, (3,), of a radius in metres."""
    vertices, faces = _ball(place.double().numpy(), radius)
    return Figure(torch.from_numpy(vertices).float(), torch.from_numpy(faces), colour)


def in_a_row(figures: Sequence[Figure], gap: float = 0.2, turn: float = 20.0) -> list[Figure]:
    """The figures beside one another, each standing on the floor.

    Args:
        figures: what to place.
        gap: metres between them.
        turn: degrees that the viewer has gone round, as `draw` takes it; the row lies across the line of sight.
    """
    around = math.radians(turn)
    along, ahead = (math.cos(around), 0.0, -math.sin(around)), (math.sin(around), 0.0, math.cos(around))
    placed, at = [], 0.0
    for figure in figures:
        axes = figure.vertices.new_tensor([along, (0.0, 1.0, 0.0), ahead])
        seen = figure.vertices @ axes.T
        low, high = seen.amin(0), seen.amax(0)
        placed.append(figure.moved(torch.stack([at - low[0], -low[1], -(low[2] + high[2]) / 2]) @ axes))
        at += float(high[0] - low[0]) + gap
    return placed


def _rod(a: np.ndarray, b: np.ndarray, thick: float, thin: float) -> tuple[np.ndarray, np.ndarray]:
    axis = (b - a) / np.linalg.norm(b - a)
    across = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    angle = 2 * np.pi * np.arange(_SIDES) / _SIDES
    circle = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * other
    knee = a + 0.15 * (b - a)
    rings = [a + 0.4 * thick * circle, knee + thick * circle, b + thin * circle]
    faces = []
    for ring in range(2):
        for i in range(_SIDES):
            j = (i + 1) % _SIDES
            p, q = ring * _SIDES, (ring + 1) * _SIDES
            faces += [(p + i, p + j, q + j), (p + i, q + j, q + i)]
    return np.concatenate(rings), np.array(faces)


def _ball(place: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = 6, 10
    latitude = np.pi * (np.arange(rows + 1) / rows - 0.5)
    longitude = 2 * np.pi * np.arange(columns) / columns
    y, r = np.sin(latitude)[:, None], np.cos(latitude)[:, None]
    grid = np.stack([r * np.cos(longitude), y + 0 * longitude, r * np.sin(longitude)], -1).reshape(-1, 3)
    faces = []
    for i in range(rows):
        for j in range(columns):
            a, b = i * columns + j, i * columns + (j + 1) % columns
            faces += [(a, a + columns, b + columns), (a, b + columns, b)]
    return place + radius * grid, np.array(faces)
