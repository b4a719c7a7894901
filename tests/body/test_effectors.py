"""Effectors: what may be asked of a pose, how it is written, and what is refused and why."""

import math

import pytest
import torch

from unveil.body import JOINTS, LOOK_AT, POSITION, ROTATION, Effectors, Pose, random_bodies
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import euler_to_matrix, matrix_from_6d, matrix_to_6d, matrix_to_quaternion

HEAD = {"type": "position", "joint": "head", "position": [0.0, 1.5, 0.1]}


def parts(n=2, usual=POSITION, **changes):
    made = {
        "kind": torch.full((1, n), usual),
        "joint": torch.arange(n)[None],
        "data": torch.tensor([1.0, 0, 0, 0, 1, 0]).expand(1, n, 6).clone(),
        "tolerance": torch.zeros(1, n),
        "weight": torch.ones(1, n),
    }
    return made | changes


def test_a_list_of_plain_objects_becomes_numbers():
    found = Effectors.of(
        [
            {**HEAD, "tolerance": 0.02, "weight": 0.5},
            {"type": "look_at", "joint": 15, "target": [0, 1, 5], "direction": [0, 0, 2]},
            {"type": "LookAt", "joint": "neck", "target": [0, 1, 5]},
        ]
    )
    assert found.kind.tolist() == [[POSITION, LOOK_AT, LOOK_AT]]
    assert found.joint.tolist() == [[15, 15, 12]]
    torch.testing.assert_close(found.data[0, 0], torch.tensor([0, 1.5, 0.1, 0, 0, 0]))
    torch.testing.assert_close(found.data[0, 1], torch.tensor([0.0, 1, 5, 0, 0, 1]))
    torch.testing.assert_close(found.data[0, 2], found.data[0, 1])
    torch.testing.assert_close(found.tolerance, torch.tensor([[0.02, 0, 0]]))
    torch.testing.assert_close(found.weight, torch.tensor([[0.5, 1, 1]]))


def test_a_rotation_is_the_same_in_every_form():
    degrees = [30.0, -50.0, 70.0]
    rot = euler_to_matrix(torch.tensor(degrees).double() * math.pi / 180, "XYZ")
    forms = [
        {"rotation": rot.tolist()},
        {"rotation": rot.flatten().tolist()},
        {"euler": degrees},
        {"euler": degrees, "order": "xyz"},
        {"quaternion": matrix_to_quaternion(rot).tolist()},
        {"six": matrix_to_6d(rot)},
    ]
    for form in forms:
        found = Effectors.of([{"type": "rotation", "joint": "head", **form}])
        torch.testing.assert_close(matrix_from_6d(found.data[0, 0]), rot.float(), atol=1e-6, rtol=0)
    turned = Effectors.of([{"type": "rotation", "joint": "head", "euler": degrees, "order": "ZYX"}])
    other = euler_to_matrix(torch.tensor(degrees) * math.pi / 180, "ZYX")
    torch.testing.assert_close(matrix_from_6d(turned.data[0, 0]), other, atol=1e-6, rtol=0)


def test_what_is_written_is_read_again():
    found = Effectors.of([HEAD, {"type": "rotation", "joint": "left_wrist", "euler": [1, 2, 3], "weight": 2},
                          {"type": "look-at", "joint": "head", "target": [1, 2, 3], "tolerance": 0.5}])  # fmt: skip
    padded = Effectors.stack([found, Effectors.of([HEAD] * 1), found])[:1]
    for one in (found, padded):
        again = Effectors.of(one.plain())
        for name in ("kind", "joint", "data", "tolerance", "weight"):
            torch.testing.assert_close(getattr(again, name), getattr(found, name))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({**HEAD, "type": "positon"}, r"Effector 1: 'type' is 'positon'; did you mean 'position'"),
        ({**HEAD, "type": 4}, "must be position, rotation or look-at"),
        ({"joint": "head"}, "'type' is None"),
        ({**HEAD, "joint": "left_wirst"}, "Effector 1: There is no joint 'left_wirst'; did you mean left_wrist"),
        ({**HEAD, "joint": 24}, "number from 0 to 23"),
        ({**HEAD, "joint": True}, "number from 0 to 23"),
        ({"type": "position", "joint": "head"}, "'position' is missing"),
        ({**HEAD, "position": [1, 2]}, "3 finite numbers"),
        ({**HEAD, "position": [1, 2, float("nan")]}, "3 finite numbers"),
        ({**HEAD, "position": "here"}, "3 finite numbers"),
        ({**HEAD, "positions": [1, 2, 3]}, "did you mean 'position'"),
        ({**HEAD, "tolerance": -1}, "'tolerance' is -1"),
        ({**HEAD, "weight": float("inf")}, "'weight' is inf"),
        ({"type": "rotation", "joint": "head"}, "given by nothing"),
        ({"type": "rotation", "joint": "head", "euler": [0, 0, 0], "six": [1, 0, 0, 0, 1, 0]}, "euler and six"),
        ({"type": "rotation", "joint": "head", "rotation": [[2, 0, 0], [0, 2, 0], [0, 0, 2]]}, "no rotation"),
        ({"type": "rotation", "joint": "head", "six": [1, 0, 0, 1, 0, 0]}, "no rotation"),
        ({"type": "rotation", "joint": "head", "quaternion": [0, 0, 0, 0]}, "length 0"),
        ({"type": "rotation", "joint": "head", "quaternion": [1, 0, 0, 0], "order": "XYZ"}, "belongs to 'euler'"),
        ({"type": "rotation", "joint": "head", "euler": [1, 2, 3], "order": "ABC"}, "letters X, Y and Z"),
        ({"type": "look-at", "joint": "head", "target": [0, 0, 0], "direction": [0, 0, 0]}, "'direction' is zero"),
        ({"type": "look-at", "joint": "neck", "target": [0, 1.4, 0.1]}, "Effector 1: the target is where effector 0"),
        (HEAD, "Effectors 0 and 1 both give a position to the joint head"),
        ("head", "is no object"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(item, message):
    first = HEAD if item is HEAD or item == "head" else {"type": "position", "joint": "neck", "position": [0, 1.4, 0.1]}
    with pytest.raises(ConfigError, match=message):
        Effectors.of([first, item])


@pytest.mark.parametrize("items", [[], {}, "head", 3])
def test_no_effectors_at_all_are_refused(items):
    with pytest.raises(ConfigError, match=r"effectors|list of objects"):
        Effectors.of(items)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": torch.tensor([[0, 3]])}, r"Effector \[0, 1\] has a kind"),
        ({"joint": torch.tensor([[0, 24]])}, r"Effector \[0, 1\] has no joint"),
        ({"data": torch.tensor([[[0.0] * 6, [math.inf] + [0.0] * 5]])}, r"\[0, 1\] holds numbers"),
        ({"tolerance": torch.tensor([[0.0, -1]])}, r"\[0, 1\] has a tolerance"),
        ({"weight": torch.tensor([[math.nan, 1]])}, r"\[0, 0\] has a weight"),
        ({"kind": torch.tensor([[0, ROTATION]]), "data": torch.ones(1, 2, 6)}, r"\[0, 1\] is a rotation whose"),
        ({"kind": torch.tensor([[0, LOOK_AT]]), "data": torch.zeros(1, 2, 6)}, r"\[0, 1\] looks in a direction"),
    ],
)
def test_numbers_that_cannot_be_are_named_by_row_and_place(changes, message):
    with pytest.raises(ConfigError, match=message):
        Effectors(**parts(**changes))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\(B, N\)"):
        Effectors(**parts(data=torch.zeros(1, 2, 3)))
    with pytest.raises(ShapeError, match=r"\(B, 24, 3, 3\)"):
        Pose(torch.eye(3).expand(1, 22, 3, 3), torch.zeros(1, 3), torch.zeros(1, 10), torch.zeros(1))


