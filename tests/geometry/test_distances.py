"""Distances between rotations, directions, and the best fit between points."""

import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import (
    angle_between,
    axis_angle_to_matrix,
    geodesic_distance,
    look_at,
    matrix_from_6d,
    procrustes,
    shortest_rotation,
)


def rotations(n, seed=0):
    return matrix_from_6d(torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)))


def points(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def test_the_geodesic_distance_is_a_distance():
    a, b, c = (rotations(500, seed) for seed in range(3))
    d = geodesic_distance(a, b)
    close(d, geodesic_distance(b, a), 2e-6)
    for q in (c, rotations(1)):
        close(geodesic_distance(q @ a, q @ b), d, 2e-6)
        close(geodesic_distance(a @ q, b @ q), d, 2e-6)
    assert (geodesic_distance(a, c) <= d + geodesic_distance(b, c) + 1e-5).all()
    assert (geodesic_distance(a, a) <= 2e-6).all()
    assert (d <= torch.pi + 1e-6).all()


@pytest.mark.parametrize("angle", [1e-5, 1e-3, 0.5, 2.0, 3.0, 3.1415])
def test_the_geodesic_distance_is_the_angle(angle):
    axis = torch.nn.functional.normalize(points(100, 3), dim=1)
    start = rotations(100)
    close(geodesic_distance(start, start @ axis_angle_to_matrix(angle * axis)), torch.full((100,), angle), 3e-6)


def test_the_gradient_of_the_distance_is_finite_at_zero():
    v = torch.zeros(3, requires_grad=True)
    geodesic_distance(axis_angle_to_matrix(v), torch.eye(3)).backward()
    assert torch.isfinite(v.grad).all()
    u = torch.tensor([1.0, 0, 0], requires_grad=True)
    angle_between(u, torch.tensor([2.0, 0, 0])).backward()
    assert torch.isfinite(u.grad).all()


def test_angles_between_directions():
    u = torch.tensor([[1.0, 0, 0], [3, 0, 0], [0, 2, 0], [1e-3, 0, 0]])
    v = torch.tensor([[0.0, 5, 0], [1, 0, 0], [0, -1, 0], [1e-3, 1e-3, 0]])
    close(angle_between(u, v), torch.tensor([torch.pi / 2, 0, torch.pi, torch.pi / 4]), 2e-6)


def test_the_shortest_rotation_brings_one_direction_to_the_other_and_turns_no_further():
    u, v = points(200, 3), points(200, 3, seed=1)
    rot = shortest_rotation(u, v)
    turned = (rot @ u[..., None]).squeeze(-1)
    close(angle_between(turned, v), torch.zeros(200), 1e-5)
    close(geodesic_distance(rot, torch.eye(3).expand_as(rot)), angle_between(u, v), 1e-5)
    close(shortest_rotation(u, 2 * u), torch.eye(3).expand_as(rot), 1e-6)


def test_the_shortest_rotation_between_opposite_directions_is_a_half_turn():
    u = torch.cat([torch.eye(3), points(20, 3)])
    rot = shortest_rotation(u, -u)
    close((rot @ u[..., None]).squeeze(-1), -u, 1e-5)
    close(torch.linalg.det(rot), torch.ones(len(u)), 1e-5)


def test_looking_at_a_target():
    rot = look_at(torch.zeros(3), torch.tensor([0.0, 0, 2]), torch.tensor([0.0, 1, 0]))
    close(rot, torch.eye(3), 1e-7)  # a body at rest faces +Z
    eye, target = points(50, 3), points(50, 3, seed=1)
    rot = look_at(eye, target, torch.tensor([0.0, 1, 0]))
    close(angle_between(rot[..., 2], target - eye), torch.zeros(50), 3e-6)
    close(rot.mT @ rot, torch.eye(3).expand_as(rot), 2e-6)
    assert (rot[:, 1, 1] >= 0).all()  # upright
    with pytest.raises(ConfigError, match="target away from the eye"):
        look_at(eye, eye, torch.tensor([0.0, 1, 0]))


def test_procrustes_undoes_any_similarity():
    x = points(20, 24, 3).double()
    rot, shift = matrix_from_6d(points(20, 6, seed=3).double()), points(20, 1, 3, seed=2).double()
    scale = torch.linspace(0.2, 5, 20, dtype=torch.float64)
    y = scale[:, None, None] * (x @ rot.mT) + shift
    found = procrustes(x, y)
    close(found(x), y, 1e-9)
    close(found.scale, scale, 1e-9)
    close(found.rot, rot, 1e-9)
    close(procrustes(x.float(), y.float())(x.float()), y.float(), 5e-5)


def test_a_reflection_is_not_undone():
    x = points(10, 24, 3)
    mirrored = x * torch.tensor([-1.0, 1, 1])
    error = (procrustes(x, mirrored)(x) - mirrored).norm(dim=-1).mean()
    assert error > 0.1


def test_procrustes_is_at_least_as_near_as_moving_the_centre():
    x, y = points(30, 24, 3), points(30, 24, 3, seed=1)
    centred = x - x.mean(1, keepdim=True) + y.mean(1, keepdim=True)
    for scale in (True, False):
        aligned = procrustes(x, y, scale=scale)(x)
        assert ((aligned - y).square().sum((1, 2)) <= (centred - y).square().sum((1, 2)) + 1e-4).all()
    close(procrustes(x, y, scale=False).scale, torch.ones(30), 0)


def test_points_that_do_not_correspond_are_refused():
    with pytest.raises(ShapeError, match="both must be"):
        procrustes(points(4, 3), points(5, 3))
