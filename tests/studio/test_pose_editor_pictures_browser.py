"""Points are clicked in a picture, in a real browser, and the body comes to lie over the person."""

from functools import partial

import pytest
import torch
from PIL import Image
from studio.browser import PROGRAM, visit

from unveil.body import JOINTS, POSITION
from unveil.body.estimation import USUAL, KeypointFit
from unveil.studio import Folder, PoseEditor, PoseEditorState, fitting
from unveil.tasks.pose_photograph import photograph

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("viser", reason="viser is not installed")


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine"),
]


@pytest.fixture
def new_state(body, tmp_path):
    from studio.conftest import Standing

    return lambda: PoseEditorState(body, Standing(body), Folder(tmp_path))


@pytest.fixture
def taken(new_state, tmp_path):
    """A picture of somebody who raises a hand, and where the points are in it."""
    person = new_state()
    person.move_grip(JOINTS.index("left_wrist"), POSITION, (0.45, 1.4, 0.15))
    person.solve()
    found = photograph(person.actor.pose, size=(300, 240))
    pixels = ((found.picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return found


def test_points_are_clicked_and_the_body_lies_over_the_person(browser, new_state, taken, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "KeypointFit", partial(KeypointFit, iterations=(15, 8, 8)))
    server = PoseEditor(new_state, port=0)
    try:
        visitor = visit(browser, server)
        page, editor, session = visitor.page, visitor.editor, visitor.session
        page.get_by_role("tab", name="Picture", exact=True).click()
        with page.expect_file_chooser(timeout=60_000) as chooser:
            page.get_by_role("button", name="Open a picture", exact=True).click()
        chooser.value.set_files(tmp_path / "photo.png")
        visitor.until(lambda: editor.backdrop is not None)
        visitor.until(lambda: page.locator(".mantine-Notification-root").count() == 0)  # they lie over the picture
        page.get_by_text("Mark points", exact=True).click()
        for count, name in enumerate(USUAL, 1):
            # These words come after the scene was told to listen, and when the point is the one that is next.
            page.get_by_text(f"Click the {name.replace('_', ' ')};").wait_for(timeout=60_000)
            box = visitor.still()
            page.mouse.click(*spot(session, box, taken.points[name]))
            visitor.until(lambda count=count: len(editor.actor.labels.marks) == count)
            found = editor.actor.labels.mark(name)
            assert (found.x, found.y) == pytest.approx(taken.points[name], abs=1.0), name
        focal(page).fill(f"{taken.focal:.0f}")
        page.get_by_role("button", name="Fit the body", exact=True).click()
        visitor.until(lambda: editor.actor.labels.eye is not None)
        visitor.until(lambda: not session.marking)
        box = visitor.still()
        assert editor.actor.labels.camera.focal == pytest.approx(taken.focal, abs=1)
        labels = editor.actor.labels
        for name in ("left_wrist", "right_knee", "left_ankle"):
            place = visitor.joint(JOINTS.index(name))
            x, y = visitor.pixel(place)
            seen = labels.camera.project(torch.tensor(place) - torch.tensor(labels.eye)).tolist()
            assert (x, y) == pytest.approx(spot(session, box, seen), abs=1.0), name
            assert seen == pytest.approx(taken.points[name], abs=15), name  # of a fit that was cut short
    finally:
        server.stop()


def focal(page):
    return page.locator("xpath=//*[normalize-space(text())='Focal length']/following::input[1]")


def spot(session, box, pixel):
    """Where a pixel of the picture is on the page: the picture is whole, in the middle and as large as it can be."""
    left, top, width, height = box
    rows, columns = session.editor.backdrop.size
    share = min(width / columns, height / rows)
    return left + width / 2 + (pixel[0] - columns / 2) * share, top + height / 2 + (pixel[1] - rows / 2) * share
