"""The rings of the chosen body on the page: click one to hold the joint, drag it to move it."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from unveil.body.joints import JOINTS
from unveil.body.parametric import Body
from unveil.studio.actors import Actor
from unveil.studio.looks import colours_of
from unveil.studio.rings import NARROW, WIDE, place_rings, rings_of, torus

Phase = Literal["start", "update", "end"]
_ROD = {"wide": 0.030, "narrow": 0.075}
_GRASP = 0.9  # of a ring's smaller radius: the ball in the limb that can be taken hold of too
_LEAST_GRASP = 0.03
_GRASPED = tuple(j for j, name in enumerate(JOINTS) if not name.startswith("spine") and not name.endswith("collar"))


class RingsView:
    """Rings around the limbs, and balls within them, so that one need not aim well.

    Args:
        page: the scene of one browser.
        body: whose limbs they go around.
        clicked: told the joint of a ring that is clicked.
        dragged: told the phase of a drag, the joint, and how far the pointer has gone since it began, metres.
    """

    def __init__(
        self, page: Any, body: Body, clicked: Callable[[int], None], dragged: Callable[[Phase, int, np.ndarray], None]
    ) -> None:
        self._page, self._body, self._clicked, self._dragged = page, body, clicked, dragged
        self._parts: dict[str, tuple[Any, tuple[int, ...]]] = {}
        self._begun = np.zeros(3)
        self._shown: tuple[Any, ...] = ()
        self._colours: tuple[Any, ...] = ()
        self._turned = True

    def show(self, actor: Actor, selected: int | None, visible: bool) -> None:
        """Bring the rings to a body."""
        look = (actor.held(), selected)
        pose = actor.pose
        stand = (pose.rotations, pose.pelvis, pose.betas, pose.gender, actor.scale, actor.costume)
        if not self._parts or visible != self._turned or not _identical(stand, self._shown):
            placed = place_rings(rings_of(self._body, actor), *actor.joints(self._body), actor.scale)
            radii = np.maximum(_GRASP * placed.scales[:, :2].min(1), _LEAST_GRASP * actor.scale)
            for name, joints in (("wide", WIDE), ("narrow", NARROW), ("grasp", _GRASPED)):
                own = list(joints)
                scales = placed.scales[own] if name != "grasp" else np.repeat(radii[own, None], 3, 1)
                if name not in self._parts:
                    self._parts[name] = (
                        self._make(name, joints, placed.positions[own], placed.wxyz[own], scales),
                        joints,
                    )
                part = self._parts[name][0]
                part.batched_positions = placed.positions[own].astype(np.float32)
                part.batched_wxyzs = placed.wxyz[own].astype(np.float32)
                part.batched_scales = scales.astype(np.float32)
                part.visible = visible
            self._shown, self._turned = stand, visible
        if look != self._colours:
            for name in ("wide", "narrow"):
                part, joints = self._parts[name]
                part.batched_colors = colours_of(*look, joints)
            self._colours = look

    def _make(self, name: str, joints: tuple[int, ...], positions: Any, wxyz: Any, scales: Any) -> Any:
        vertices, faces = _ball() if name == "grasp" else torus(_ROD[name])
        part = self._page.add_batched_meshes_simple(
            f"/rings/{name}",
            vertices,
            faces,
            batched_wxyzs=wxyz.astype(np.float32),
            batched_positions=positions.astype(np.float32),
            batched_scales=scales.astype(np.float32),
            batched_colors=colours_of(set(), None, joints),
            lod="off",
            opacity=0.0 if name == "grasp" else None,
            cast_shadow=False,
            receive_shadow=False,
        )

        async def clicked(event: Any) -> None:
            if event.instance_index is not None and 0 <= event.instance_index < len(joints):
                self._clicked(joints[event.instance_index])

        async def dragged(event: Any) -> None:
            if event.instance_index is None or not 0 <= event.instance_index < len(joints):
                return
            # start_position goes with the ring as it moves; where it was at first must be remembered.
            if event.phase == "start":
                self._begun = np.array(event.start_position)
            self._dragged(event.phase, joints[event.instance_index], np.array(event.end_position) - self._begun)

        part.on_click(clicked)
        part.on_drag("left")(dragged)
        return part


def _ball() -> tuple[np.ndarray, np.ndarray]:
    """A ball of radius 1."""
    rows, columns = 6, 10  # nobody sees it
    latitude = np.pi * (np.arange(rows + 1) / rows - 0.5)
    longitude = 2 * np.pi * np.arange(columns) / columns
    y, r = np.sin(latitude)[:, None], np.cos(latitude)[:, None]
    grid = np.stack([r * np.cos(longitude), y + 0 * longitude, r * np.sin(longitude)], -1).reshape(-1, 3)
    i, j = (part.ravel() for part in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    a, b = i * columns + j, i * columns + (j + 1) % columns
    faces = np.concatenate([np.stack([a, a + columns, b + columns], -1), np.stack([a, b + columns, b], -1)])
    return grid.astype(np.float32), faces.astype(np.int32)


def _identical(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return len(a) == len(b) and all(one is other for one, other in zip(a, b, strict=True))
