"""What every solver of poses promises: a pose that can be, of the body that was asked for, nearer to what was asked."""

import inspect

import pytest
import torch
from contracts.found import classes_with

from unveil.body import Body, RefiningSolver, effector_residuals, random_bodies
from unveil.body.effectors import Pose, PoseSolver
from unveil.core.random import Streams
from unveil.models.pose_ik import Learning, PoseIK, draw_effectors
from unveil.networks.pose_net import PoseNet


@pytest.fixture(scope="module")
def body():
    return Body.embedded()


def network(body):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PoseIK(PoseNet(32, dropout=0.0), body, Learning())


IMPLEMENTATIONS = {
    PoseIK: network,
    RefiningSolver: lambda body: RefiningSolver(body, steps=6),
}


@pytest.fixture(scope="module", params=IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])
def solver(request, body):
    return request.param(body)


def people(body, number=4):
    """Who they are, and what is asked of them, which some pose can do."""
    drawn = random_bodies(number, Streams(0, number))
    rot, positions = body.place(drawn.pose, drawn.shape, drawn.gender, pelvis=torch.zeros(3))
    return drawn, draw_effectors("release", positions, rot, Streams(1, number))


def miss(body, pose, asked):
    """How far each pose is from what is asked, all of its effectors together."""
    return effector_residuals(asked, *pose.joints(body)).norm(dim=1)


def test_every_solver_is_here():
    found = {kind for kind in classes_with(PoseSolver) if "effectors" in inspect.signature(kind.solve).parameters}
    assert set(IMPLEMENTATIONS) == found


def test_it_gives_a_pose_for_each_body(solver, body):
    drawn, asked = people(body)
    pose = solver.solve(asked, drawn.shape, drawn.gender)
    assert isinstance(pose.checked(), Pose)
    assert len(pose) == 4
    assert torch.equal(pose.betas, drawn.shape)
    assert torch.equal(pose.gender, drawn.gender)
    assert pose.rotations.dtype == drawn.shape.dtype
    assert not pose.rotations.requires_grad


def test_a_pose_does_not_depend_on_its_batch(solver, body):
    drawn, asked = people(body)
    whole = solver.solve(asked, drawn.shape, drawn.gender)
    for i in range(4):
        alone = solver.solve(asked[i : i + 1], drawn.shape[i : i + 1], drawn.gender[i : i + 1])
        torch.testing.assert_close(alone.rotations, whole.rotations[i : i + 1], rtol=0, atol=1e-3)
        torch.testing.assert_close(alone.pelvis, whole.pelvis[i : i + 1], rtol=0, atol=1e-3)


def test_the_same_question_has_the_same_answer(solver, body):
    drawn, asked = people(body)
    first, again = (solver.solve(asked, drawn.shape, drawn.gender) for _ in range(2))
    assert torch.equal(first.rotations, again.rotations)
    assert torch.equal(first.pelvis, again.pelvis)


def test_refining_brings_any_answer_nearer_to_what_was_asked(solver, body):
    drawn, asked = people(body)
    before = miss(body, solver.solve(asked, drawn.shape, drawn.gender), asked)
    after = miss(body, RefiningSolver(body, solver, steps=6).solve(asked, drawn.shape, drawn.gender), asked)
    assert float(after.mean()) <= float(before.mean()) + 1e-6
