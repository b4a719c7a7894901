"""The panel of who is in the scene, and of how it is looked at."""

from collections.abc import Callable
from typing import Any

import numpy as np

from unveil.studio.actors import Actor
from unveil.studio.looks import EYE, FIELD_OF_VIEW, MIDDLE
from unveil.studio.session import Session


class ScenePanel:
    """Bodies, the view and the picture behind them.

    Args:
        gui: of one browser.
        session: whose panel it is.
        clear: puts away what lies over the scene.
    """

    def __init__(self, gui: Any, session: Session, clear: Callable[[], object]) -> None:
        self._session, self._editor, self._clear = session, session.editor, clear
        with gui.add_folder("Bodies"):
            self._which = gui.add_dropdown(
                "Edited", (_name(self._editor.actor),), hint="a click on another body does it too"
            )
            self._number = gui.add_button_group("Change", ("Add one", "Remove it"))
            self._undress = gui.add_button("Take the character off", icon="user-minus")
        with gui.add_folder("View"):
            self._opacity = gui.add_slider("Opacity", 0.15, 1.0, 0.05, 1.0)
            self._rings = gui.add_checkbox("Rings", True)
            self._gizmos = gui.add_checkbox("All gizmos", False)
            self._below = gui.add_checkbox("Body in the character", True)
            self._look = gui.add_button_group(
                "Look", ("Front", "Side", "Top", "Body", "All"), hint="1, 2, 3 and F do the first four"
            )
            self._backdrop = gui.add_button("Remove the picture behind", icon="photo-off")
        self._which.on_update(self._chosen)
        self._number.on_click(self._changed)
        self._undress.on_click(lambda _: self._session.do(self._undressed))
        for control in (self._opacity, self._rings, self._gizmos, self._below):
            control.on_update(lambda _: self._viewed())
        self._look.on_click(lambda event: self.look(event.target.value))
        self._backdrop.on_click(lambda _: self._session.do(self._cleared))

    def _chosen(self, event: Any) -> None:
        if event.client is None:
            return
        actor = next((each for each in self._editor.scene.actors if _name(each) == event.target.value), None)
        if actor is not None:
            self._session.choose(actor.number)

    def _changed(self, event: Any) -> None:
        if event.target.value == "Add one":
            if self._session.do(self._editor.add_body, solve=True):
                self._clear()
                self.look("All")
        else:
            self._session.do(self._editor.remove_body)

    def _undressed(self) -> None:
        self._editor.undress()

    def _cleared(self) -> None:
        self._editor.backdrop = None
        self._session.bodies.opacity = 1.0

    def _viewed(self) -> None:
        session = self._session
        session.bodies.opacity, session.bodies.skin_below = float(self._opacity.value), bool(self._below.value)
        session.rings_visible, session.gizmos_everywhere = bool(self._rings.value), bool(self._gizmos.value)
        session.ask()

    def look(self, where: str) -> None:
        """Look at the chosen body from the front, the side or above, or as at first; or at all bodies."""
        if where == "All":
            self._look_at_all()
            return
        actor, camera = self._editor.actor, self._session.client.camera
        x, y, z = (actor.scale * actor.pose.pelvis[0]).tolist()
        away = 3.7 * max(actor.scale, 0.4)
        eyes = {"Front": (x, y + 0.1, z + away), "Side": (x + away, y + 0.1, z), "Top": (x, y + away, z + 0.01)}
        camera.position = eyes.get(where, tuple(a + b - c for a, b, c in zip((x, y, z), EYE, MIDDLE, strict=True)))
        camera.look_at = (x, y - 0.08, z)
        camera.fov = FIELD_OF_VIEW

    def _look_at_all(self) -> None:
        """From where one looks at first, as far away as it needs to see them all."""
        camera = self._session.client.camera
        places = np.array([(actor.scale * actor.pose.pelvis[0]).tolist() for actor in self._editor.scene.actors])
        tallest = max(actor.scale for actor in self._editor.scene.actors)
        middle = (places.min(0) + places.max(0)) / 2
        wide = np.linalg.norm(np.ptp(places[:, ::2], axis=0)) + 1.3 * tallest
        aspect = min(self._session.backdrop.aspect, 4.0)
        away = max(2.7 * tallest, wide / aspect) / (2 * np.tan(FIELD_OF_VIEW / 2))
        way = np.subtract(EYE, MIDDLE) / np.linalg.norm(np.subtract(EYE, MIDDLE))
        camera.position = tuple(middle + away * way)
        camera.look_at = tuple(middle - (0.0, 0.08, 0.0))
        camera.fov = FIELD_OF_VIEW

    def refresh(self) -> None:
        """Show the editor's state."""
        if abs(self._opacity.value - self._session.bodies.opacity) > 1e-6:
            self._opacity.value = self._session.bodies.opacity
        names = tuple(_name(actor) for actor in self._editor.scene.actors)
        if tuple(self._which.options) != names:
            self._which.options = names
        self._which.value = _name(self._editor.actor)
        self._undress.visible = self._editor.actor.costume is not None
        self._below.visible = any(actor.costume is not None for actor in self._editor.scene.actors)
        self._backdrop.visible = self._editor.backdrop is not None


def _name(actor: Actor) -> str:
    return actor.name if actor.costume is None else f"{actor.name}: {actor.costume.name}"
