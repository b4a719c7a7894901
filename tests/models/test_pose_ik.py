import math

import pytest
import torch

from unveil.body import Body, mirror_pose, random_bodies, random_poses
from unveil.body.effectors import Effectors
from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.geometry import matrix_from_6d
from unveil.models.pose_ik import Learning, PoseIK, draw_effectors
from unveil.models.pose_ik.drawing import Asked, Counts, ask, draw_joints
from unveil.models.pose_ik.losses import Placed, pose_loss
from unveil.networks.pose_net import PoseNet


@pytest.fixture(scope="module")
def body():
    return Body.embedded()


def small(body, seed=0, **learning):
    torch.manual_seed(seed)
    return PoseIK(PoseNet(64, dropout=0.0), body, Learning(**learning))


def people(body, number=4, seed=0):
    """Poses of people, what is asked of them, and who they are."""
    drawn = random_bodies(number, Streams(seed, number))
    rot, positions = body.place(drawn.pose, drawn.shape, drawn.gender, pelvis=torch.zeros(3))
    return drawn, draw_effectors("release", positions, rot, Streams(seed + 1, number))


def test_a_solution_is_a_pose_whose_bones_are_the_body_s(body):
    model, (drawn, asked) = small(body), people(body)
    made = model.solve(asked, drawn.shape, drawn.gender)
    made.checked()
    positions, _ = made.joints(body)
    rest = body.rest_joints(drawn.shape, drawn.gender)
    for child, parent in ((4, 1), (18, 16), (15, 12)):
        length = (positions[:, child] - positions[:, parent]).norm(dim=-1)
        torch.testing.assert_close(length, (rest[:, child] - rest[:, parent]).norm(dim=-1), atol=1e-5, rtol=0)
    assert made.rotations.requires_grad is False
    made.rotations.clone().requires_grad_().sum().backward()  # it is no inference tensor


def test_the_joints_are_those_of_the_rotations_with_the_pelvis_of_the_draft(body):
    model, (drawn, asked) = small(body), people(body)
    solved = model(asked, drawn.shape, drawn.gender)
    told = torch.cat([drawn.shape, torch.nn.functional.one_hot(drawn.gender, 3)], 1)
    _, six = model.net(asked.kind, asked.joint, asked.data, asked.tolerance, asked.weight, told)
    rot, positions = body.place(matrix_from_6d(six), drawn.shape, drawn.gender, pelvis=solved.draft[:, 0])
    torch.testing.assert_close(solved.pose.positions, positions, atol=1e-5, rtol=0)
    torch.testing.assert_close(solved.pose.world, rot, atol=1e-5, rtol=0)


def test_shape_and_gender_change_the_answer(body):
    model, (drawn, asked) = small(body), people(body)
    made = model.solve(asked, drawn.shape, drawn.gender)
    for other in (
        model.solve(asked, drawn.shape + 1, drawn.gender),
        model.solve(asked, drawn.shape, (drawn.gender + 1) % 3),
    ):
        assert (made.rotations - other.rotations).abs().max() > 1e-4


def test_one_alone_is_solved_as_among_others_and_elsewhere_as_here(body):
    model, (drawn, asked) = small(body), people(body)
    made = model.solve(asked, drawn.shape, drawn.gender)
    one = slice(2, 3)
    alone = model.solve(asked[one], drawn.shape[one], drawn.gender[one])
    torch.testing.assert_close(alone.rotations, made.rotations[one], atol=1e-5, rtol=0)
    shift = torch.tensor([3.0, -7.0, 100.0])
    there = Effectors(
        asked.kind, asked.joint,
        torch.cat([asked.data[..., :3] + shift * (asked.kind != 1)[..., None], asked.data[..., 3:]], -1),
        asked.tolerance, asked.weight,
    )  # fmt: skip
    moved = model.solve(there, drawn.shape, drawn.gender)
    torch.testing.assert_close(moved.pelvis - shift, made.pelvis, atol=1e-3, rtol=0)
    torch.testing.assert_close(moved.rotations, made.rotations, atol=1e-4, rtol=0)


