"""What a pose editor does, without a page."""

from itertools import pairwise
from math import pi

import pytest
import torch

from unveil.body import JOINTS, LOOK_AT, MIRROR, POSITION, ROTATION
from unveil.body.pose_json import effectors_of
from unveil.core.errors import ConfigError
from unveil.geometry import angle_between, axis_angle_to_matrix, geodesic_distance
from unveil.studio import Grip

WRIST = JOINTS.index("left_wrist")
ANKLE = JOINTS.index("left_ankle")
HEAD = JOINTS.index("head")


def numbers(scene):
    """Everything that a scene holds, as bits."""
    found = [scene.chosen]
    for actor in scene.actors:
        tensors = (actor.pose.rotations, actor.pose.pelvis, actor.pose.betas, actor.pose.gender)
        found += [actor.number, actor.name, actor.scale, actor.grips, actor.frame]
        found += [tensor.numpy().tobytes() for tensor in tensors]
        found += [key.rotations.numpy().tobytes() for key in actor.keyframes]
    return found


def place(editor, joint=WRIST):
    return editor.actor.joints(editor.body)[0][joint]


def test_a_body_stands_on_the_floor_and_is_held_by_six_positions(editor):
    assert [grip.kind for grip in editor.actor.grips] == [POSITION] * 6
    assert float(editor.actor.vertices(editor.body)[:, 1].min()) == pytest.approx(0, abs=0.02)
    assert max(editor.actor.residuals) < 0.01


def test_dragging_a_wrist_brings_it_there_and_few_steps_bring_it_nearer(editor):
    target = place(editor) + torch.tensor([0.1, 0.25, 0.2])
    before = torch.dist(place(editor), target)
    editor.start_drag()
    editor.move_grip(WRIST, POSITION, target.tolist())
    editor.solve()
    dragged = torch.dist(place(editor), target)
    editor.end_drag()
    editor.solve()
    assert dragged < 0.3 * before
    assert torch.dist(place(editor), target) < 0.003
    lengths = editor.body.skeleton(editor.actor.betas, editor.actor.gender).lengths
    assert torch.allclose((place(editor) - place(editor, JOINTS.index("left_elbow"))).norm(), lengths[WRIST], atol=1e-5)


def test_undo_and_redo_restore_every_bit(editor):
    seen = [numbers(editor.scene)]
    changes = (
        lambda: editor.move_grip(WRIST, POSITION, (0.5, 1.2, 0.3)),
        lambda: editor.set_beta(1, 2.5),
        lambda: editor.set_gender("female"),
        lambda: editor.add_grip(HEAD, LOOK_AT),
        lambda: editor.turn_grip(HEAD, ROTATION, axis_angle_to_matrix(torch.tensor([0.0, 0.4, 0.0]))),
        lambda: editor.set_grip(ANKLE, POSITION, weight=0.5, tolerance=0.02),
        lambda: editor.add_keyframe(0.5),
        lambda: editor.set_scale(1.2),
        editor.mirror,
        editor.add_body,
        lambda: editor.remove_body(1),
    )
    editor.add_grip(HEAD, ROTATION)
    seen.append(numbers(editor.scene))
    for change in changes:
        change()
        editor.solve()
        seen.append(numbers(editor.scene))
    for before in reversed(seen[:-1]):
        assert editor.undo()
        assert numbers(editor.scene) == before
    assert not editor.undo()
    for after in seen[1:]:
        assert editor.redo()
        assert numbers(editor.scene) == after
    assert not editor.redo()


def test_a_drag_is_one_step_and_a_slider_too(editor):
    before = numbers(editor.scene)
    editor.start_drag()
    for i in range(5):
        editor.move_grip(WRIST, POSITION, (0.4, 1.0 + 0.05 * i, 0.3))
        editor.solve()
    editor.end_drag()
    editor.solve()
    assert editor.steps == (1, 0)
    for value in (0.5, 1.0, 1.5):
        editor.set_beta(3, value)
    assert editor.steps == (2, 0)
    editor.set_beta(4, 1.0)
    assert editor.steps == (3, 0)
    for _ in range(3):
        editor.undo()
    assert numbers(editor.scene) == before


def test_a_hundred_steps_are_kept(editor):
    for i in range(130):
        editor.move_grip(WRIST, POSITION, (0.4, 0.8 + 0.001 * i, 0.1))
    assert editor.steps == (100, 0)


def test_a_pose_found_too_late_does_not_disturb_what_was_undone(editor):
    before = numbers(editor.scene)
    editor.move_grip(WRIST, POSITION, (0.5, 1.3, 0.2))
    editor.desk.want()
    job = editor.desk.next_job()
    result = editor.solving(job.actor, job.steps)
    editor.undo()
    assert not editor.desk.found(job, result)
    assert numbers(editor.scene) == before
    assert editor.desk.next_job() is None


