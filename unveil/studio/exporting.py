"""A body of the scene as the bytes of a file."""

import json
from dataclasses import replace

from torch import Tensor

from unveil.body.amass import amass_bytes
from unveil.body.body_motion import BodyMotion
from unveil.body.bvh.writer import bvh_bytes
from unveil.body.drawing.figures import BLUE, CLAY, Figure, bones_figure
from unveil.body.drawing.scene import draw
from unveil.body.gltf.writer import character_bytes
from unveil.body.motion import Motion
from unveil.body.parametric import Body
from unveil.body.pose_json import PoseRecord
from unveil.body.surface_files import surface_bytes
from unveil.core.errors import ConfigError
from unveil.studio.actors import Actor, Scene
from unveil.studio.costume import Worn
from unveil.studio.keyframes import motion_of

FORMATS = ("glb", "bvh", "npz", "json", "obj", "ply")
"""What a body can be written as; a picture is of the whole scene."""


def export(actor: Actor, body: Body, kind: str, *, moving: bool = True) -> bytes:
    """A body as a file.

    Args:
        actor: the body; its character is written if it drives one, in .glb and .bvh.
        body: whose skin and joints it has.
        kind: one of `FORMATS`. A .json holds the effectors, the pose, and the points and the camera of its picture as
            numbers; an .obj or .ply the surface in the present pose.
        moving: its motion if it has one; otherwise its present pose only.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in FORMATS:
        raise ConfigError(f"A body cannot be written as '{kind}'; it can be as {', '.join(FORMATS)}.")
    if kind in ("obj", "ply"):
        surface = _surface(actor, body, actor.worn(body))
        return surface_bytes(surface.vertices, surface.faces, f".{kind}")
    motion = motion_of(actor if moving else replace(actor, motion=None, keyframes=()))
    if kind == "json":
        return (json.dumps(_plain(actor), indent=1) + "\n").encode()
    if kind == "npz":
        return amass_bytes(motion, body)
    own = _skeletal(actor, body, motion)
    if kind == "bvh":
        return bvh_bytes(own.aligned())
    if actor.costume is not None and actor.costume.character is not None:
        character = actor.costume.character
    else:
        character = body.character(actor.betas, actor.gender).scaled(actor.scale)
    return character_bytes(character, own)


def picture(scene: Scene, body: Body, *, height: int = 720, turn: float = 25.0, tilt: float = 8.0) -> Tensor:
    """The scene drawn, (3, H, W) in [-1, 1].

    Args:
        scene: what to draw.
        body: whose skin and joints they have.
        height: of the picture in pixels.
        turn: degrees that the viewer has gone round.
        tilt: degrees that the viewer looks down.
    """
    figures = [figure for actor in scene.actors for figure in _figures(actor, body)]
    return draw(figures, height=height, turn=turn, tilt=tilt, floor=0.0)


def _figures(actor: Actor, body: Body) -> list[Figure]:
    worn = actor.worn(body)
    if actor.costume is not None and worn is not None and worn.vertices is None:
        return [bones_figure(actor.costume.skeleton, worn.positions, worn.rotations, BLUE)]
    return [_surface(actor, body, worn)]


def _surface(actor: Actor, body: Body, worn: Worn | None) -> Figure:
    """The character that the body drives, as it is worn, if it has a surface; otherwise the body's own skin."""
    if (
        actor.costume is not None
        and actor.costume.character is not None
        and worn is not None
        and worn.vertices is not None
    ):
        return Figure(worn.vertices, actor.costume.character.faces, CLAY)
    return Figure(actor.vertices(body), body.faces.cpu(), CLAY)


def _skeletal(actor: Actor, body: Body, motion: BodyMotion) -> Motion:
    """The motion of what is written: of the character, or of the body's own skeleton in the size it has in the scene."""
    if actor.costume is not None:
        return actor.costume.driven(body, motion, actor.scale)
    return motion.motion(body, actor.scale)


def _plain(actor: Actor) -> dict[str, object]:
    told = PoseRecord.of(actor.pose, [grip.row() for grip in actor.grips], actor.scale)
    return {"name": actor.name, **told.plain(), **actor.labels.plain(actor.scale)}
