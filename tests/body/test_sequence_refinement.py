"""Refinement of motions: effectors that tremble are followed without trembling."""

import pytest
import torch

from unveil.body import Effectors, Pose, random_motion, refine, refine_sequence
from unveil.body.joints import GENDERS
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import axis_angle_to_matrix

KINDS, FOUND = torch.tensor([0, 0, 0, 0, 0, 1, 2]), torch.tensor([0, 20, 21, 7, 8, 15, 15])


@pytest.fixture(scope="module")
def walk(body):
    """A walk, what it does, and the same motion held otherwise."""
    generator = torch.Generator().manual_seed(0)
    motion = random_motion(body, 24, kind="walk", generator=generator)
    shape, gender = motion.shape.expand(24, 10), torch.full((24,), GENDERS.index(motion.gender))
    true = Pose(motion.pose, motion.pelvis, shape, gender)
    other = axis_angle_to_matrix(0.1 * torch.randn(24, 3, generator=generator))
    return (
        true,
        Effectors.of_pose(KINDS, FOUND, *true.joints(body)),
        Pose(true.rotations @ other, true.pelvis + 0.03, shape, gender),
    )


def bends(body, pose):
    places = pose.joints(body)[0]
    return float((places[2:] - 2 * places[1:-1] + places[:-2]).norm(dim=-1).mean())


def test_effectors_of_every_frame_are_nearly_met(body, walk):
    _, effectors, start = walk
    found = refine_sequence(body, start, effectors, 50, smooth=0.02)
    assert found.residuals[:, :5].mean() < 0.005
    assert found.residuals[:, 5:].mean() < 0.02


def test_effectors_that_tremble_are_followed_without_trembling(body, walk):
    true, effectors, start = walk
    data = effectors.data.clone()
    data[:, 1:5, :3] += 0.02 * torch.randn(24, 4, 3, generator=torch.Generator().manual_seed(1))
    noisy = Effectors(effectors.kind, effectors.joint, data, effectors.tolerance, effectors.weight)
    alone, together = refine(body, start, noisy, 10).pose, refine_sequence(body, start, noisy, 40).pose
    assert bends(body, together) < 0.5 * bends(body, alone)
    errors = [(pose.joints(body)[0] - true.joints(body)[0]).norm(dim=-1).mean() for pose in (alone, together)]
    assert errors[1] < errors[0]


def test_no_joint_is_below_the_floor_for_long(body, walk):
    true, effectors, _ = walk
    low = true.joints(body)[0][..., 1].amin() + 0.05
    down = [refine_sequence(body, true, effectors.select([1]), 20, floor=floor)
            for floor in (None, float(low))]  # fmt: skip
    depth = [(low - found.pose.joints(body)[0][..., 1]).clamp_min(0).sum() for found in down]
    assert depth[1] < 0.2 * depth[0]


def test_what_cannot_be_a_motion_is_refused(body, walk):
    true, effectors, _ = walk
    with pytest.raises(ShapeError, match="24 poses got effectors for 3"):
        refine_sequence(body, true, effectors[:3])
    with pytest.raises(ConfigError, match="smooth is -1"):
        refine_sequence(body, true, effectors, smooth=-1)
    same = refine_sequence(body, true, effectors, 0).pose
    torch.testing.assert_close(same.rotations, true.rotations, atol=1e-6, rtol=0)
    assert len(refine_sequence(body, true[:0], effectors[:0]).pose) == 0