def test_only_the_newest_state_is_found(editor):
    for height in (1.0, 1.1, 1.2):
        editor.move_grip(WRIST, POSITION, (0.4, height, 0.3))
        editor.desk.want()
    assert editor.desk.next_job().actor.grip(WRIST, POSITION).place == (0.4, 1.2, 0.3)
    assert editor.desk.next_job() is None


def test_what_was_dragged_out_of_reach_comes_back_to_the_hand(editor):
    editor.selected = (WRIST, POSITION)
    for joint in (JOINTS.index("pelvis"), ANKLE, MIRROR[ANKLE]):
        editor.set_grip(joint, POSITION, weight=20.0)
    editor.start_drag()
    editor.move_grip(WRIST, POSITION, (3.0, 1.4, 0.0))
    editor.end_drag()
    editor.solve()
    editor.settle()
    assert editor.short[0] == (WRIST, POSITION)
    assert editor.short[1] > 1
    assert torch.dist(place(editor), torch.tensor(editor.actor.grip(WRIST, POSITION).place)) < 1e-6
    assert editor.actor.residual((WRIST, POSITION)) == 0
    editor.undo()
    assert editor.short is None


def test_rotations_and_looks_are_obeyed(editor):
    turn = axis_angle_to_matrix(torch.tensor([0.2, 0.3, 0.0]))
    editor.add_grip(HEAD, ROTATION)
    editor.turn_grip(HEAD, ROTATION, turn)
    editor.solve()
    assert geodesic_distance(editor.actor.joints(editor.body)[1][HEAD], turn) < 0.02
    editor.remove_grip(HEAD, ROTATION)
    editor.add_grip(HEAD, LOOK_AT)
    target = torch.tensor([1.0, 1.2, 2.0])
    editor.move_grip(HEAD, LOOK_AT, target.tolist())
    editor.solve()
    positions, rotations = editor.actor.joints(editor.body)
    assert angle_between(rotations[HEAD, :, 2], target - positions[HEAD]) < 0.03


def test_clicks_hold_select_and_let_go(editor):
    knee = JOINTS.index("left_knee")
    before = editor.actor.pose
    editor.click(knee)
    assert editor.selected == (knee, POSITION)
    assert editor.actor.pose is before
    editor.click(WRIST)
    assert editor.selected == (WRIST, POSITION)
    editor.click(knee)
    assert editor.actor.grip(knee, POSITION) is not None
    editor.click(knee)
    assert editor.actor.grip(knee, POSITION) is None
    assert editor.selected is None


def test_a_foot_on_the_floor_stays_there(editor):
    editor.move_grip(ANKLE, POSITION, (0.2, 0.6, 0.2))
    editor.set_grip(ANKLE, POSITION, on_floor=True)
    height = editor.actor.grip(ANKLE, POSITION).place[1]
    rest = editor.body.rest_joints(torch.zeros(10), "neutral")
    sole = editor.body.rest_vertices(torch.zeros(10), "neutral")[:, 1].min()
    assert height == pytest.approx(float(rest[ANKLE, 1] - sole))
    editor.move_grip(ANKLE, POSITION, (0.3, 0.9, 0.1))
    assert editor.actor.grip(ANKLE, POSITION).place == pytest.approx((0.3, height, 0.1))
    editor.add_grip(HEAD, ROTATION)
    with pytest.raises(ConfigError, match="Only a position"):
        editor.set_grip(HEAD, ROTATION, on_floor=True)


def test_a_mirror_swaps_the_sides_and_twice_gives_the_pose_again(editor):
    editor.add_grip(WRIST, ROTATION)
    editor.add_grip(HEAD, LOOK_AT)
    editor.move_grip(WRIST, POSITION, (0.5, 1.3, 0.3))
    editor.move_grip(HEAD, LOOK_AT, (0.8, 1.2, 1.0))
    editor.solve()
    pose, grips = editor.actor.pose, {grip.key: grip for grip in editor.actor.grips}
    x = float(pose.pelvis[0, 0])
    left = place(editor)
    editor.mirror()
    right = place(editor, MIRROR[WRIST])
    assert torch.allclose(right, left * torch.tensor([-1.0, 1, 1]) + torch.tensor([2 * x, 0, 0]), atol=2e-3)
    positions, rotations = editor.actor.joints(editor.body)
    assert geodesic_distance(editor.actor.grip(MIRROR[WRIST], ROTATION).rotation(), rotations[MIRROR[WRIST]]) < 0.1
    target = torch.tensor(editor.actor.grip(HEAD, LOOK_AT).place)
    assert angle_between(rotations[HEAD, :, 2], target - positions[HEAD]) < 0.05
    editor.mirror()
    assert torch.allclose(editor.actor.pose.rotations, pose.rotations, atol=1e-6)
    for grip in editor.actor.grips:
        assert grip.data == pytest.approx(grips[grip.key].data, abs=1e-6)


