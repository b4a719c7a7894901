"""Surfaces as .obj and .ply: what other programs read is what was written."""

import pytest
import torch

from unveil.body import write_surface
from unveil.core.errors import DataError, ShapeError


def octahedron():
    corners = torch.cat([torch.eye(3), -torch.eye(3)])
    faces = [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
    return corners * torch.tensor([0.5, 1.0, 0.25]), torch.tensor(faces)


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_another_program_reads_the_same_surface(kind, tmp_path):
    trimesh = pytest.importorskip("trimesh")
    vertices, faces = octahedron()
    mesh = trimesh.load(write_surface(vertices, faces, tmp_path / f"thing.{kind}"), process=False)
    assert torch.allclose(torch.tensor(mesh.vertices).float(), vertices, atol=1e-6)
    assert mesh.faces.tolist() == faces.tolist()
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * 0.5 * 1.0 * 0.25)  # positive: it is seen from outside
    outward = torch.nn.functional.normalize(vertices, dim=1)
    assert torch.allclose(torch.tensor(mesh.vertex_normals).float(), outward, atol=1e-4)


def test_lines_of_an_obj_are_told_in_full(tmp_path):
    vertices, faces = octahedron()
    lines = write_surface(vertices, faces, tmp_path / "thing.obj").read_text().splitlines()
    assert lines[0] == "v 0.500000 0.000000 0.000000"
    assert lines[6] == "vn 1.0000 0.0000 0.0000"
    assert lines[12] == "f 1//1 2//2 3//3"
    assert len(lines) == 6 + 6 + 8


def test_what_is_no_surface_is_refused(tmp_path):
    vertices, faces = octahedron()
    with pytest.raises(DataError, match=r"\.obj or \.ply"):
        write_surface(vertices, faces, tmp_path / "thing.stl")
    with pytest.raises(ShapeError, match="vertices"):
        write_surface(vertices[None], faces, tmp_path / "thing.obj")
