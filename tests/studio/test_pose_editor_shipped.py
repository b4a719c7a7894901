"""The run that comes with the library, in the editor."""

import torch

from unveil.body import JOINTS, POSITION
from unveil.studio import Folder, PoseEditorState, recover
from unveil.tasks.pose_run import SHIPPED, load_poser

WRIST = JOINTS.index("left_wrist")


def test_the_run_in_the_package_is_small_and_poses_bodies(tmp_path):
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 5_000_000
    model = load_poser(None)
    editor = PoseEditorState(model.body, model, Folder(tmp_path))
    target = editor.actor.joints(model.body)[0][WRIST] + torch.tensor([0.1, 0.3, 0.2])
    editor.move_grip(WRIST, POSITION, target.tolist())
    editor.solve()
    assert torch.dist(editor.actor.joints(model.body)[0][WRIST], target) < 0.005
    assert max(editor.actor.residuals) < 0.01
    recover(editor, 6, 0.005)
    assert 1 <= len(editor.actor.grips) <= 6
