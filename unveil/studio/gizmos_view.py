"""Arrows and arcs on what holds the chosen body, for moves along one axis and for turns."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unveil.body.effector_lists import LOOK_AT, POSITION, ROTATION
from unveil.body.joints import JOINTS
from unveil.geometry import matrix_to_quaternion, quaternion_to_matrix
from unveil.studio.actors import Actor
from unveil.studio.grip import Grip
from unveil.studio.looks import TARGET
from unveil.studio.state import FAR

Phase = Literal["start", "update", "end"]
Key = tuple[int, int]
_BELOW = 0.06  # metres
_BLUNT = 0.9  # cosine of the angle from which on an arrow counts as pointing at the viewer
_SIZE = {POSITION: 0.20, ROTATION: 0.17, LOOK_AT: 0.14}


class GizmosView:
    """One gizmo for each effector that is selected, or for all.

    Args:
        page: the scene of one browser.
        moved: told the phase of a drag, the effector's joint and kind, and where the gizmo is, (3,), or how it is turned,
            (3, 3).
        chosen: told the effector whose target is clicked.
    """

    def __init__(self, page: Any, moved: Callable[[Phase, Key, Any], None], chosen: Callable[[Key], None]) -> None:
        self._page, self._moved, self._chosen = page, moved, chosen
        self._gizmos: dict[Key, Any] = {}
        self._looks: dict[Key, tuple[Any, Any]] = {}
        self._label: Any = None
        self._held: Key | None = None

    def show(
        self,
        actor: Actor,
        joints: tuple[Tensor, Tensor],
        selected: Key | None,
        everywhere: bool,
        short: tuple[Key, float] | None,
        eye: Sequence[float],
    ) -> None:
        """Bring the gizmos to a body.

        Args:
            actor: the body.
            joints: where its joints are and how they are turned.
            selected: the effector that has arrows.
            everywhere: whether all have.
            short: what was dragged out of reach, and by how many metres.
            eye: where it is seen from. An arrow that points there is left out: it would catch the pointer in the middle of the
                ring, and throw the joint far at the least move.
        """
        wanted = {
            grip.key: grip
            for grip in actor.grips
            if everywhere or (selected is not None and grip.joint == selected[0]) or grip.key == self._held
        }
        for key in set(self._gizmos) - set(wanted):
            self._gizmos.pop(key).remove()
        for key, grip in wanted.items():
            if key not in self._gizmos:
                self._gizmos[key] = self._make(grip, actor.scale)
            if key != self._held:  # what the hand holds is not pulled out of it
                self._put(self._gizmos[key], grip, joints[0])
                across = axes_across(grip, eye)
                if self._gizmos[key].active_axes != across:
                    self._gizmos[key].active_axes = across
        self._show_looks(actor, joints[0])
        self._show_label(actor, joints[0], selected, short)

    def stale(self, actor: Actor, eye: Sequence[float]) -> bool:
        """Whether other arrows are to be left out, seen from somewhere else."""
        grips = (actor.grip(*key) for key in tuple(self._gizmos) if key != self._held)
        return any(grip and self._gizmos[grip.key].active_axes != axes_across(grip, eye) for grip in grips)

    def _make(self, grip: Grip, scale: float) -> Any:
        name = f"/gizmos/{JOINTS[grip.joint]}-{grip.kind}"
        gizmo = self._page.add_transform_controls(
            name,
            scale=_SIZE[grip.kind] * max(scale, 0.5),
            line_width=3.0,
            disable_axes=grip.kind == ROTATION,
            disable_sliders=grip.kind == ROTATION,
            disable_rotations=grip.kind != ROTATION,
            depth_test=False,
            opacity=0.9,
        )
        key = grip.key

        async def moved(event: Any) -> None:
            if event.phase == "start":
                self._held = key
            elif event.phase == "end":
                self._held = None
            if key[1] == ROTATION:
                turn = quaternion_to_matrix(torch.tensor(np.asarray(event.target.wxyz), dtype=torch.float64))
                self._moved(event.phase, key, turn)
            else:
                self._moved(event.phase, key, np.asarray(event.target.position))

        gizmo.on_update(moved)
        return gizmo

    @staticmethod
    def _put(gizmo: Any, grip: Grip, positions: Tensor) -> None:
        """At the effector, or around the joint that it turns."""
        place = positions[grip.joint].tolist() if grip.kind == ROTATION else grip.place
        if not np.allclose(gizmo.position, place, atol=1e-7):
            gizmo.position = place
        if grip.kind == ROTATION:
            quaternion = matrix_to_quaternion(grip.rotation().double()).numpy()
            if not np.allclose(gizmo.wxyz, quaternion, atol=1e-7):
                gizmo.wxyz = quaternion

    def _show_looks(self, actor: Actor, positions: Tensor) -> None:
        looks = {grip.key: grip for grip in actor.grips if grip.kind == LOOK_AT}
        for key in set(self._looks) - set(looks):
            for part in self._looks.pop(key):
                part.remove()
        for key, grip in looks.items():
            line = np.array([[positions[grip.joint].tolist(), grip.place]], dtype=np.float32)
            if key not in self._looks:
                name = f"/looks/{JOINTS[grip.joint]}"
                ball = self._page.add_icosphere(
                    f"{name}/target",
                    radius=0.03,
                    color=TARGET,
                    position=grip.place,
                    cast_shadow=False,
                    receive_shadow=False,
                )
                ball.on_click(self._choosing(key))
                rod = self._page.add_line_segments(
                    f"{name}/line", line, TARGET, thickness=2.5, thickness_units="screen"
                )
                self._looks[key] = (ball, rod)
            ball, rod = self._looks[key]
            ball.position = grip.place
            rod.points = line

    def _choosing(self, key: Key) -> Callable[[Any], Any]:
        async def clicked(event: Any) -> None:
            self._chosen(key)

        return clicked

    def _show_label(
        self, actor: Actor, positions: Tensor, selected: Key | None, short: tuple[Key, float] | None
    ) -> None:
        """How far the selected effector is missed by, where that is worth telling."""
        out = short is not None and short[0] == selected
        text = f"{100 * short[1]:.0f} cm out of reach" if out and short is not None else missed_by(actor, selected)
        if not text or selected is None:
            if self._label is not None:
                self._label.remove()
                self._label = None
            return
        x, y, z = positions[selected[0]].tolist()
        place = (x, y - _BELOW, z)  # out of the arrows' way
        if self._label is None:
            self._label = self._page.add_label("/missed", text, position=place, anchor="top-center")
        self._label.text, self._label.position = text, place


def axes_across(grip: Grip, eye: Sequence[float]) -> tuple[bool, bool, bool]:
    """Along which axes an effector can be drawn by a viewer: not along one that points at them."""
    away = np.subtract(eye, grip.place)
    if grip.kind == ROTATION or not away.any():
        return True, True, True
    x, y, z = (bool(part) for part in np.abs(away) < _BLUNT * np.linalg.norm(away))
    return x, y, z


def missed_by(actor: Actor, key: Key | None) -> str:
    """Words on how far an effector is from being satisfied; none if it is."""
    grip, residual = (None, None) if key is None else (actor.grip(*key), actor.residual(key))
    if grip is None or residual is None:
        return ""
    if grip.kind == POSITION:
        return f"{100 * residual:.1f} cm out of reach" if residual > max(FAR, 2 * grip.tolerance) else ""
    degrees = float(np.degrees(residual))
    return f"{degrees:.0f} degrees out of reach" if degrees > max(2.0, np.degrees(2 * grip.tolerance)) else ""
