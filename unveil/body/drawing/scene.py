"""Figures on a floor in soft light, as a picture."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unveil.body.character import vertex_normals
from unveil.body.drawing.figures import Figure
from unveil.body.drawing.raster import Raster, rasterize
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole

_FINER = 2  # pixels a side that are averaged into one
_TAN = math.tan(math.radians(9))  # half the height of the field of view
_MARGIN = 0.06  # of the picture around the figures
_KEY = np.array([-0.45, 0.80, 0.55]) / np.linalg.norm([-0.45, 0.80, 0.55])
_FILL = np.array([0.85, 0.25, 0.45]) / np.linalg.norm([0.85, 0.25, 0.45])
_SHADOW_MAP = 640
_FLOOR = np.array([0.93, 0.93, 0.92])
_LARGEST = 4096


class _Camera(NamedTuple):
    centre: np.ndarray
    axes: np.ndarray  # rows: right, up, towards the viewer
    distance: float
    scale: float  # pixels per unit of the tangent
    height: int
    width: int

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (V, 2), and nearness (V,)."""
        seen = (points - self.centre) @ self.axes.T
        near = 1 / np.maximum(self.distance - seen[:, 2], 1e-3)
        x = self.width / 2 + self.scale * seen[:, 0] * near
        y = self.height / 2 - self.scale * seen[:, 1] * near
        return np.stack([x, y], 1), near


