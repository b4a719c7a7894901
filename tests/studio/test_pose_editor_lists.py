"""Bodies in JSON, as the pose editor and the command that solves poses write and read them."""

import json

import pytest
import torch

from unveil.body import JOINTS, POSITION
from unveil.studio import open_file, saved
from unveil.tasks.pose_solve import solve, write_pose


@pytest.fixture
def posed(editor):
    editor.move_grip(JOINTS.index("left_wrist"), POSITION, (0.5, 1.3, 0.3))
    editor.set_beta(2, 1.5)
    editor.set_gender("female")
    editor.solve()
    return editor


@pytest.mark.parametrize("scale", [1.0, 1.2])
def test_the_editor_and_the_command_read_what_the_other_writes(posed, new_editor, tmp_path, scale):
    posed.set_scale(scale)
    posed.set_grip(JOINTS.index("left_ankle"), POSITION, on_floor=True, tolerance=0.004)
    posed.solve()
    (tmp_path / "mine.json").write_bytes(saved(posed, "json"))
    found = solve(tmp_path / "mine.json")
    torch.testing.assert_close(found.pose.betas, posed.actor.pose.betas)
    positions = scale * found.pose.joints(found.body)[0][0]
    for grip, missed in zip(posed.actor.grips, found.missed, strict=True):
        far = float(torch.dist(positions[grip.joint], torch.tensor(grip.place)))
        assert far == pytest.approx(missed, abs=1e-5)
        assert far < 0.02
    write_pose(found.pose, tmp_path / "theirs.json", found.body, found.effectors, scale=found.scale, floor=found.floor)
    other = new_editor()
    open_file(other, "theirs.json", (tmp_path / "theirs.json").read_bytes())
    assert other.actor.scale == scale
    assert other.actor.gender == "female"
    torch.testing.assert_close(other.actor.joints(other.body)[0], positions, atol=1e-5, rtol=0)
    for mine, theirs in zip(posed.actor.grips, other.actor.grips, strict=True):
        assert (theirs.key, theirs.on_floor) == (mine.key, mine.on_floor)
        assert theirs.data == pytest.approx(mine.data, abs=1e-5)
        assert theirs.tolerance == pytest.approx(mine.tolerance)


def test_a_list_that_a_person_wrote_may_leave_out_what_is_as_usual(editor):
    asked = {"betas": [1.5], "effectors": [{"type": "position", "joint": "pelvis", "position": [0, 1, 0]}]}
    open_file(editor, "list.json", json.dumps(asked).encode())
    assert editor.actor.betas.tolist() == [1.5] + [0.0] * 9
    assert len(editor.actor.grips) == 1
