"""A scene as a JSON file, and back, with every number as it was."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unveil.body.body_motion import BodyMotion
from unveil.body.effectors import Pose
from unveil.body.joints import find_gender
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.geometry import check_rotations
from unveil.studio.actors import MOST, Actor, Keyframe, Scene, check_scale, check_shape
from unveil.studio.costume import Costume
from unveil.studio.grip import read_grips
from unveil.studio.keyframes import check_keyframes
from unveil.studio.labels import Labels

KIND = "unveil pose project"
_VERSION = 1
_FRAMES = 100_000
_LARGEST = 1e6  # metres and what else a number means


def write_project(scene: Scene) -> bytes:
    """The scene as JSON; motions and characters are packed into it."""
    content = {
        "kind": KIND,
        "version": _VERSION,
        "chosen": scene.chosen,
        "bodies": [_actor_out(actor) for actor in scene.actors],
    }
    return (json.dumps(content) + "\n").encode()


def is_project(content: Any) -> bool:
    """Whether the content of a JSON file claims to be a project."""
    return isinstance(content, Mapping) and content.get("kind") == KIND


def read_project(content: Mapping[str, Any], body: Body) -> Scene:
    """The scene of a project.

    Args:
        content: of the JSON file.
        body: with whose genders and skin the bodies are drawn.

    Raises:
        DataError: the file is damaged, or of a later version.
    """
    try:
        if content.get("version") != _VERSION:
            raise DataError(f"it is of version {content.get('version')}, and this program knows version {_VERSION}")
        bodies = content["bodies"]
        if not isinstance(bodies, list) or not 0 < len(bodies) <= MOST:
            raise DataError(f"it must hold 1 to {MOST} bodies")
        actors = tuple(_actor_in(item, body) for item in bodies)
        numbers = [actor.number for actor in actors]
        if len(set(numbers)) != len(numbers):
            raise DataError("two of its bodies have one number")
        chosen = content.get("chosen")
        return Scene(actors, chosen if chosen in numbers else numbers[0])
    except (
        *(KeyError, TypeError, ValueError, AttributeError, OverflowError),
        *(ConfigError, ShapeError, DataError),
    ) as error:
        why = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise DataError(f"The project cannot be read: {why}.") from None


def _actor_out(actor: Actor) -> dict[str, Any]:
    item: dict[str, Any] = {
        "number": actor.number,
        "name": actor.name,
        "gender": actor.gender,
        "betas": actor.betas.tolist(),
        "scale": actor.scale,
        "rotations": actor.pose.rotations[0].tolist(),
        "pelvis": actor.pose.pelvis[0].tolist(),
        "effectors": [grip.plain() for grip in actor.grips],
        "frame": actor.frame,
        "keyframes": [
            {"seconds": key.seconds, "rotations": key.rotations.tolist(), "pelvis": key.pelvis.tolist()}
            for key in actor.keyframes
        ],
        **actor.labels.plain(actor.scale),
    }
    if actor.motion is not None:
        motion = actor.motion
        item["motion"] = {"fps": motion.fps, "rotations": _packed(motion.pose), "pelvis": _packed(motion.pelvis)}
    if actor.costume is not None:
        item["character"] = {"name": actor.costume.name, "file": base64.b64encode(actor.costume.data).decode()}
    return item


def _actor_in(item: Mapping[str, Any], body: Body) -> Actor:
    gender = find_gender(item["gender"])
    name = item["name"]
    number = item["number"]
    if not isinstance(name, str) or isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise DataError("a body has no proper name or number")
    betas = check_shape(_numbers(item["betas"], (10,), "the shape"))
    pose = Pose(
        _numbers(item["rotations"], (24, 3, 3), "the rotations")[None],
        _numbers(item["pelvis"], (3,), "the pelvis")[None],
        betas[None],
        torch.tensor([gender]),
    ).checked()
    body.rest_joints(betas, gender)  # the body may not have this gender
    keys = check_keyframes(
        Keyframe(
            float(key["seconds"]),
            check_rotations(_numbers(key["rotations"], (24, 3, 3), "a keyframe"), "The rotations of a keyframe"),
            _numbers(key["pelvis"], (3,), "a keyframe"),
        )
        for key in item.get("keyframes", [])
    )
    motion = None
    if "motion" in item:
        stored = item["motion"]
        rotations = _unpacked(stored["rotations"], (24, 3, 3))
        motion = BodyMotion(rotations, _unpacked(stored["pelvis"], (3,)), betas, item["gender"], float(stored["fps"]))
    scale = check_scale(float(item["scale"]))
    costume = None
    if "character" in item:
        costume = Costume.read(
            str(item["character"]["name"]), base64.b64decode(item["character"]["file"], validate=True)
        )
    return Actor(
        number,
        name[:60],
        pose,
        scale,
        read_grips(item["effectors"]),
        (),
        motion,
        min(max(int(item.get("frame", 0)), 0), 0 if motion is None else len(motion) - 1),
        keys,
        costume,
        Labels.read(item, scale),
    )


def _numbers(values: Any, shape: tuple[int, ...], what: str) -> Tensor:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape or not (np.abs(array) <= _LARGEST).all():
        raise DataError(f"{what} must be {' x '.join(map(str, shape))} finite numbers")
    return torch.from_numpy(array).float()


def _packed(values: Tensor) -> dict[str, Any]:
    array = values.detach().cpu().numpy().astype("<f4")
    return {"frames": len(array), "float32": base64.b64encode(array.tobytes()).decode()}


def _unpacked(stored: Mapping[str, Any], shape: tuple[int, ...]) -> Tensor:
    try:
        data = base64.b64decode(stored["float32"], validate=True)
    except binascii.Error:
        raise DataError("its motion is damaged") from None
    frames = int(stored["frames"])
    if not 0 < frames <= _FRAMES or len(data) != 4 * frames * int(np.prod(shape)):
        raise DataError("its motion is damaged")
    return torch.from_numpy(np.frombuffer(data, "<f4").reshape(frames, *shape).astype(np.float32))
