"""Surfaces in one pose as .obj and .ply, which every program of 3D opens."""

import os
from pathlib import Path

import numpy as np
from torch import Tensor

from unveil.body.character import vertex_normals
from unveil.core.errors import DataError, ShapeError
from unveil.core.files import new_file

SURFACES = (".obj", ".ply")
"""What a surface is written as."""


def write_surface(vertices: Tensor, faces: Tensor, path: str | os.PathLike[str]) -> Path:
    """Write a surface, without bones or colours; what is there is replaced.

    Args:
        vertices: (V, 3), metres, Y up.
        faces: numbers of three vertices each, counter-clockwise from outside, (F, 3).
        path: .obj, which is text, or .ply, which is small.

    Returns:
        The path.

    Raises:
        DataError: the name ends in neither.
        ShapeError: the arguments have other shapes.
    """
    place = Path(path).expanduser()
    if place.suffix.lower() not in SURFACES:
        raise DataError(f"'{path}': a surface is written as {' or '.join(SURFACES)}.")
    data = surface_bytes(vertices, faces, place.suffix.lower())
    with new_file(place, force=True) as file:
        file.write_bytes(data)
    return place


def surface_bytes(vertices: Tensor, faces: Tensor, kind: str) -> bytes:
    """What `write_surface` writes of vertices (V, 3) and faces (F, 3) in a file of a kind, one of `SURFACES`."""
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ShapeError(
            f"A surface needs vertices (V, 3) and faces (F, 3); got {tuple(vertices.shape)}, {tuple(faces.shape)}."
        )
    skin = vertices.detach().cpu().float()
    normals, corners = vertex_normals(skin, faces.cpu()).numpy(), faces.cpu().numpy()
    return (_obj if kind == ".obj" else _ply)(skin.numpy(), normals, corners)


def _obj(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> bytes:
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in normals.tolist()]
    lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def _ply(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> bytes:
    columns = "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz"))
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n{columns}"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), dtype=[("number", "u1"), ("corners", "<i4", 3)])
    rows["number"], rows["corners"] = 3, faces
    return head.encode() + np.concatenate([vertices, normals], 1).astype("<f4").tobytes() + rows.tobytes()
