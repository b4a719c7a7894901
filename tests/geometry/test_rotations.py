"""Rotations in every form are the same rotations, and gradients are finite where angles vanish."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import (
    axis_angle_to_matrix,
    check_rotations,
    cross_matrix,
    euler_to_matrix,
    matrix_from_6d,
    matrix_to_6d,
    matrix_to_axis_angle,
    matrix_to_euler,
    matrix_to_quaternion,
    nearest_rotation,
    quaternion_to_axis_angle,
    quaternion_to_matrix,
    slerp,
    unroll,
)

ANGLES = [0.0, 1e-7, 1e-5, 1e-4, 1e-3, 0.1, 1.0, 2.0, 3.0, np.pi - 1e-3, np.pi - 1e-6]


def directions(n, seed=0):
    axes = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return axes / axes.norm(dim=1, keepdim=True)


def vectors(n=50):
    return torch.cat([directions(n, i) * angle for i, angle in enumerate(ANGLES)])


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def test_matrices_of_axes_and_angles_are_scipys():
    v = vectors()
    exact = torch.from_numpy(Rotation.from_rotvec(v.numpy()).as_matrix())
    close(axis_angle_to_matrix(v), exact, 1e-12)
    close(axis_angle_to_matrix(v.float()).double(), exact, 2e-6)


def test_matrices_are_rotations():
    rot = axis_angle_to_matrix(vectors().float())
    close(rot.mT @ rot, torch.eye(3).expand_as(rot), 2e-6)
    close(torch.linalg.det(rot), torch.ones(len(rot)), 2e-6)


def test_axis_and_angle_come_back():
    v = vectors().float()
    rot = axis_angle_to_matrix(v)
    close(axis_angle_to_matrix(matrix_to_axis_angle(rot)), rot, 5e-6)
    small = vectors(20)[: 20 * 8].float()  # below pi the vector itself is known
    close(matrix_to_axis_angle(axis_angle_to_matrix(small)), small, 2e-6)


def quaternion_of(vector):
    return matrix_to_quaternion(axis_angle_to_matrix(vector))


def test_quaternions_put_the_real_part_first_and_come_back():
    close(quaternion_of(torch.tensor([0.0, 0.0, np.pi / 2])), torch.tensor([0.5**0.5, 0, 0, 0.5**0.5]), 1e-7)
    rot = axis_angle_to_matrix(vectors().float())
    quaternion = matrix_to_quaternion(rot)
    close(quaternion_to_matrix(quaternion), rot, 2e-6)
    close(quaternion_to_matrix(-3 * quaternion), rot, 2e-6)
    close(axis_angle_to_matrix(quaternion_to_axis_angle(-quaternion)), rot, 5e-6)
    assert (quaternion[:, 0] >= 0).all()


def test_half_turns_about_every_axis_lose_nothing():
    for axis in torch.cat([torch.eye(3), -torch.eye(3), directions(20).float()]):
        rot = axis_angle_to_matrix(torch.pi * axis)
        close(axis_angle_to_matrix(matrix_to_axis_angle(rot)), rot, 5e-6)


def test_six_numbers_are_the_first_two_columns():
    rot = axis_angle_to_matrix(vectors().float())
    six = matrix_to_6d(rot)
    close(six[:, :3], rot[:, :, 0], 0)
    close(six[:, 3:], rot[:, :, 1], 0)
    close(matrix_from_6d(six), rot, 1e-6)
    anything = matrix_from_6d(torch.randn(100, 6, generator=torch.Generator().manual_seed(1)))
    close(anything.mT @ anything, torch.eye(3).expand_as(anything), 2e-6)
    close(torch.linalg.det(anything), torch.ones(100), 2e-6)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_euler_angles_of_every_order_are_scipys_intrinsic_ones(order):
    angles = (torch.rand(200, 3, dtype=torch.float64) - 0.5) * torch.tensor([6.2, 3.1, 6.2])
    rot = euler_to_matrix(angles, order)
    close(rot, torch.from_numpy(Rotation.from_euler(order, angles.numpy()).as_matrix()), 1e-12)
    close(matrix_to_euler(rot, order), angles, 1e-9)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
@pytest.mark.parametrize("end", [-1, 1])
def test_euler_angles_where_two_axes_fall_together(order, end):
    angles = torch.tensor([[0.7, end * torch.pi / 2, -0.4]], dtype=torch.float64)
    rot = euler_to_matrix(angles, order)
    close(euler_to_matrix(matrix_to_euler(rot, order), order), rot, 1e-7)


def test_euler_orders_may_be_short_or_repeat_an_axis():
    angle = torch.tensor([[0.3, -0.2, 0.5]])
    close(euler_to_matrix(angle[:, :1], "Y"), axis_angle_to_matrix(torch.tensor([[0, 0.3, 0]])), 1e-7)
    expected = (
        euler_to_matrix(angle[:, :1], "Z") @ euler_to_matrix(angle[:, 1:2], "X") @ euler_to_matrix(angle[:, 2:], "Z")
    )
    close(euler_to_matrix(angle, "ZXZ"), expected, 1e-7)
    with pytest.raises(ConfigError, match="letters X, Y and Z"):
        euler_to_matrix(angle, "XYW")
    with pytest.raises(ConfigError, match="each of X, Y and Z once"):
        matrix_to_euler(torch.eye(3), "ZXZ")
    with pytest.raises(ShapeError, match="one for each letter"):
        euler_to_matrix(angle, "XY")


@pytest.mark.parametrize(
    "change",
    [
        axis_angle_to_matrix,
        quaternion_of,
        lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)),
        lambda v: matrix_to_6d(axis_angle_to_matrix(v)),
        lambda v: slerp(quaternion_of(v), quaternion_of(-v), 0.3),
    ],
)
@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-4])
def test_gradients_are_finite_and_right_near_zero(change, length):
    def total(x):
        return (change(x) * torch.linspace(1, 2, change(x).numel(), dtype=x.dtype).view_as(change(x))).sum()

    v = (length * directions(1)[0]).requires_grad_()
    (gradient,) = torch.autograd.grad(total(v), v)
    step = 1e-5 * torch.eye(3, dtype=torch.float64)
    numeric = torch.stack([(total(v.detach() + d) - total(v.detach() - d)) / 2e-5 for d in step])
    close(gradient, numeric, 1e-4)


def test_slerp_goes_the_shortest_way_at_constant_speed():
    start, end = quaternion_of(torch.tensor([[0.0, 0.2, 0.0], [0.0, 2.2, 0.0]]))
    for share in (0.0, 0.25, 0.5, 1.0):
        expected = quaternion_of(torch.tensor([0.0, 0.2 + 2 * share, 0.0]))
        close(slerp(start, end, share), expected, 1e-6)
        close(slerp(start, -end, share), expected, 1e-6)  # the same rotation
    shares = torch.tensor([0.0, 0.5])
    close(slerp(start.expand(2, 4), start.expand(2, 4), shares), start.expand(2, 4), 1e-7)


def test_unrolled_quaternions_do_not_jump():
    angles = torch.linspace(0, 12, 60)[:, None] * torch.tensor([0.0, 1.0, 0.0])
    rot = axis_angle_to_matrix(angles)
    smooth = unroll(matrix_to_quaternion(rot))
    assert (smooth[1:] - smooth[:-1]).norm(dim=1).max() < 0.12
    close(quaternion_to_matrix(smooth), rot, 2e-6)


def test_cross_matrices_take_cross_products():
    a, b = directions(2).float()
    close(cross_matrix(a) @ b, torch.linalg.cross(a, b), 1e-7)


def test_nearest_rotations_are_never_reflections():
    rot = axis_angle_to_matrix(vectors(5))
    close(nearest_rotation(3 * rot), rot, 1e-9)
    flipped = rot @ torch.diag(torch.tensor([1.0, 1, -1], dtype=torch.float64))
    close(torch.linalg.det(nearest_rotation(flipped)), torch.ones(len(rot), dtype=torch.float64), 1e-9)


def test_rotations_are_checked():
    rot = axis_angle_to_matrix(vectors(5).float())
    assert check_rotations(rot) is rot
    close(check_rotations(rot * 1.002), rot, 1e-5)  # rounding is mended
    for wrong in (2 * rot[3], rot[3] * float("nan"), torch.diag(torch.tensor([1.0, 1, -1]))):
        mixed = rot.clone()
        mixed[7] = wrong
        with pytest.raises(ConfigError, match=r"no rotation at \[7\]"):
            check_rotations(mixed)
    with pytest.raises(ShapeError, match="rotation matrices are"):
        check_rotations(torch.zeros(4, 3))
