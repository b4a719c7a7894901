"""What one browser does, on a page that only counts."""

import threading
from unittest.mock import MagicMock

import numpy as np
import pytest

from unveil.body import JOINTS, POSITION
from unveil.studio import open_file, saved
from unveil.studio.backdrop import Backdrop
from unveil.studio.pose_panel import PosePanel
from unveil.studio.session import Session

WRIST, HEAD = JOINTS.index("left_wrist"), JOINTS.index("head")


@pytest.fixture
def session(editor):
    client = MagicMock()
    client.camera.image_width, client.camera.image_height = 1200, 800
    session = Session(client, editor)
    yield session
    session.close()


def test_what_was_undone_while_it_was_dragged_is_let_go(session):
    editor = session.editor
    before = editor.scene
    session._ring_dragged("start", HEAD, np.zeros(3))
    session._ring_dragged("update", HEAD, np.array([0.0, 0.1, 0.0]))
    session.undo()
    for phase in ("update", "update", "end"):
        session._ring_dragged(phase, HEAD, np.array([0.0, 0.2, 0.0]))
        session._gizmo_moved(phase, (WRIST, POSITION), np.array([0.5, 1.0, 0.3]))
    assert session.wait(30)
    assert editor.scene is before
    assert editor.steps == (0, 1)
    session._ring_dragged("start", HEAD, np.zeros(3))
    session._ring_dragged("end", HEAD, np.array([0.0, 0.1, 0.0]))
    assert session.wait(30)
    assert editor.steps == (1, 0)


def test_a_player_that_is_stopped_and_started_at_once_is_one(session):
    session.editor.add_keyframe(0.0)
    session.editor.add_keyframe(5.0)
    others = set(threading.enumerate())
    shown = threading.Event()
    blocked = threading.Event()

    def show(seconds):
        shown.set()
        assert blocked.wait(30)

    session.player.show = show
    session.player.toggle()
    assert shown.wait(30)
    (first,) = set(threading.enumerate()) - others
    session.player.toggle()
    session.player.toggle()
    blocked.set()
    first.join(30)
    assert not first.is_alive()
    assert session.player.playing
    session.player.stop()


def test_the_same_slider_on_another_body_is_another_step(session):
    editor = session.editor
    panel = PosePanel(MagicMock(), session)
    for number in (1, editor.add_body().number):
        editor.choose(number)
        editor.selected = (WRIST, POSITION)
        steps = editor.steps[0]
        for weight in (0.5, 0.6):
            event = MagicMock()
            event.target.value = weight
            panel._changed(event, "weight")
        assert editor.steps[0] == steps + 1


def test_a_picture_lies_behind_a_window_that_is_shut(session):
    backdrop = Backdrop(np.zeros((60, 40, 3), np.uint8), "p.png", (60, 40))
    session.client.camera.image_width = 0
    session.backdrop.show(backdrop, session.editor.actor, "")
    image = session.client.scene.set_background_image.call_args.args[0]
    assert image.shape == (400, 40, 3)


def test_rings_fit_the_body_again_when_the_character_is_taken_off(session, tmp_path):
    editor = session.editor
    editor.set_beta(1, 4.0)  # girth, of which the lengths of limbs do not tell
    open_file(editor, "stout.glb", saved(editor, "glb"))
    session.rings.show(editor.actor, None, True)
    wide = np.array(session.rings._parts["wide"][0].batched_scales)
    editor.undress()
    session.rings.show(editor.actor, None, True)
    assert session.rings._parts["wide"][0].batched_scales.mean() < wide.mean()
