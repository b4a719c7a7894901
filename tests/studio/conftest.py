"""Editors without a trained run: every pose is refined from standing."""

import pytest
from studio.browser import launch

from unveil.body import Body, Pose, angles_to_pose, key_poses
from unveil.studio import Folder, PoseEditorState


class Standing:
    """Proposes that everybody stands, with the mean of their joints where that of the positions is."""

    def __init__(self, body):
        self.body = body

    def solve(self, effectors, betas, gender):
        rotations = angles_to_pose(key_poses()["stand"]).expand(len(betas), -1, -1, -1)
        still = Pose(rotations, effectors.centre(), betas, gender)
        positions, _ = still.joints(self.body)
        asked = positions.gather(1, effectors.joint[..., None].expand(-1, -1, 3))
        weight = (effectors.weight * (effectors.kind == 0))[..., None]
        away = ((effectors.data[..., :3] - asked) * weight).sum(1) / weight.sum(1)
        return Pose(rotations, still.pelvis + away, betas, gender)


@pytest.fixture(scope="session")
def body(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return Body.embedded()


@pytest.fixture(scope="module")
def browser():
    """A real one, for the tests of a file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def new_editor(body, tmp_path):
    """A function that makes editors which share one folder."""
    return lambda: PoseEditorState(body, Standing(body), Folder(tmp_path / "poses"))


@pytest.fixture
def editor(new_editor):
    return new_editor()
