"""One browser: its own editor, its own view, and the thread that keeps the two together."""

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from unveil.body.effector_lists import KINDS, POSITION, ROTATION
from unveil.body.joints import JOINTS
from unveil.core.errors import UnveilError
from unveil.studio.backdrop_view import BackdropView
from unveil.studio.bodies_view import BodiesView
from unveil.studio.gizmos_view import GizmosView, Key, Phase
from unveil.studio.latest import Latest
from unveil.studio.playing import Player
from unveil.studio.rings_view import RingsView
from unveil.studio.state import PoseEditorState


class Session:
    """What one browser sees and does; nothing of it is shared with another but the trained solver and the folder.

    What a hand does is stored at once, and one thread finds the pose of the newest state and draws it; states that came and
    went in between are never solved.

    Args:
        client: the browser, as viser knows it.
        editor: its own.
    """

    def __init__(self, client: Any, editor: PoseEditorState) -> None:
        self.client, self.editor = client, editor
        self.gizmos_everywhere = False
        self.rings_visible = True
        self.refreshers: list[Callable[[], None]] = []
        self.look: Callable[[str], None] = lambda where: None  # from where, in the words of the panel of the scene
        self._grabbed: np.ndarray | None = None
        self.marking, self.point = False, ""
        self._hidden = False
        self.backdrop = BackdropView(client)
        self.bodies = BodiesView(client.scene, editor.body, self._body_clicked)
        self.rings = RingsView(client.scene, editor.body, self._ring_clicked, self._ring_dragged)
        self.gizmos = GizmosView(client.scene, self._gizmo_moved, self._select)
        self._latest = Latest(self._work, self._failed)
        self.player = Player(self)
        client.camera.on_update(self._seen_from)

    # -- what happens on the page -------------------------------------------------------------------------------------

    def do(self, work: Callable[[], object], solve: bool = False) -> bool:
        """Do something a person asked for; a mistake becomes a sentence on the page.

        Args:
            work: what to do.
            solve: whether the pose is to be found anew.

        Returns:
            Whether it was done.
        """
        try:
            work()
        except UnveilError as error:
            self.tell(str(error), wrong=True)
            self.ask()
            return False
        except Exception as error:
            self._failed(error)
            return False
        self.ask(solve)
        return True

    def ask(self, solve: bool = False) -> None:
        """Have the page brought up to date."""
        if solve:
            self.editor.desk.want()
        self._latest.ask()

    def tell(self, sentence: str, *, wrong: bool = False) -> None:
        """Show a sentence for a while."""
        self.client.add_notification(
            "That cannot be done" if wrong else "Done",
            sentence,
            color="red" if wrong else "green",
            auto_close_seconds=12 if wrong else 5,
        )

    def choose(self, number: int) -> None:
        """Edit another body."""
        self.do(lambda: self.editor.choose(number))

    def undo(self) -> None:
        """Go back one step."""
        self.player.stop()
        self._go(self.editor.undo, "There is nothing to undo.")

    def redo(self) -> None:
        """Go forward one step."""
        self.player.stop()
        self._go(self.editor.redo, "There is nothing to redo.")

    def _go(self, step: Callable[[], bool], otherwise: str) -> None:
        def gone() -> None:
            if not step():
                self.tell(otherwise)

        self.do(gone)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the page is up to date; false if that took too long."""
        return self._latest.wait(seconds)

    def close(self) -> None:
        """The browser is gone."""
        self.player.stop()
        self._latest.close()

    # -- hands --------------------------------------------------------------------------------------------------------

    def _body_clicked(self, number: int) -> None:
        if not self.marking:  # hidden bodies are not clicked
            self.choose(number)

    def _ring_clicked(self, joint: int) -> None:
        if not self.marking:
            self.do(lambda: self.editor.click(joint), solve=True)

    def _let_go(self, phase: Phase) -> bool:
        """Whether nothing is done of a drag: points are marked, or it was undone before the hand let go."""
        return self.marking or (phase != "start" and not self.editor.desk.dragging)

    def _ring_dragged(self, phase: Phase, joint: int, way: np.ndarray) -> None:
        if self._let_go(phase):
            return
        editor = self.editor

        def drag() -> None:
            if phase == "start":
                self.player.stop()
                editor.start_drag()
                self._grabbed = np.array(editor.add_grip(joint, POSITION).place)
            elif self._grabbed is not None:
                editor.move_grip(joint, POSITION, self._grabbed + way)
            if phase == "end":
                editor.end_drag()
                self._grabbed = None

        self.do(drag, solve=True)

    def _select(self, key: Key) -> None:
        if not self.marking:
            self.editor.selected = key
            self.ask()

    def _gizmo_moved(self, phase: Phase, key: Key, where: Any) -> None:
        if self._let_go(phase):
            return
        editor = self.editor

        def move() -> None:
            if phase == "start":
                self.player.stop()
                editor.start_drag()
                editor.selected = key
            elif key[1] == ROTATION:
                editor.turn_grip(*key, where)
            else:
                editor.move_grip(*key, where)
            if phase == "end":
                editor.end_drag()

        self.do(move, solve=True)

    async def _seen_from(self, _: Any) -> None:
        """A page of another form shows the picture with other bars, and arrows that point at the viewer are left out."""
        if self.backdrop.stale or self.gizmos.stale(self.editor.actor, self.client.camera.position):
            self.ask()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        job = self.editor.desk.next_job()
        if job is not None:
            try:
                self.editor.solve(job)
                self.editor.settle()
            except UnveilError as error:
                self.tell(str(error), wrong=True)
        self.draw()

    def draw(self) -> None:
        """Bring the page to what the editor holds; all of it appears at once."""
        editor = self.editor
        with self.client.atomic():
            scene = editor.scene
            self.bodies.show(scene)
            selected = editor.selected
            self.rings.show(scene.actor, None if selected is None else selected[0], self.rings_visible)
            joints, eye = scene.actor.joints(editor.body), self.client.camera.position
            self.gizmos.show(scene.actor, joints, selected, self.gizmos_everywhere, editor.short, eye)
            self.backdrop.show(editor.backdrop, scene.actor, self.point)
            if self._hidden != self.marking:
                self._hidden = self.marking
                self.client.scene.set_global_visibility(not self._hidden)
            if not editor.desk.dragging:
                for refresh in self.refreshers:
                    refresh()
        self.client.flush()

    def _failed(self, error: Exception) -> None:
        """A fault of ours: the terminal gets all of it, the page a word."""
        traceback.print_exception(error, file=sys.stderr)
        self.tell("Something went wrong here; the terminal tells what. Undo takes back the last step.", wrong=True)


def title(key: Key) -> str:
    """What an effector is called in lists."""
    return f"{JOINTS[key[0]].replace('_', ' ')} · {KINDS[key[1]]}"


def in_background(work: Callable[[], object]) -> None:
    """Do what takes long without holding up the page."""
    threading.Thread(target=work, daemon=True).start()