def test_an_anchor_stands_in_for_positions(body):
    model = small(body)
    turned = {"type": "rotation", "joint": "head", "euler": [0, 40, 0]}
    pelvis = {"type": "position", "joint": "pelvis", "position": [1.0, 0.9, 2.0]}
    both = Effectors.stack([Effectors.of([turned]), Effectors.of([turned, pelvis])])
    who = torch.zeros(2, 10), torch.tensor([2, 2])
    with pytest.raises(ConfigError, match="no position"):
        model.solve(both, *who)
    made = model.solve(both, *who, anchor=torch.tensor([1.0, 0.9, 2.0]))
    torch.testing.assert_close(made.rotations[0], made.rotations[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(made.pelvis[0], made.pelvis[1], atol=1e-5, rtol=0)


def test_what_does_not_fit_is_refused(body):
    model, (drawn, asked) = small(body), people(body)
    with pytest.raises(ShapeError, match="Effectors of 4 poses"):
        model.solve(asked, drawn.shape[:3], drawn.gender)
    with pytest.warns(UserWarning, match="no longer human"):
        model.solve(asked, drawn.shape + 9, drawn.gender)
    with pytest.raises(ConfigError, match="told 11"):
        PoseIK(PoseNet(8, told=11), body)
    for wrong in ({"loss": "other"}, {"bodies": "none"}, {"least": 9, "most": 3}, {"positions": 0}, {"spread": -1}):
        with pytest.raises(ConfigError):
            Learning(**wrong)


def test_weights_know_their_body_and_hold_none(body):
    model = small(body)
    assert sum(value.numel() for value in model.state_dict().values()) == sum(p.numel() for p in model.parameters()) + 8
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    with pytest.warns(UserWarning, match="another body"):
        model.load_state_dict(state | {"trained_with": state["trained_with"] + 1})


# -- training ---------------------------------------------------------------------------------------------------------


def asked_of(body, counts=(4, 3, 2), number=5):
    counts = Counts(*counts)
    drawn = random_bodies(number, Streams(0, number))
    rot, positions = body.place(drawn.pose, drawn.shape, drawn.gender, pelvis=torch.zeros(3))
    return ask(positions, rot, draw_joints(Streams(1, number), counts), counts, Streams(2, number)), Placed(
        drawn.pose, rot, positions
    )


@pytest.mark.parametrize("kind", ["protores", "release"])
def test_the_truth_costs_nothing(body, kind):
    asked, truth = asked_of(body)
    loss, parts = pose_loss(kind, asked, truth, truth.positions, truth)
    assert float(loss) < 1e-2  # angles near 0 are told to some thousandths
    names = {"asked", "local", "world", "looks"}
    assert set(parts) == (names | {"draft", "joints"} if kind == "protores" else names)


def test_a_shift_costs_its_square_and_a_turn_its_angle(body):
    asked, truth = asked_of(body)
    shifted = truth.positions + torch.tensor([0.3, 0.0, 0.0])
    _, parts = pose_loss("protores", asked, truth, shifted, truth)
    assert float(parts["draft"]) == pytest.approx(2 * 100 * 0.09 / 3, rel=1e-4)
    assert float(parts["joints"]) < 1e-6
    angle = 0.4
    turn = torch.tensor([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    _, parts = pose_loss("release", asked, truth, shifted, truth._replace(world=turn @ truth.world))
    assert float(parts["world"]) == pytest.approx(angle, rel=1e-3)
    _, parts = pose_loss("release", asked, truth, shifted, truth._replace(rotations=truth.rotations @ turn))
    assert float(parts["local"]) == pytest.approx(angle, rel=1e-3)


def test_what_is_asked_exactly_counts_most(body):
    asked, truth = asked_of(body, (2, 0, 0))
    tolerance = torch.tensor([[0.0, 0.1]]).expand(5, -1)  # weights of 1000 and of 10
    wrong = truth.positions.clone()
    wrong[torch.arange(5), asked.joint[:, 1]] += torch.tensor([0.3, 0.0, 0.0])
    _, parts = pose_loss("release", asked._replace(tolerance=tolerance), truth, wrong, truth._replace(positions=wrong))
    assert float(parts["asked"]) == pytest.approx(100 * 0.03 * 10 / 1010, rel=1e-3)


def test_a_step_depends_on_nothing_but_its_streams(body):
    model, poses = small(body).train(), random_poses(6, Streams(0, 6))
    first, again, other = (model.loss(poses, Streams(seed, 6))[0].item() for seed in (3, 3, 4))
    assert first == again != other


def test_bodies_are_drawn_varied_or_given(body):
    pose, betas, gender = random_poses(300, Streams(0, 300)), torch.full((300, 10), 2.0), torch.zeros(300).long()
    for how, mean, spread in (("drawn", 0.0, 1.0), ("varied", 2.0, 1.0), ("given", 2.0, 0.0)):
        made, genders = small(body, bodies=how)._bodies(pose, Streams(1, 300), betas, gender)
        assert float(made.mean()) == pytest.approx(mean, abs=0.1)
        assert float(made.std()) == pytest.approx(spread, abs=0.05)
        assert len(genders.unique()) == (1 if how == "given" else 3)
    with pytest.raises(ConfigError, match=r"bodies=drawn"):
        small(body, bodies="given").loss(pose, Streams(1, 300))


def test_poses_are_mirrored_and_turned(body):
    pose = random_poses(1, Streams(0, 1)).expand(400, -1, -1, -1)
    only_mirrored = small(body, turn=False)._moved(pose, Streams(1, 400))
    same, other = ((only_mirrored - kind).abs().amax((1, 2, 3)) < 1e-6 for kind in (pose, mirror_pose(pose)))
    assert bool((same ^ other).all())
    assert 140 < int(same.sum()) < 260
    only_turned = small(body, mirror=False)._moved(pose, Streams(1, 400))
    torch.testing.assert_close(only_turned[:, 1:], pose[:, 1:])
    turn = only_turned[:, 0] @ pose[:, 0].transpose(1, 2)
    torch.testing.assert_close(turn[:, 1], torch.tensor([0.0, 1.0, 0.0]).expand(400, -1), atol=1e-5, rtol=0)
    assert float(turn[:, 0, 0].mean().abs()) < 0.15  # all ways alike
    assert torch.equal(small(body, mirror=False, turn=False)._moved(pose, Streams(1, 400)), pose)


@pytest.mark.parametrize("loss", ["protores", "release"])
def test_a_step_lowers_the_loss(body, loss):
    model, poses = small(body, loss=loss).train(), random_poses(32, Streams(0, 32))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
    (move,) = model.moves(Batch(poses, generator=Streams(1, 32)))
    move.loss.backward()
    optimizer.step()
    (after,) = model.moves(Batch(poses, generator=Streams(1, 32)))
    assert float(after.loss.detach()) < float(move.loss.detach())


def test_training_lowers_loss_and_error(body):
    poses = random_poses(512, Streams(0, 512))
    model = small(body).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses, errors = [], []
    for step in range(200):
        rows = torch.arange(step * 64, (step + 1) * 64) % 512
        loss, logs = model.loss(poses[rows], Streams(step, 64))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        losses.append(loss.item())
        errors.append(logs["mpjpe"].item())
    assert sum(losses[-25:]) < 0.7 * sum(losses[:25])
    assert sum(errors[-25:]) < 0.9 * sum(errors[:25])


def test_the_only_stage(body):
    (stage,) = small(body).stages({"train": 7})
    assert (stage.name, stage.steps, stage.shown) == ("train", 7, ("mpjpe",))


def test_places_of_asked_follow_one_another():
    asked = Asked(Counts(2, 3, 1), *(torch.zeros(1, 6) for _ in range(5)))
    rows = list(range(6))
    assert [rows[part] for part in (asked.positions, asked.rotations, asked.looks)] == [[0, 1], [2, 3, 4], [5]]


def test_a_tolerance_it_never_learned_with_is_taken_as_the_largest(body):
    model = small(body, spread=0.1)
    wishes = [
        {"type": "position", "joint": name, "position": [0.1 * n, 1, 0]} for n, name in enumerate(("head", "pelvis"))
    ]

    def solved(tolerance):
        asked = Effectors.of([wishes[0], {**wishes[1], "tolerance": tolerance}])
        return model.solve(asked, torch.zeros(1, 10), torch.tensor([2])).rotations

    torch.testing.assert_close(solved(100.0), solved(0.1))
    assert not torch.allclose(solved(0.0), solved(0.1))
