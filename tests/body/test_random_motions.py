"""Poses and motions at random keep within the limits, stand on the floor and do not depend on company."""

import pytest
import torch

from unveil import Streams
from unveil.body import (
    JOINTS,
    LIMITS,
    angles_to_pose,
    clamp_pose,
    find_joint,
    key_poses,
    mirror_pose,
    pose_to_angles,
    random_bodies,
    random_motion,
    random_poses,
)
from unveil.body.limits import mirror_angles
from unveil.body.random_poses import gait
from unveil.core.errors import ConfigError
from unveil.geometry import geodesic_distance, matrix_from_6d


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def within(pose, slack=1e-3):
    angles = pose_to_angles(pose)[..., 1:, :]
    limits = LIMITS[1:]
    return bool(((angles >= limits[..., 0] - slack) & (angles <= limits[..., 1] + slack)).all())


def test_limits_mirror_and_hold_the_rest_pose():
    assert (LIMITS[..., 0] <= 0).all()
    assert (LIMITS[..., 1] >= 0).all()
    low = mirror_angles(LIMITS[..., 0])
    high = mirror_angles(LIMITS[..., 1])
    close(torch.minimum(low, high), LIMITS[..., 0], 1e-6)
    close(torch.maximum(low, high), LIMITS[..., 1], 1e-6)
    assert torch.rad2deg(LIMITS[find_joint("left_elbow"), 1]).round().tolist() == [-145, 0]
    assert torch.rad2deg(LIMITS[find_joint("right_elbow"), 1]).round().tolist() == [0, 145]


def test_angles_and_poses_are_the_same():
    angles = LIMITS[..., 0] + torch.rand(50, 24, 3) * (LIMITS[..., 1] - LIMITS[..., 0])
    angles[:, 0] = 0
    close(pose_to_angles(angles_to_pose(angles)), angles, 2e-3)


def test_clamping_changes_only_what_is_outside():
    pose = matrix_from_6d(torch.randn(200, 24, 6, generator=torch.Generator().manual_seed(0)))
    clamped = clamp_pose(pose)
    assert within(clamped)
    assert not within(pose)
    assert (clamped[:, 0] == pose[:, 0]).all()  # the pelvis turns freely
    good = random_poses(50, torch.Generator().manual_seed(0))
    close(clamp_pose(good), good, 1e-3)
    with pytest.raises(ConfigError, match="share is 2"):
        clamp_pose(pose, 2)


def test_a_mirrored_pose_looks_mirrored(body):
    pose = random_poses(8, torch.Generator().manual_seed(1))
    names = list(JOINTS)
    swapped = [names.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in names]
    joints = body.place(pose, pelvis=torch.zeros(3))[1]
    mirrored = body.place(mirror_pose(pose), pelvis=torch.zeros(3))[1]
    close(mirrored, joints[:, swapped] * torch.tensor([-1.0, 1, 1]), 1e-4)
    close(mirror_pose(mirror_pose(pose)), pose, 0)
    angles = torch.rand(5, 24, 3) - 0.5
    close(mirror_pose(angles_to_pose(angles)), angles_to_pose(mirror_angles(angles)), 1e-6)


def test_key_poses_are_what_they_are_called(body):
    keys = key_poses()
    assert len(keys) >= 25
    assert all(within(angles_to_pose(key)) for key in keys.values())
    joints = {}
    for name, key in keys.items():
        places = body.place(angles_to_pose(key)[None], pelvis=torch.zeros(3))[1][0]
        joints[name] = dict(zip(JOINTS, places, strict=True))
    assert joints["reach-up"]["left_wrist"][1] > joints["reach-up"]["head"][1] + 0.3
    assert joints["stand"]["left_wrist"][1] < joints["stand"]["left_elbow"][1] < joints["stand"]["left_shoulder"][1]
    assert joints["reach-forward"]["left_wrist"][2] > 0.4
    assert joints["sit"]["left_knee"][2] > 0.3
    assert joints["crouch"]["head"][1] - joints["crouch"]["left_ankle"][1] < 1.0
    assert joints["kick"]["left_ankle"][2] > 0.5 > joints["kick"]["right_ankle"][2]
    assert joints["wave"]["left_wrist"][1] > joints["wave"]["left_shoulder"][1]
    assert (joints["hands-on-hips"]["left_wrist"] - joints["hands-on-hips"]["left_hip"]).norm() < 0.28
    assert abs(joints["lie"]["head"][1] - joints["lie"]["left_ankle"][1]) < 0.25
    assert joints["bow"]["head"][2] > 0.3


