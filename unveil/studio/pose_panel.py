"""The panel of what holds the body."""

from typing import Any

from unveil.body.effector_lists import KINDS, LOOK_AT, POSITION
from unveil.body.joints import JOINTS
from unveil.studio.gizmos_view import missed_by
from unveil.studio.recovering import recover
from unveil.studio.session import Session, in_background, title

_NONE = "nothing is selected"


class PosePanel:
    """Undo, effectors and what each of them asks.

    Args:
        gui: of one browser.
        session: whose panel it is.
    """

    def __init__(self, gui: Any, session: Session) -> None:
        self._session, self._editor = session, session.editor
        self._gui = gui
        self._steps = gui.add_button_group("History", ("Undo", "Redo"), hint="Z and Shift+Z do the same")
        self._steps.on_click(self._step)
        with gui.add_folder("Selected effector"):
            self._which = gui.add_dropdown("Effector", (_NONE,), initial_value=_NONE)
            self._told = gui.add_markdown("")
            self._weight = gui.add_slider("Weight", 0.0, 2.0, 0.05, 1.0, hint="0 lets it rest, 1 is usual")
            self._tolerance = gui.add_slider(
                "Tolerance", 0.0, 0.3, 0.005, 0.0, hint="metres or radians it may be missed by"
            )
            self._floor = gui.add_checkbox("On the floor", False, hint="keeps a hand, knee or foot on the floor")
            self._remove = gui.add_button("Remove it", icon="trash")
        with gui.add_folder("Add an effector"):
            self._joint = gui.add_dropdown(
                "Joint", tuple(name.replace("_", " ") for name in JOINTS), initial_value="head"
            )
            self._kind = gui.add_dropdown("Kind", KINDS, initial_value="position")
            self._add = gui.add_button("Add it", icon="plus")
        with gui.add_folder("Whole body"):
            self._follow = gui.add_dropdown(
                "It follows", ("as it learned", "near its pose"), hint="what joints do that nothing holds"
            )
            self._all = gui.add_button_group("Do", ("Mirror", "Let go"))
        with gui.add_folder("Effectors of this pose"):
            self._most = gui.add_slider("At most", 2, 16, 1, 6)
            self._within = gui.add_slider(
                "Within (mm)", 1, 60, 1, 10, hint="mean error of the joints that is near enough"
            )
            self._recover = gui.add_button(
                "Recover effectors", icon="wand", hint="finds the few effectors that give this pose again"
            )
        self._connect()

    def _connect(self) -> None:
        session, editor = self._session, self._editor
        self._which.on_update(self._selected)
        for control, name in ((self._weight, "weight"), (self._tolerance, "tolerance"), (self._floor, "on_floor")):
            control.on_update(lambda event, name=name: self._changed(event, name))
        self._remove.on_click(lambda _: self.remove())
        self._add.on_click(lambda _: self._added())
        self._follow.on_update(self._followed)
        self._all.on_click(
            lambda event: session.do(editor.mirror if event.target.value == "Mirror" else editor.clear_grips)
        )
        self._recover.on_click(lambda _: in_background(self.recover))

    # -- what was asked -----------------------------------------------------------------------------------------------

    def _step(self, event: Any) -> None:
        (self._session.undo if event.target.value == "Undo" else self._session.redo)()

    def _selected(self, event: Any) -> None:
        if event.client is None:
            return
        chosen = next((grip.key for grip in self._editor.actor.grips if title(grip.key) == event.target.value), None)
        self._editor.selected = chosen
        self._session.ask()

    def _changed(self, event: Any, name: str) -> None:
        key = self._editor.selected
        if event.client is None or key is None:
            return
        value = event.target.value
        label = f"{name} of {key} of {self._editor.actor.number}"
        self._session.do(lambda: self._editor.set_grip(*key, label=label, **{name: value}), solve=True)

    def remove(self) -> None:
        """Let the selected effector go."""
        key = self._editor.selected
        if key is None:
            self._session.tell("Select an effector first: click its ring.")
            return
        self._session.do(lambda: self._editor.remove_grip(*key), solve=True)

    def _added(self) -> None:
        joint, kind = JOINTS.index(self._joint.value.replace(" ", "_")), KINDS.index(self._kind.value)
        # What asks for what is so already changes nothing, so the pose need not be found anew.
        self._session.do(lambda: self._editor.add_grip(joint, kind))

    def _followed(self, event: Any) -> None:
        if event.client is not None:
            self._editor.desk.follow = "learned" if event.target.value == "as it learned" else "near"

    def recover(self) -> None:
        """Find the effectors of the present pose."""
        self._recover.disabled = True
        try:
            most, within = int(self._most.value), float(self._within.value) / 1000
            self._session.do(lambda: self._session.tell(recover(self._editor, most, within)))
        finally:
            self._recover.disabled = False

    # -- what there is ------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the editor's state."""
        editor = self._editor
        options = (*(title(grip.key) for grip in editor.actor.grips), _NONE)
        if tuple(self._which.options) != options:
            self._which.options = options
        key = editor.selected
        self._which.value = _NONE if key is None else title(key)
        grip = None if key is None else editor.actor.grip(*key)
        for control in (self._weight, self._tolerance, self._floor, self._remove):
            control.disabled = grip is None
        if grip is not None:
            self._weight.value = min(grip.weight, 2.0)
            self._tolerance.value = min(grip.tolerance, 0.3)
            self._floor.value = grip.on_floor
            self._floor.disabled = grip.kind != POSITION
        place = (
            "" if grip is None or grip.kind not in (POSITION, LOOK_AT) else ", ".join(f"{x:.2f}" for x in grip.place)
        )
        self._told.content = " · ".join(
            text for text in (place and f"at {place} m", missed_by(editor.actor, key)) if text
        )
