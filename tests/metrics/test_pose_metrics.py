"""Figures of poses: what they ignore, what they do not, and their units."""

import math

import pytest
import torch

from unveil.body import Effectors
from unveil.core.errors import ShapeError
from unveil.geometry import axis_angle_to_matrix
from unveil.metrics import effector_error, geodesic_error, mpjpe_abs, mpjpe_root, pa_mpjpe


def joints(n=50, seed=0):
    return torch.randn(n, 24, 3, generator=torch.Generator().manual_seed(seed))


def test_joints_a_centimetre_away_are_ten_millimetres_away():
    x = joints()
    moved = x.clone()
    moved[:, 1:, 0] += 0.01
    torch.testing.assert_close(mpjpe_root(moved, x), torch.full((50,), 10 * 23 / 24), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        mpjpe_abs(x + torch.tensor([0.0, 0.03, 0.04]), x), torch.full((50,), 50.0), atol=1e-3, rtol=0
    )
    assert mpjpe_root(x + 3, x).max() < 1e-3
    assert mpjpe_abs(x.reshape(5, 10, 24, 3), x.reshape(5, 10, 24, 3)).shape == (5, 10)


def test_any_similarity_is_undone_and_a_mirror_is_not():
    x = joints()
    turns = axis_angle_to_matrix(joints(50, 1)[:, 0])
    scale = 0.2 + joints(50, 2)[:, :1, :1].abs()
    similar = scale * (x @ turns.transpose(-1, -2)) + 5
    assert pa_mpjpe(similar, x).max() < 0.05
    assert pa_mpjpe(x * torch.tensor([-1.0, 1, 1]), x).min() > 100
    # No other similarity is nearer in squares than the best: not even none but a shift.
    noisy = x + 0.3 * joints(50, 3)
    centred = noisy - noisy.mean(1, keepdim=True) + x.mean(1, keepdim=True)
    assert (pa_mpjpe(noisy, x) < mpjpe_abs(centred, x) * 1.05).all()


def test_rotations_by_a_known_angle():
    generator = torch.Generator().manual_seed(0)
    x = axis_angle_to_matrix(torch.randn(8, 24, 3, generator=generator))
    angles = torch.rand(8, 24, generator=generator) * 3
    axes = torch.nn.functional.normalize(torch.randn(8, 24, 3, generator=generator), dim=-1)
    turned = x @ axis_angle_to_matrix(axes * angles[..., None])
    torch.testing.assert_close(geodesic_error(turned, x), angles.mean(1), atol=1e-5, rtol=0)
    assert geodesic_error(x, x).max() < 3e-6


def test_effectors_are_judged_in_their_own_units():
    places, rot = torch.zeros(1, 24, 3), torch.eye(3).expand(1, 24, 3, 3)
    asked = [
        {"type": "position", "joint": "head", "position": [0, 0.1, 0]},
        {"type": "position", "joint": "neck", "position": [0, 0, 0.3]},
        {"type": "position", "joint": "pelvis", "position": [0, 0, 9], "weight": 0},
        {"type": "rotation", "joint": "head", "euler": [0, 90, 0]},
        {"type": "look-at", "joint": "head", "target": [1, 0, 1]},
    ]
    found = effector_error(Effectors.of(asked), places, rot)
    assert found == pytest.approx({"position": 200, "rotation": math.pi / 2, "look-at": math.pi / 4}, rel=1e-5)
    assert set(effector_error(Effectors.of(asked[:1]), places, rot)) == {"position"}


def test_poses_that_do_not_correspond_are_refused():
    for figure in (mpjpe_root, mpjpe_abs, pa_mpjpe):
        with pytest.raises(ShapeError, match=r"\(\.\.\., J, 3\)"):
            figure(joints(), joints(49))
    with pytest.raises(ShapeError, match="J, 3, 3"):
        geodesic_error(joints(), joints())