def draw(
    figures: Figure | Sequence[Figure],
    *,
    height: int = 480,
    width: int | None = None,
    turn: float = 20.0,
    tilt: float = 8.0,
    floor: float | None = None,
) -> Tensor:
    """Draw figures as one picture.

    Args:
        figures: what to draw; see `in_a_row` for several.
        height: of the picture in pixels.
        width: of the picture; without it what the figures need.
        turn: degrees that the viewer has gone round to the figures' left, 0 being in front of them.
        tilt: degrees that the viewer looks down.
        floor: height of the floor in metres; without it the lowest point of all.

    Returns:
        (3, height, width) in [-1, 1].

    Raises:
        ConfigError: there is nothing to draw, or the picture's size cannot be.
    """
    figures = [figures] if isinstance(figures, Figure) else list(figures)
    figures = [figure for figure in figures if len(figure.faces)]
    if not figures:
        raise ConfigError("There is no figure to draw.")
    for name, size in (("height", height), ("width", width)):
        if size is not None:
            check_whole(name, size, least=8)
            if size > _LARGEST:
                raise ConfigError(f"{name} is {size}; a picture has at most {_LARGEST} pixels on a side.")
    if not abs(tilt) <= 80:
        raise ConfigError(f"tilt is {tilt}; it must be from -80 to 80 degrees.")
    vertices, faces, normals, colours = _joined(figures)
    ground = float(vertices[:, 1].min()) if floor is None else floor
    camera = _camera(vertices, turn, tilt, height, width)
    points, near = camera.project(vertices)
    shown = rasterize(points, near, faces, camera.height, camera.width)
    shadows = _Shadows(vertices, faces)
    picture = _floor(camera, vertices, ground, shadows).repeat(_FINER, 0).repeat(_FINER, 1)  # it is smooth
    drawn = shown.face >= 0
    picture[drawn] = _lit(shown, drawn, vertices, faces, normals, colours, shadows)
    picture = picture.reshape(camera.height // _FINER, _FINER, camera.width // _FINER, _FINER, 3).mean((1, 3))
    return torch.from_numpy(picture.clip(0, 1) * 2 - 1).permute(2, 0, 1).float().contiguous()


def seen_at(
    places: Tensor,
    figures: Figure | Sequence[Figure],
    *,
    height: int = 480,
    width: int | None = None,
    turn: float = 20.0,
    tilt: float = 8.0,
) -> tuple[Tensor, float]:
    """Where places of the scene are in the picture that `draw` makes of the same figures with the same numbers.

    Args:
        places: (N, 3), metres.
        figures: what is drawn.
        height: see `draw`, and so are the others.

    Returns:
        Pixels to the right and down, (N, 2), and the focal length of the picture's camera in pixels. That camera looks
        straight at the picture's middle.
    """
    figures = [figures] if isinstance(figures, Figure) else [figure for figure in figures if len(figure.faces)]
    vertices = np.concatenate([figure.vertices.detach().cpu().double().numpy() for figure in figures])
    camera = _camera(vertices, turn, tilt, height, width)
    pixels, _ = camera.project(places.detach().cpu().double().numpy())
    return torch.from_numpy(pixels / _FINER).float(), camera.scale / _FINER


def _joined(figures: Sequence[Figure]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    vertices, faces, normals, colours, count = [], [], [], [], 0
    for figure in figures:
        own = figure.vertices.detach().cpu().double()
        vertices.append(own.numpy())
        faces.append(figure.faces.cpu().numpy() + count)
        normals.append(vertex_normals(own, figure.faces.cpu()).numpy())
        colour = torch.as_tensor(figure.colour, dtype=torch.float64).detach().cpu().numpy()
        colours.append(np.broadcast_to(colour, own.shape))
        count += len(own)
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(normals), np.concatenate(colours)


def _camera(vertices: np.ndarray, turn: float, tilt: float, height: int, width: int | None) -> _Camera:
    around, down = math.radians(turn), math.radians(tilt)
    towards = np.array([math.sin(around) * math.cos(down), math.sin(down), math.cos(around) * math.cos(down)])
    right = np.array([math.cos(around), 0, -math.sin(around)])
    axes = np.stack([right, np.cross(towards, right), towards])
    seen = vertices @ axes.T
    low, high = seen.min(0), seen.max(0)
    extent = np.maximum(high - low, 1e-6)
    if width is None:
        width = round(height * min(max((extent[0] + 0.12 * extent[1]) / (1.12 * extent[1]), 0.4), 6))
    seen = seen - (low + high) / 2
    room = 1 - 2 * _MARGIN
    limits = np.abs(seen[:, :2]) / (_TAN * room * np.array([width / height, 1.0])) + seen[:, 2:]
    fine_height = _FINER * height
    centre = ((low + high) / 2) @ axes
    return _Camera(centre, axes, float(limits.max()), fine_height / 2 / _TAN, fine_height, _FINER * width)


class _Shadows:
    """What the light sees, from far away."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        across = np.cross([0.0, 1, 0], _KEY)
        across /= np.linalg.norm(across)
        self.axes = np.stack([across, np.cross(_KEY, across), _KEY])
        seen = vertices @ self.axes.T
        self.low = seen.min(0) - 0.05
        self.scale = _SHADOW_MAP / float((seen.max(0) + 0.05 - self.low)[:2].max())
        points = (seen[:, :2] - self.low[:2]) * self.scale
        points[:, 1] = _SHADOW_MAP - points[:, 1]
        self.near = rasterize(points, seen[:, 2], faces, _SHADOW_MAP, _SHADOW_MAP).near

    def light(self, points: np.ndarray, bias: float, softness: float) -> np.ndarray:
        """Which share of the light reaches points, (N, 3) -> (N,), with edges about so many metres wide."""
        seen = points @ self.axes.T
        x, y = (seen[:, 0] - self.low[0]) * self.scale, _SHADOW_MAP - (seen[:, 1] - self.low[1]) * self.scale
        reach = softness * self.scale
        lit = np.zeros(len(points))
        ring = [
            (0.0, 0.0),
            *((r * math.cos(a + r), r * math.sin(a + r)) for r in (0.5, 1.0) for a in np.arange(6) * np.pi / 3),
        ]
        for dx, dy in ring:
            column, row = (x + dx * reach).astype(int), (y + dy * reach).astype(int)
            within = (column >= 0) & (column < _SHADOW_MAP) & (row >= 0) & (row < _SHADOW_MAP)
            near = self.near[row.clip(0, _SHADOW_MAP - 1), column.clip(0, _SHADOW_MAP - 1)]
            lit += ~(within & (near > seen[:, 2] + bias))
        return lit / len(ring)


def _lit(
    shown: Raster,
    drawn: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    shadows: _Shadows,
) -> np.ndarray:
    corners, share = faces[shown.face[drawn]], shown.share[drawn][..., None]
    place, normal, colour = ((array[corners] * share).sum(1) for array in (vertices, normals, colours))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    facing = normal @ _KEY
    key = facing.clip(0) * shadows.light(place + 0.006 * normal, 0.012, 0.012)
    fill = (0.5 + 0.5 * (normal @ _FILL)) ** 2
    sky = 0.5 + 0.5 * normal[:, 1]
    light = (
        0.72 * key[:, None] * [1.0, 0.97, 0.92] + 0.20 * fill[:, None] * [0.92, 0.96, 1.0] + 0.24 * sky[:, None] + 0.06
    )
    return (colour * light).clip(0, 1) ** (1 / 2.2)


def _floor(camera: _Camera, vertices: np.ndarray, ground: float, shadows: _Shadows) -> np.ndarray:
    """White, and where the viewer looks at the floor near the figures, the floor with its shadows."""
    picture = np.ones((camera.height // _FINER, camera.width // _FINER, 3))
    eye = camera.centre + camera.distance * camera.axes[2]
    y, x = _FINER * (np.mgrid[: len(picture), : picture.shape[1]] + 0.5)
    across, up = (x - camera.width / 2) / camera.scale, (camera.height / 2 - y) / camera.scale
    ray = across[..., None] * camera.axes[0] + up[..., None] * camera.axes[1] - camera.axes[2]
    hits = (ray[..., 1] * (ground - eye[1]) > 0) & (np.abs(ray[..., 1]) > 1e-6)
    if eye[1] <= ground or not hits.any():
        return picture
    place = eye + ray[hits] * ((ground - eye[1]) / ray[hits][:, 1])[:, None]
    low, high = vertices.min(0), vertices.max(0)
    beyond = np.maximum(np.maximum(low - place, place - high), 0)[:, [0, 2]]
    fade = np.exp(-((np.linalg.norm(beyond, axis=1) / 0.8) ** 2))[:, None]
    lit = shadows.light(place, 0.004, 0.03)[:, None]
    lines = (1 - np.abs((place[:, [0, 2]] / 0.5 + 0.5) % 1 - 0.5).min(1) / 0.016).clip(0)[:, None]
    colour = (1 - 0.1 * lines) * _FLOOR * (0.62 + 0.38 * lit)
    picture[hits] = fade * colour + (1 - fade)
    return picture
