import pytest
import torch

from unveil.body import LIMITS, Body, pose_to_angles
from unveil.core.errors import ConfigError
from unveil.data.poses import open_poses
from unveil.data.random_poses import RandomPoses


@pytest.fixture(scope="module")
def body():
    return Body.embedded()


def test_a_pose_is_a_function_of_its_index():
    data = RandomPoses(1000)
    pose, known = data.batch([5, 900, 7])
    again, same = data.batch([900])
    assert torch.equal(again[0], pose[1])
    assert torch.equal(same["shape"][0], known["shape"][1])
    assert pose.shape[1:] == data.shape == (24, 3, 3)
    assert known["shape"].shape == (3, 10)
    torch.testing.assert_close(pose @ pose.transpose(-1, -2), torch.eye(3).expand_as(pose), atol=1e-5, rtol=0)


def test_poses_keep_within_the_limits():
    angles = pose_to_angles(RandomPoses(500).batch(range(200))[0])[:, 1:]
    assert (angles >= LIMITS[1:, :, 0] - 1e-3).all()
    assert (angles <= LIMITS[1:, :, 1] + 1e-3).all()


def test_training_and_testing_have_poses_of_their_own(body):
    train, test = (open_poses("motions", body, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (1_000_000, 10_000)
    assert train.fingerprint != test.fingerprint == open_poses("motions", body, split="test").fingerprint
    assert (train.batch(range(50))[0] - test.batch(range(50))[0]).abs().amax((1, 2, 3)).min() > 0.01
    assert len(open_poses("motions", body, limit=7)) == 7


def test_all_genders_of_the_body_are_drawn():
    for genders, numbers in (
        (("male", "female", "neutral"), {0, 1, 2}),
        (("female",), {1}),
        (("female", "neutral"), {1, 2}),
    ):
        drawn = RandomPoses(100, genders=genders).batch(range(60))[1]["gender"]
        assert set(drawn.tolist()) == numbers


def test_what_cannot_be_is_refused(body):
    with pytest.raises(IndexError, match=r"leave 0\.\.9"):
        RandomPoses(10).batch([10])
    with pytest.raises(ConfigError, match="count"):
        RandomPoses(0)
    with pytest.raises(ConfigError, match="train or test"):
        open_poses("motions", body, split="all")
    with pytest.raises(ConfigError, match="split"):
        open_poses("motions", body, split="validation")
    with pytest.raises(ConfigError, match="fps"):
        open_poses("motions", body, fps=0)
    with pytest.raises(ConfigError, match="limit"):
        open_poses("motions", body, limit=0)
