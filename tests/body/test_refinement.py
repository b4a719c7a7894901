"""Refinement: what is asked is done exactly where it can be, and what cannot be is approached as nearly as bones allow."""

import numpy as np
import pytest
import torch

from unveil.body import (
    JOINTS,
    LIMITS,
    PARENTS,
    Effectors,
    Pose,
    angles_to_pose,
    clamp_pose,
    pose_to_angles,
    random_bodies,
    random_poses,
    refine,
)
from unveil.body.array_rotations import exponential, from_angles, logarithm, turn_between
from unveil.body.residuals import effector_residuals
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import axis_angle_to_matrix, matrix_to_axis_angle

FOUND = (0, 20, 21, 7, 8, 15, 9, 15)
KINDS = (0, 0, 0, 0, 0, 1, 1, 2)


def drawn(body, n, seed=0):
    """Poses, what they do, and other poses near them."""
    generator = torch.Generator().manual_seed(seed)
    bodies = random_bodies(n, generator)
    true = Pose(bodies.pose, torch.randn(n, 3, generator=generator), bodies.shape, bodies.gender)
    effectors = Effectors.of_pose(torch.tensor(KINDS), torch.tensor(FOUND), *true.joints(body))
    noise = axis_angle_to_matrix(0.08 * torch.randn(n, 24, 3, generator=generator))
    near = clamp_pose(true.rotations @ noise)
    return effectors, Pose(near, true.pelvis + 0.03, true.betas, true.gender), true


@pytest.mark.parametrize("limits", [True, False])
def test_effectors_of_a_real_pose_are_met(body, limits):
    effectors, start, true = drawn(body, 64)
    before = refine(body, start, effectors, 0)
    found = refine(body, start, effectors, 10, limits=limits)
    assert before.residuals.mean() > 0.03
    metres, radians = found.residuals[:, :5], found.residuals[:, 5:]
    assert metres.mean() < 0.0001
    assert metres.max() < 0.001
    assert radians.max() < 0.002
    assert found.reached.all()
    places, rot = found.pose.joints(body)
    torch.testing.assert_close(effector_residuals(effectors, places, rot), found.residuals, atol=2e-5, rtol=0)
    now, then = ((p[:, 1:] - p[:, list(PARENTS[1:])]).norm(dim=-1) for p in (places, true.joints(body)[0]))
    torch.testing.assert_close(now, then, atol=1e-5, rtol=0)  # bones keep their lengths


def test_three_steps_bring_a_dragged_pose_near(body):
    effectors, start, _ = drawn(body, 64, seed=1)
    assert refine(body, start, effectors, 3).residuals[:, :5].mean() < 0.001


def test_joints_keep_within_their_limits_unless_they_started_outside(body):
    effectors, start, _ = drawn(body, 16)
    wild = random_poses(16, torch.Generator().manual_seed(5))
    angles = pose_to_angles(
        refine(body, Pose(wild, start.pelvis, start.betas, start.gender), effectors, 6).pose.rotations
    )
    assert (angles[:, 1:] >= LIMITS[1:, :, 0] - 1e-4).all()
    assert (angles[:, 1:] <= LIMITS[1:, :, 1] + 1e-4).all()
    bent = torch.zeros(1, 24, 3)
    bent[0, JOINTS.index("left_knee"), 0] = -0.5  # no knee bends so
    odd = Pose(angles_to_pose(bent), torch.zeros(1, 3), torch.zeros(1, 10), torch.tensor([2]))
    held = Effectors.of_pose(torch.tensor([0, 0]), torch.tensor([0, 20]), *odd.joints(body))
    assert pose_to_angles(refine(body, odd, held).pose.rotations)[0, 4, 0] == pytest.approx(-0.5, abs=1e-3)


def test_what_is_met_already_is_left_as_it_is(body):
    _, _, true = drawn(body, 3)
    effectors = Effectors.of_pose(torch.tensor(KINDS), torch.tensor(FOUND), *true.joints(body))
    found = refine(body, true, effectors)
    torch.testing.assert_close(found.pose.rotations, true.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.pose.pelvis, true.pelvis, atol=1e-5, rtol=0)
    assert len(refine(body, true[:0], effectors[:0]).pose) == 0


def test_one_pose_is_refined_as_it_is_among_many(body):
    effectors, start, _ = drawn(body, 4)
    many = refine(body, start, effectors, 4)
    for i in range(4):
        one = refine(body, start[i : i + 1], effectors[i : i + 1], 4)
        torch.testing.assert_close(one.pose.rotations, many.pose.rotations[i : i + 1], atol=1e-6, rtol=0)


def asked(*items):
    return Effectors.of([{"type": "position", **item} for item in items])


