"""Recovery: the most telling effector first, an error that never grows, and nothing that nobody allowed."""

import pytest
import torch

from unveil.body import (
    CANDIDATES,
    JOINTS,
    LOOK_AT,
    POSITION,
    ROTATION,
    Effectors,
    Pose,
    RefiningSolver,
    Skeleton,
    random_bodies,
    recover_effectors,
    refine,
)
from unveil.core.errors import ConfigError


def drawn(seed=0, n=1):
    bodies = random_bodies(n, torch.Generator().manual_seed(seed))
    return Pose(bodies.pose, torch.randn(n, 3), bodies.shape, bodies.gender)


class Counting:
    """A solver that remembers how it was asked."""

    def __init__(self, solver):
        self.solver, self.asked = solver, []

    def solve(self, effectors, betas, gender):
        self.asked.append((len(effectors), effectors.number))
        return self.solver.solve(effectors, betas, gender)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_errors_never_grow_and_a_position_comes_first(body, seed):
    pose, solver = drawn(seed), Counting(RefiningSolver(body, steps=4))
    found = recover_effectors(solver, body, pose, most=5)
    assert found.effectors.kind[0, 0] == POSITION
    assert list(found.errors) == sorted(found.errors, reverse=True)
    assert len(found.errors) == found.effectors.number
    assert solver.asked[0] == (24, 1)
    assert solver.asked[1] == (48, 2)  # one batch each time, of all that are left
    # What is given back is what the solver makes of what is given back.
    places = solver.solve(found.effectors, pose.betas, pose.gender).joints(body)[0]
    torch.testing.assert_close(places, found.pose.joints(body)[0], atol=1e-4, rtol=0)
    error = (places - pose.joints(body)[0]).norm(dim=-1).mean()
    assert float(error) == pytest.approx(found.errors[-1], abs=1e-4)


def test_the_first_is_the_best_of_all(body):
    pose, solver = drawn(3), RefiningSolver(body, steps=4)
    found = recover_effectors(solver, body, pose, most=1)
    true = pose.joints(body)
    errors = []
    for joint in range(24):
        asked = Effectors.of_pose(torch.tensor([POSITION]), torch.tensor([joint]), *true)
        made = refine(body, Pose.rest(body, pose.betas, pose.gender), asked, 4).pose
        errors.append(float((made.joints(body)[0] - true[0]).norm(dim=-1).mean()))
    assert int(found.effectors.joint) == errors.index(min(errors))
    assert found.errors[0] == pytest.approx(min(errors), rel=1e-4)


class Worse:
    """A solver that is best with two effectors and worse with more."""

    def __init__(self, pose):
        self.pose = pose

    def solve(self, effectors, betas, gender):
        away = 0.05 * abs(effectors.number - 2) + 0.02
        many = len(effectors)
        parts = (self.pose.rotations, self.pose.pelvis + away, self.pose.betas, self.pose.gender)
        return Pose(*(part.expand(many, *part.shape[1:]) for part in parts))


def test_it_ends_when_nothing_helps_or_it_is_near_enough(body):
    pose = drawn(4)
    found = recover_effectors(Worse(pose), body, pose, most=6)
    assert found.effectors.number == 2
    assert found.errors == pytest.approx((0.07 * 3**0.5, 0.02 * 3**0.5), rel=1e-4)
    assert recover_effectors(Worse(pose), body, pose, tolerance=0.2).effectors.number == 1


def test_only_what_is_allowed_is_chosen_and_what_is_pinned_is_there(body):
    pose, solver = drawn(5), RefiningSolver(body, steps=3)
    wrist, head = JOINTS.index("left_wrist"), JOINTS.index("head")
    allowed = [(POSITION, 0), (ROTATION, 0), (POSITION, wrist)]
    found = recover_effectors(
        solver, body, pose, most=4, candidates=allowed, pinned=[(LOOK_AT, head), (POSITION, wrist)]
    )
    chosen = list(zip(found.effectors.kind[0].tolist(), found.effectors.joint[0].tolist(), strict=True))
    assert chosen[:2] == [(LOOK_AT, head), (POSITION, wrist)]
    assert set(chosen[2:]) <= set(allowed)
    turned = recover_effectors(solver, body, pose, most=2, candidates=allowed, pinned=[(ROTATION, head)])
    assert turned.effectors.kind[0].tolist() == [ROTATION, POSITION]
    assert len(turned.errors) == 1
    assert len(CANDIDATES) == 49


def test_errors_are_those_of_the_character(body):
    pose = drawn(6)
    twice = Skeleton.at_rest(
        body.skeleton().names, body.skeleton().parents, 2 * body.rest_joints(pose.betas, pose.gender)[0]
    )
    own = recover_effectors(Worse(pose), body, pose, most=2)
    other = recover_effectors(Worse(pose), body, pose, most=2, character=twice)
    assert other.errors == pytest.approx([2 * error for error in own.errors], rel=1e-3)


def test_what_cannot_be_recovered_is_refused(body):
    pose, solver = drawn(0), RefiningSolver(body)
    with pytest.raises(ConfigError, match="2 poses were asked for"):
        recover_effectors(solver, body, drawn(0, 2))
    with pytest.raises(ConfigError, match="No position may be chosen"):
        recover_effectors(solver, body, pose, candidates=[(ROTATION, 0)])
    with pytest.raises(ConfigError, match="No position may be chosen"):
        recover_effectors(solver, body, pose, most=1, pinned=[(ROTATION, 0)])
    with pytest.raises(ConfigError, match=r"\(0, 24\) is no effector"):
        recover_effectors(solver, body, pose, candidates=[(0, 24)])
    with pytest.raises(ConfigError, match="3 effectors are pinned and 2 are allowed"):
        recover_effectors(solver, body, pose, most=2, pinned=[(0, 0), (0, 1), (0, 2)])
    with pytest.raises(ConfigError, match="most is 0"):
        recover_effectors(solver, body, pose, most=0)