def test_nearly_right_rotations_and_directions_are_made_exact():
    nearly = torch.tensor([[[1.002, 0, 0, 0.003, 1, 0]]])
    exact = Effectors(**parts(1, ROTATION, data=nearly)).data[0, 0]
    torch.testing.assert_close(exact, torch.tensor([1.0, 0, 0, 0, 1, 0]))
    look = Effectors(**parts(1, LOOK_AT, data=torch.tensor([[[0.0, 0, 1, 0, 3, 4]]])))
    torch.testing.assert_close(look.data[0, 0, 3:], torch.tensor([0, 0.6, 0.8]))


def test_effectors_of_a_pose_are_what_the_pose_does(body):
    drawn = random_bodies(3, torch.Generator().manual_seed(0))
    pose = Pose(drawn.pose, torch.randn(3, 3), drawn.shape, drawn.gender).checked()
    positions, rot = pose.joints(body)
    found = Effectors.of_pose(torch.tensor([0, 1, 2]), torch.tensor([20, 15, 15]), positions, rot)
    torch.testing.assert_close(found.data[:, 0, :3], positions[:, 20])
    torch.testing.assert_close(matrix_from_6d(found.data[:, 1]), rot[:, 15])
    aim = (rot[:, 15] @ found.data[:, 2, 3:, None]).squeeze(-1)
    torch.testing.assert_close(aim, found.data[:, 2, :3] - positions[:, 15], atol=1e-5, rtol=0)
    torch.testing.assert_close(positions[:, 0], pose.pelvis)


def test_stacks_are_filled_with_effectors_that_do_not_count():
    two = Effectors.of([HEAD, {**HEAD, "joint": "pelvis", "weight": 3, "position": [0, 0.5, 0.1]}])
    stacked = Effectors.stack([two, two.select([0])])
    assert (len(stacked), stacked.number) == (2, 2)
    assert stacked.weight.tolist() == [[1, 3], [1, 0]]
    torch.testing.assert_close(stacked.centre(), torch.tensor([[0, 0.75, 0.1], [0, 1.5, 0.1]]))
    assert len(stacked.plain(1)) == 1
    assert stacked[1:].plain() == two.select([0]).plain()


def test_without_a_position_nothing_says_where_the_body_is():
    turn = Effectors.of([{"type": "rotation", "joint": "head", "euler": [0, 0, 0]}])
    with pytest.raises(ConfigError, match=r"The effectors hold no position.* Add one"):
        turn.centre()
    with pytest.raises(ConfigError, match="pose 1 hold no position"):
        Effectors.stack([Effectors.of([HEAD]), Effectors.of([{**HEAD, "weight": 0}])]).centre()


def test_a_body_at_rest_stands_where_its_shape_says(body):
    betas, gender = torch.randn(2, 10), torch.tensor([0, 1])
    rest = Pose.rest(body, betas, gender)
    torch.testing.assert_close(rest.joints(body)[0], body.rest_joints(betas, gender), atol=1e-6, rtol=0)
    assert len(rest[1:].joints(body)[0]) == 1 < len(JOINTS)