def test_what_is_too_far_is_approached_as_near_as_straight_bones_reach(body):
    rest = Pose.rest(body, torch.zeros(1, 10), torch.tensor([2]))
    effectors = asked({"joint": "pelvis", "position": [0, 1, 0]}, {"joint": "left_wrist", "position": [8, 4, 3]})
    found = refine(body, rest, effectors, 100, limits=False)
    chain = [
        JOINTS.index(n)
        for n in ("spine1", "spine2", "spine3", "left_collar", "left_shoulder", "left_elbow", "left_wrist")
    ]
    reach = body.skeleton().lengths[chain].sum()
    far = torch.tensor([8.0, 3, 3]).norm()
    assert not found.reached.any()
    # Two springs of one strength share what is missing.
    torch.testing.assert_close(found.residuals, torch.full((1, 2), float(far - reach) / 2), atol=2e-3, rtol=0)


def test_a_looser_or_lighter_effector_gives_way(body):
    rest = Pose.rest(body, torch.zeros(1, 10), torch.tensor([2]))
    far = [{"joint": "pelvis", "position": [0, 0, 0]}, {"joint": "head", "position": [0, 3, 0]}]
    loose = refine(body, rest, asked(far[0], {**far[1], "tolerance": 0.09}), 40).residuals[0]
    assert loose[1] / loose[0] == pytest.approx(
        100, rel=0.02
    )  # a tenth of the weight in each row: strengths 1 and 1/100
    light = refine(body, rest, asked(far[0], {**far[1], "weight": 0.25}), 40).residuals[0]
    assert light[1] / light[0] == pytest.approx(4, rel=0.02)
    none = refine(body, rest, asked(far[0], {**far[1], "weight": 0}), 40)
    assert none.residuals[0, 0] < 1e-4
    torch.testing.assert_close(none.pose.rotations, rest.rotations, atol=1e-6, rtol=0)


def test_a_body_turns_round_and_looks_behind_itself(body):
    rest = Pose.rest(body, torch.zeros(1, 10), torch.tensor([2]))
    round_ = Effectors.of([{"type": "position", "joint": "pelvis", "position": [1, 1, 1]},
                           {"type": "rotation", "joint": "pelvis", "euler": [0, 180, 0]},
                           {"type": "look-at", "joint": "head", "target": [1, 1.5, -9]}])  # fmt: skip
    assert refine(body, rest, round_, 20).residuals.max() < 1e-4
    behind = Effectors.of([{"type": "look-at", "joint": "head", "target": [0, 0.5, -9]}])
    assert refine(body, rest, behind, 20).residuals.max() < 1e-4


def test_what_cannot_be_refined_is_refused(body):
    rest = Pose.rest(body, torch.zeros(1, 10), torch.tensor([2]))
    head = body.rest_joints()[15].tolist()
    with pytest.raises(ConfigError, match=r"Effector \[0, 0\] makes the head look at where it is itself"):
        refine(body, rest, Effectors.of([{"type": "look-at", "joint": "head", "target": head}]))
    with pytest.raises(ShapeError, match="1 poses got effectors for 2"):
        refine(body, rest, Effectors.stack([asked({"joint": "head", "position": head})] * 2))
    with pytest.raises(ConfigError, match="not finite"):
        refine(
            body,
            Pose(rest.rotations, rest.pelvis * torch.nan, rest.betas, rest.gender),
            asked({"joint": 0, "position": [0, 0, 0]}),
        )
    with pytest.raises(ConfigError, match="steps is -1"):
        refine(body, rest, asked({"joint": 0, "position": [0, 0, 0]}), -1)


def test_rotations_as_arrays_are_those_of_tensors():
    vectors = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)).double()
    vectors[:50] *= 1e-5
    rot = axis_angle_to_matrix(vectors)
    np.testing.assert_allclose(exponential(vectors.numpy()), rot, atol=1e-9)
    np.testing.assert_allclose(logarithm(rot.numpy()), matrix_to_axis_angle(rot), atol=1e-7)
    half = np.diag([-1.0, 1, -1])
    np.testing.assert_allclose(np.abs(logarithm(half[None])), [[0, np.pi, 0]], atol=1e-9)
    np.testing.assert_allclose(from_angles(vectors.numpy()[None]), angles_to_pose(vectors[None]), atol=1e-12)
    u, v = (torch.nn.functional.normalize(x, dim=-1).numpy() for x in (vectors, vectors.flip(0)))
    np.testing.assert_allclose((exponential(turn_between(u, v)) @ u[..., None])[..., 0], v, atol=1e-9)
    np.testing.assert_allclose((exponential(turn_between(u, -u)) @ u[..., None])[..., 0], -u, atol=1e-9)
