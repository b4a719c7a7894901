"""What an editor opens and what it saves."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from unveil.body.body_motion import BodyMotion
from unveil.body.effectors import Pose
from unveil.body.joints import find_gender
from unveil.body.pose_json import PoseRecord
from unveil.core.errors import ConfigError, DataError
from unveil.studio.actors import WIDEST, Actor, check_scale, check_shape
from unveil.studio.costume import Costume
from unveil.studio.exporting import FORMATS, export, picture
from unveil.studio.fitting import take_person
from unveil.studio.folder import check_size
from unveil.studio.grip import Grip
from unveil.studio.labels import Labels
from unveil.studio.opening import ESTIMATES, MOTIONS, read_json, read_motion, read_picture, suffix_of
from unveil.studio.people import People, is_motion, is_own, read_people
from unveil.studio.project import is_project, read_project, write_project
from unveil.studio.state import PoseEditorState
from unveil.tasks.pose_choices import CHARACTERS, PICTURES

SAVED = (*FORMATS, "png", "project")
"""What can be saved: a body as a file, a picture of the scene, or all of it as a project."""


def open_file(editor: PoseEditorState, name: str, data: bytes) -> str:
    """Open what a page brought or found in its folder; every opening is one step of undo, but a picture's.

    Args:
        editor: what it is opened in.
        name: of the file, which tells what it is: a pose or motion (.npz), a character (.glb, .bvh), a project, effectors, a
            pose or points (.json), what an estimator found (.npz, .pkl, .json), or a picture to be shown behind the bodies.
            Of several people the first is taken, and `people` holds all.
        data: its bytes.

    Returns:
        A sentence on what was opened.

    Raises:
        DataError: it is not known, damaged or too large.
    """
    suffix = suffix_of(name)
    if suffix in MOTIONS:
        return _open_arrays(editor, name, data)
    if suffix in ESTIMATES:
        return _open_people(editor, read_people(name, data, suffix, editor.body))
    if suffix in CHARACTERS:
        return _open_character(editor, name, data)
    if suffix in PICTURES:
        editor.backdrop = read_picture(name, data)
        return f"{name} is behind the bodies."
    content = read_json(name, data)
    if is_project(content):
        editor.replace_scene(read_project(content, editor.body))
        return f"{name}: a project of {len(editor.scene.actors)} bodies."
    if not is_own(content):
        return _open_people(editor, read_people(name, data, suffix, editor.body))
    return _open_list(editor, name, content)


def open_named(editor: PoseEditorState, name: str) -> str:
    """Open a file of the editor's folder."""
    return open_file(editor, name, editor.folder.read(name))


def saved(editor: PoseEditorState, kind: str, *, moving: bool = True, turn: float = 25.0, tilt: float = 8.0) -> bytes:
    """The bytes of what is to be saved.

    Args:
        editor: whose scene it is.
        kind: one of `SAVED`; a body's file is of the chosen one.
        moving: its motion if it has one; otherwise its present pose only.
        turn: degrees that the viewer of a picture has gone round.
        tilt: degrees that the viewer looks down.
    """
    if kind == "project":
        data = write_project(editor.scene)
        check_size("The project", len(data))  # it could not be opened again
        return data
    if kind == "png":
        drawn = picture(editor.scene, editor.body, turn=turn, tilt=tilt)
        pixels = ((drawn + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        return out.getvalue()
    if kind not in SAVED:
        raise ConfigError(f"'{kind}' cannot be saved; it can be {', '.join(SAVED)}.")
    return export(editor.actor, editor.body, kind, moving=moving)


def save(editor: PoseEditorState, name: str, kind: str, *, overwrite: bool = False, **how: Any) -> Path:
    """Save to the editor's folder; `how` is passed to `saved`.

    Raises:
        ConfigError: the name cannot be used.
        ExistsError: a file of this name is there, and nobody asked to overwrite it.
    """
    suffix = ".json" if kind == "project" else f".{kind}"
    editor.folder.place(name, suffix)  # refuses before the work
    return editor.folder.write(name, saved(editor, kind, **how), suffix, overwrite=overwrite)


def _open_arrays(editor: PoseEditorState, name: str, data: bytes) -> str:
    """A motion as AMASS writes one, else the people that an estimator found."""
    try:
        motion = read_motion(name, data, editor.body)
    except DataError as error:
        if is_motion(data):
            raise
        try:
            people = read_people(name, data, ".npz", editor.body)
        except DataError as why:
            raise DataError(f"{error} Nor is it of an estimator: {why}") from None
        return _open_people(editor, people)
    shown = replace(motion, shape=motion.shape.clamp(-WIDEST, WIDEST))  # as far as sliders go
    editor.desk.repose(lambda actor: _moving(editor, actor, shown))
    return f"{name}: {_many(motion)}."


def _open_people(editor: PoseEditorState, people: People) -> str:
    told = take_person(editor, people)
    editor.people = people
    return told if len(people) == 1 else f"{told} Choose another in Files."


def _moving(editor: PoseEditorState, actor: Actor, motion: BodyMotion) -> Actor:
    pose = Pose(motion.pose[:1], motion.pelvis[:1], motion.shape[None], torch.tensor([find_gender(motion.gender)]))
    shown = replace(actor, pose=pose, motion=motion if len(motion) > 1 else None, frame=0)
    return shown.snapped(editor.body)


def _many(motion: BodyMotion) -> str:
    return "a pose" if len(motion) == 1 else f"a motion of {len(motion)} frames"


def _open_character(editor: PoseEditorState, name: str, data: bytes) -> str:
    costume = Costume.read(name, data)
    fitted = costume.fitted(editor.body, editor.actor.gender)

    def dressed(actor: Actor) -> Actor:
        worn = replace(actor.shaped(fitted.betas), scale=fitted.scale, costume=costume, motion=None, frame=0)
        if fitted.motion is None:
            return editor.solving(worn)
        return _moving(editor, worn, replace(fitted.motion, shape=fitted.betas))

    editor.desk.repose(dressed)
    moves = "" if fitted.motion is None else f" It brings {_many(fitted.motion)}."
    return f"{name}: {costume.told} The body takes its proportions.{moves}"


def _open_list(editor: PoseEditorState, name: str, content: Any) -> str:
    """Effectors alone, or a body as `export` writes one as JSON."""
    told = PoseRecord.read(content, name)
    try:
        grips = tuple(map(Grip.of, told.effectors))
        betas = None if told.betas is None else check_shape(torch.tensor(told.betas))
        editor.body.rest_joints(
            torch.zeros(10), told.gender or editor.actor.gender
        )  # the body may not have this gender
        scale = check_scale(told.scale or editor.actor.scale)
        labels = Labels.read(content, scale) if isinstance(content, Mapping) else Labels()

        def opened(actor: Actor) -> Actor:
            found = replace(actor.shaped(betas, told.gender), grips=grips, scale=scale, residuals=())
            found = replace(found, labels=labels or actor.labels)
            if told.rotations is None or told.pelvis is None:
                return editor.solving(found)
            return found.posed(told.rotations, told.pelvis)

        editor.desk.repose(opened)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name} holds no effectors or pose that can be read: {str(error).rstrip('.')}.") from None
    return f"{name}: {len(grips)} effectors."