def test_a_shape_keeps_what_holds_the_body(editor):
    wrist = place(editor)
    editor.set_beta(0, 3.0)
    editor.solve()
    assert torch.dist(place(editor), wrist) < 0.005
    lengths = editor.body.skeleton(editor.actor.betas, "neutral").lengths
    assert lengths.sum() > editor.body.skeleton(torch.zeros(10), "neutral").lengths.sum() * 1.05


def test_a_body_of_another_size_obeys_in_the_scenes_metres(editor):
    editor.set_scale(0.5)
    editor.clear_grips()
    for name in ("pelvis", "left_wrist", "left_ankle", "right_ankle"):
        editor.add_grip(JOINTS.index(name))
    target = place(editor) + torch.tensor([0.05, 0.1, 0.1])
    editor.move_grip(WRIST, POSITION, target.tolist())
    editor.solve()
    assert torch.dist(place(editor), target) < 0.003


def test_a_tolerance_is_of_the_scenes_metres_too():
    grips = Grip(POSITION, WRIST, (1.0, 1.0, 1.0, 0.0, 0.0, 0.0), 0.05), Grip(ROTATION, 0, (1.0, 0, 0, 0, 1, 0), 0.05)
    effectors = effectors_of([grip.row() for grip in grips], 0.5)
    assert effectors.tolerance.tolist() == [[pytest.approx(0.1), pytest.approx(0.05)]]
    assert effectors.data[0, 0, :3].tolist() == [2.0, 2.0, 2.0]


def test_a_look_keeps_its_direction_when_the_pose_comes_from_elsewhere(editor):
    side = Grip(LOOK_AT, HEAD, (1.0, 1.6, 0.0, 1.0, 0.0, 0.0), 0.1, 0.5)
    actor = editor.actor.with_grip(side).snapped(editor.body)
    positions, rotations = actor.joints(editor.body)
    found = actor.grip(HEAD, LOOK_AT)
    assert found.data[3:] == side.data[3:]
    assert found.place == pytest.approx((positions[HEAD] + rotations[HEAD, :, 0]).tolist())
    assert (found.tolerance, found.weight) == (0.1, 0.5)


def test_turns_alone_leave_the_body_where_it_is(editor):
    editor.clear_grips()
    pelvis = place(editor, 0)
    editor.add_grip(0, ROTATION)
    editor.turn_grip(0, ROTATION, axis_angle_to_matrix(torch.tensor([0.0, pi / 2, 0.0])))
    editor.solve()
    assert torch.dist(place(editor, 0), pelvis) < 1e-3


def test_bodies_come_and_go_and_one_stays(editor):
    second = editor.add_body("male")
    assert editor.actor is second
    assert abs(float(second.pose.pelvis[0, 0] - editor.scene.find(1).pose.pelvis[0, 0])) >= 0.9
    pose = editor.scene.find(1).pose
    editor.move_grip(WRIST, POSITION, (1.5, 1.2, 0.2))
    editor.solve()
    assert editor.scene.find(1).pose is pose
    editor.choose(1)
    assert editor.actor.number == 1
    editor.remove_body()
    with pytest.raises(ConfigError, match="last body"):
        editor.remove_body()
    for _ in range(7):
        editor.add_body()
    places = sorted(float(actor.pose.pelvis[0, 0]) for actor in editor.scene.actors)
    assert min(b - a for a, b in pairwise(places)) > 0.8  # nobody stands in another
    assert max(abs(x) for x in places) < 5  # on either side of the middle
    with pytest.raises(ConfigError, match="at most 8"):
        editor.add_body()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.move_grip(WRIST, POSITION, (float("nan"), 0, 0)), "finite"),
        (lambda e: e.move_grip(WRIST, POSITION, (1e6, 0, 0)), "100 m away"),
        (lambda e: e.move_grip(JOINTS.index("spine1"), POSITION, (0, 0, 0)), "add it first"),
        (lambda e: e.set_grip(WRIST, POSITION, weight=-1.0), "0 or more"),
        (lambda e: e.set_grip(WRIST, POSITION, joint=3), "no joint to set"),
        (lambda e: e.set_beta(0, 9.0), "from -5 to 5"),
        (lambda e: e.set_scale(9.0), "from 0.2 to 2"),
        (lambda e: e.set_gender("nobody"), "gender"),
        (lambda e: e.show_frame(3), "no motion"),
        (lambda e: e.add_keyframe(-1.0), "from 0 to 600"),
        (lambda e: e.show_time(1.0), "no keyframes"),
        (lambda e: e.choose(7), "no body 7"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(editor, change, words):
    before = numbers(editor.scene)
    with pytest.raises(ConfigError, match=words):
        change(editor)
    assert numbers(editor.scene) == before
    assert editor.steps == (0, 0)
