"""What refinement takes for the slope of its error is the slope, however far a joint looks away from its target."""

import numpy as np
import pytest
import torch

from unveil.body import Effectors, Pose, random_poses, refine
from unveil.body.array_rotations import exponential, from_angles
from unveil.body.refinement import _ANGLES, _Chain

ROWS = 4


def asked(body, kind):
    """Poses, and effectors they are far from meeting, with targets within the reach of a hand."""
    generator = torch.Generator().manual_seed(kind)
    pelvis = torch.randn(ROWS, 3, generator=generator)
    pose = Pose(random_poses(ROWS, generator), pelvis, torch.zeros(ROWS, 10), torch.full((ROWS,), 2))
    positions, rot = pose.joints(body)
    near = positions[:, 15] + 0.15 * torch.randn(ROWS, 3, generator=generator)
    turned = rot.flip(0)[:, 20]
    data = {
        0: torch.cat([near, torch.zeros(ROWS, 3)], 1),
        1: torch.cat([turned[..., 0], turned[..., 1]], 1),
        2: torch.cat([near, torch.tensor([0.0, 0.6, 0.8]).expand(ROWS, 3)], 1),
    }[kind]
    one = torch.ones(ROWS, 1)
    return pose, Effectors(kind * one.long(), 15 * one.long(), data[:, None], 0 * one, one)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_the_slope_of_the_error_is_that_of_small_changes(body, kind):
    chain = _Chain(body, *asked(body, kind), limits=True)
    state = chain.state
    slope = -2 * (chain._columns(state).swapaxes(-1, -2) @ state.rest.reshape(ROWS, -1, 1))[..., 0]

    def cost(change):
        numbers = state.numbers + change
        local = from_angles(numbers[:, :_ANGLES].reshape(ROWS, -1, 3))
        turns = change[:, :_ANGLES].reshape(ROWS, -1, 3)[:, chain.free]
        local[:, chain.free] = state.local[:, chain.free] @ exponential(turns)
        return chain._placed(numbers, local).cost

    steps = 1e-6 * np.eye(_ANGLES + 3)
    measured = np.stack(
        [(cost(step[None].repeat(ROWS, 0)) - cost(-step[None].repeat(ROWS, 0))) / 2e-6 for step in steps]
    )
    np.testing.assert_allclose(slope, measured.T, atol=2e-5)


def test_a_head_finds_what_is_just_above_and_behind_it(body):
    rest = Pose.rest(body, torch.zeros(1, 10), torch.tensor([2]))
    above = rest.joints(body)[0][0, 15] + torch.tensor([0.0, 0.06, -0.03])
    wishes = [
        {"type": "position", "joint": "pelvis", "position": rest.pelvis[0].tolist()},
        {"type": "look-at", "joint": "head", "target": above.tolist()},
    ]
    found = refine(body, rest, Effectors.of(wishes), 30)
    assert found.reached.all()
    assert found.residuals[0, 1] < 0.02
