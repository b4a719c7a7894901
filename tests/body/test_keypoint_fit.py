"""Poses from points that were marked in a picture or in space."""

import pytest
import torch

from unveil.body import Pose, angles_to_pose, key_poses
from unveil.body.estimation import Camera, KeypointFit, Keypoints
from unveil.body.estimation.markers import MARKERS
from unveil.core.errors import ConfigError

SIDED = tuple(f"{s}_{p}" for p in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in ("left", "right"))
NAMES = ("nose", *SIDED)


def marked(pose, body):
    """Where the points of `NAMES` truly are, written without the code under test."""
    joints, rot = pose.joints(body)
    places = [joints[0, list(MARKERS[n].joints)].mean(0) for n in NAMES]
    turned = [rot[0, MARKERS[n].joints[0]] @ torch.tensor(MARKERS[n].offset) for n in NAMES]
    return torch.stack([a + b for a, b in zip(places, turned, strict=True)])


def standing(name="stand", pelvis=(0.2, 0.1, -4.0), yaw=0.0):
    angles = key_poses()[name].clone()
    angles[0, 1] += yaw
    return Pose(angles_to_pose(angles)[None], torch.tensor([pelvis]), torch.zeros(1, 10), torch.tensor([2]))


def test_a_camera_sees_up_as_up_and_left_as_left():
    camera = Camera.of_picture(480, 640, focal=500.0)
    seen = camera.project(torch.tensor([[0.0, 0.0, -2.0], [1.0, 0.0, -2.0], [0.0, 1.0, -2.0]]))
    torch.testing.assert_close(seen, torch.tensor([[320.0, 240.0], [570.0, 240.0], [320.0, -10.0]]))
    assert Camera.of_picture(480, 640).focal == 768
    with pytest.raises(ConfigError, match="positive number of pixels"):
        Camera.of_picture(480, 640, focal=0.0)


@pytest.mark.parametrize("name", ["stand", "wave"])
def test_a_picture_of_a_pose_gives_the_pose(body, name):
    pose, camera = standing(name, yaw=0.4), Camera.of_picture(512, 512)
    points = Keypoints(NAMES, camera.project(marked(pose, body)), torch.ones(len(NAMES)))
    found = KeypointFit(body, iterations=(20, 30, 30))(points, camera, betas=torch.zeros(10))
    truth, got = pose.joints(body)[0][0], found[0].pose.joints(body)[0][0]
    again = camera.project(marked(found[0].pose, body))
    assert (again - points.points).norm(dim=-1).mean() < 2
    error = ((got - got[0]) - (truth - truth[0])).norm(dim=-1).mean()
    assert error < 0.12  # what is nearer and what farther is not in the picture
    assert abs(float(found[0].pelvis[2]) + 4.0) < 0.4
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        one.pose.checked()


def test_points_in_space_are_met(body):
    pose = standing("reach-up-one", pelvis=(3.0, 1.0, 2.0), yaw=2.0)
    points = Keypoints(NAMES, marked(pose, body), torch.ones(len(NAMES)))
    (found,) = KeypointFit(body, iterations=(30, 40, 40))(points, betas=torch.zeros(10))
    got = marked(found.pose, body)
    assert (got - points.points).norm(dim=-1).mean() < 0.01


def test_a_wrong_point_spoils_little(body):
    pose, camera = standing(), Camera.of_picture(512, 512)
    places = camera.project(marked(pose, body))
    places[NAMES.index("left_wrist")] += torch.tensor([150.0, -200.0])
    points = Keypoints(NAMES, places, torch.ones(len(NAMES)))
    found = KeypointFit(body, iterations=(20, 30, 30))(points, camera, betas=torch.zeros(10))[0]
    truth, got = pose.joints(body)[0][0], found.pose.joints(body)[0][0]
    rest = [j for j in range(24) if j not in (18, 20, 22)]
    assert ((got - got[0]) - (truth - truth[0]))[rest].norm(dim=-1).mean() < 0.06


def test_a_solver_is_asked_for_what_the_points_leave_open(body):
    asked = []

    class Solver:
        def solve(self, effectors, betas, gender):
            asked.append(effectors)
            return standing("sit")

    points = Keypoints(NAMES, marked(standing(), body), torch.ones(len(NAMES)))
    KeypointFit(body, Solver(), iterations=(2, 2, 2))(points)
    assert len(asked) == 2
    assert asked[0].number == len(NAMES)
    assert float(asked[0].tolerance[0, 0]) == pytest.approx(0.05)


def test_what_is_wrong_is_told(body):
    points = Keypoints(NAMES, torch.rand(len(NAMES), 2), torch.ones(len(NAMES)))
    with pytest.raises(ConfigError, match="need its camera"):
        KeypointFit(body)(points)
    with pytest.raises(ConfigError, match="gender"):
        KeypointFit(body)(points, Camera.of_picture(9, 9), gender="robot")
    faces = Keypoints(("nose", "left_eye", "right_eye", "left_ear"), torch.rand(4, 2), torch.ones(4))
    with pytest.raises(ConfigError, match="tell of 1 joints only"):
        KeypointFit(body)(faces, Camera.of_picture(9, 9))
    with pytest.raises(ConfigError, match="iterations"):
        KeypointFit(body, iterations=(0, 1, 1))