def test_random_poses_keep_within_the_limits_and_differ():
    pose = random_poses(2000, torch.Generator().manual_seed(0))
    assert within(pose)
    assert torch.isfinite(pose).all()
    close(pose.mT @ pose, torch.eye(3).expand_as(pose), 2e-6)
    spread = geodesic_distance(pose[:1000], pose[1000:]).mean(0)
    assert spread[find_joint("left_shoulder")] > 0.7
    assert spread[find_joint("left_knee")] > 0.5
    facing = pose[:, 0, :, 2]
    assert facing[:, [0, 2]].mean(0).abs().max() < 0.1  # anywhere
    assert 0.03 < (pose[:, 0, 1, 1] < 0.5).float().mean() < 0.2  # some lie or bow


def test_a_pose_does_not_depend_on_the_company_it_is_drawn_in():
    together = random_bodies(12, Streams(3, 12))
    alone = random_bodies(1, Streams(3, [7]))
    for one, all_ in zip(alone, together, strict=True):
        close(one[0], all_[7], 0)
    assert together.shape.abs().max() <= 4
    assert set(random_bodies(60, Streams(0, 60)).gender.tolist()) == {0, 1, 2}


def test_a_step_has_the_arms_against_the_legs(body):
    angles = gait(torch.zeros(1), torch.ones(1))
    joints = dict(zip(JOINTS, body.place(angles_to_pose(angles), pelvis=torch.zeros(3))[1][0], strict=True))
    assert joints["left_ankle"][2] > joints["right_ankle"][2] + 0.3
    assert joints["left_wrist"][2] < joints["right_wrist"][2] - 0.1
    half = gait(torch.full((1,), torch.pi), torch.ones(1))
    close(half, mirror_angles(angles), 1e-6)


@pytest.mark.parametrize("kind", ["walk", "poses"])
def test_motions_are_smooth_keep_a_foot_down_and_stand_on_the_floor(kind, body):
    motion = random_motion(body, 90, kind=kind, generator=Streams(5, 1))
    assert within(motion.pose)
    posed = motion.posed(body)
    close(posed.vertices[..., 1].amin(1), torch.zeros(90), 1e-5)
    steps = geodesic_distance(motion.pose[1:], motion.pose[:-1])
    assert steps.max() < 0.45  # radians in a thirtieth of a second
    feet = posed.joints[:, [[7, 10], [8, 11]]].mean(2)[..., [0, 2]]
    slip = (feet[1:] - feet[:-1]).norm(dim=-1).amin(1)
    assert slip.max() < 1e-5


def test_a_walk_goes_where_it_faces(body):
    motion = random_motion(body, 90, kind="walk", generator=Streams(6, 1))
    way = motion.pelvis[-1] - motion.pelvis[0]
    facing = motion.pose[45, 0, :, 2]
    assert (way * facing).sum() > 0.6 * way.norm() > 0.3


def test_motions_come_from_their_stream(body):
    one, two = (random_motion(body, 10, generator=Streams(1, [4])) for _ in range(2))
    close(one.pose, two.pose, 0)
    close(one.shape, two.shape, 0)
    given = random_motion(body, 10, shape=torch.zeros(10), gender="female", generator=Streams(1, [4]))
    assert given.gender == "female"
    assert not given.shape.any()
    for wrong in ({"frames": 0}, {"kind": "dance"}, {"fps": 0}):
        with pytest.raises(ConfigError):
            random_motion(body, **wrong)
