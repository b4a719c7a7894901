"""The bodies and characters of a scene on the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from unveil.body.drawing.figures import bones_figure
from unveil.body.parametric import Body
from unveil.studio.actors import Actor, Scene
from unveil.studio.looks import CLAYS, COSTUME


@dataclass(eq=False)
class _Shown:
    """One body on the page, and what it was drawn from."""

    actor: Actor | None = None
    look: tuple[Any, ...] = ()
    skin: Any = None
    costume: Any = None
    listens: bool = False


def limb_by_limb(body: Body) -> Tensor:
    """The faces of the skin ordered by the joint that they follow most, (F, 3).

    Something translucent is drawn face by face; what covers and what shines through is then the same for a whole limb.
    """
    joints = body.weights[0].argmax(1)[body.faces].amin(1)
    return body.faces[joints.argsort(stable=True)].cpu()


class BodiesView:
    """Draws bodies, and draws again only what has changed.

    Args:
        page: the scene of one browser.
        body: whose skin they have.
        chosen: told the number of a body that is clicked.
    """

    def __init__(self, page: Any, body: Body, chosen: Callable[[int], None]) -> None:
        self._page, self._body, self._chosen = page, body, chosen
        self._faces = limb_by_limb(body).numpy().astype(np.uint32)
        self._shown: dict[int, _Shown] = {}
        self.opacity = 1.0
        self.skin_below = True

    def show(self, scene: Scene) -> None:
        """Bring the page to a scene."""
        for number in set(self._shown) - {actor.number for actor in scene.actors}:
            self._forget(self._shown.pop(number))
        for actor in scene.actors:
            shown = self._shown.setdefault(actor.number, _Shown())
            look = (self.opacity, self.skin_below, actor.costume)
            if shown.look != look:
                self._forget(shown)
                shown.look, shown.actor = look, None
            if not self._same(shown.actor, actor):
                self._draw(actor, shown)
                shown.actor = actor
            self._listen(shown, actor.number, actor.number != scene.chosen)

    def _draw(self, actor: Actor, shown: _Shown) -> None:
        if actor.costume is not None:
            self._draw_costume(actor, shown)
        if actor.costume is not None and not self.skin_below:
            return
        vertices = actor.vertices(self._body).numpy()
        if shown.skin is not None:
            shown.skin.vertices = vertices
            return
        opacity = min(self.opacity, 0.28) if actor.costume is not None else self.opacity
        shown.skin = self._page.add_mesh_simple(
            f"/bodies/{actor.number}/skin",
            vertices,
            self._faces,
            color=CLAYS[(actor.number - 1) % len(CLAYS)],
            opacity=None if opacity >= 1 else opacity,
            cast_shadow=actor.costume is None,
            receive_shadow=opacity >= 1,
        )

    def _draw_costume(self, actor: Actor, shown: _Shown) -> None:
        costume, worn = actor.costume, actor.worn(self._body)
        assert costume is not None
        assert worn is not None
        if worn.vertices is not None and costume.character is not None:
            vertices, faces = worn.vertices.numpy(), costume.character.faces.numpy()
        else:
            bones = bones_figure(costume.skeleton, worn.positions, worn.rotations)
            vertices, faces = bones.vertices.numpy(), bones.faces.numpy()
        if shown.costume is not None and len(shown.costume.vertices) == len(vertices):
            shown.costume.vertices = vertices.astype(np.float32)
            return
        shown.costume = self._page.add_mesh_simple(
            f"/bodies/{actor.number}/character",
            vertices.astype(np.float32),
            faces.astype(np.uint32),
            color=COSTUME,
            opacity=None if self.opacity >= 1 else self.opacity,
            side="double",
            receive_shadow=False,  # on surfaces of two sides it comes out as stripes
        )

    def _listen(self, shown: _Shown, number: int, wanted: bool) -> None:
        """Let a click choose a body. That of the chosen one is deaf, so that clicks reach the rings on it."""
        if shown.listens == wanted:
            return
        shown.listens = wanted
        for mesh in (shown.skin, shown.costume):
            if mesh is None:
                continue
            mesh.remove_click_callback()
            if wanted:

                async def clicked(event: Any) -> None:
                    self._chosen(number)

                mesh.on_click(clicked)

    @staticmethod
    def _same(old: Actor | None, new: Actor) -> bool:
        return (
            old is not None
            and old.pose.rotations is new.pose.rotations
            and old.pose.pelvis is new.pose.pelvis
            and old.pose.betas is new.pose.betas
            and old.pose.gender is new.pose.gender
            and old.scale == new.scale
        )

    @staticmethod
    def _forget(shown: _Shown) -> None:
        for mesh in (shown.skin, shown.costume):
            if mesh is not None:
                mesh.remove()
        shown.skin = shown.costume = None
        shown.listens = False
