"""From marked points, or what an estimator found, to the pose of a body in the scene."""

from dataclasses import replace

import torch
from torch import Tensor

from unveil.body.estimation import Camera, KeypointFit, Keypoints, PoseEstimate
from unveil.core.errors import ConfigError
from unveil.core.protocols import Progress
from unveil.studio.actors import WIDEST, Actor
from unveil.studio.labels import Labels, Mark
from unveil.studio.people import People
from unveil.studio.state import PoseEditorState

_CHANGED = "The points or the body were changed meanwhile; fit again."


def mark(editor: PoseEditorState, name: str, pixel: tuple[float, float]) -> None:
    """Mark a point of the chosen body's person in the picture behind; those of another picture are forgotten.

    Raises:
        ConfigError: there is no such point, or no picture.
    """
    backdrop = editor.backdrop
    if backdrop is None:
        raise ConfigError("There is no picture behind the bodies; open one in Files.")
    point = Mark(name, *pixel)

    def marked(actor: Actor) -> Actor:
        old = actor.labels if actor.labels.size in (None, backdrop.size) else Labels()
        return replace(actor, labels=replace(old.marked(point), picture=backdrop.name, size=backdrop.size))

    editor.desk.edit(marked)


def unmark(editor: PoseEditorState, name: str | None = None) -> None:
    """Forget a point, or all of them; the pose stays."""
    editor.desk.edit(lambda actor: replace(actor, labels=Labels() if name is None else actor.labels.unmarked(name)))


def fit(
    editor: PoseEditorState,
    *,
    focal: float | None = None,
    keep_shape: bool = False,
    progress: Progress | None = None,
) -> str:
    """Find the poses in which the chosen body's points are where they were marked; it takes the best, as one step of undo.

    Args:
        editor: whose chosen body is fitted.
        focal: of the picture's camera in pixels; that of an everyday lens when None.
        keep_shape: fit the pose only; that is so too for a body that a character gave its shape.
        progress: told how far it is.

    Returns:
        A sentence on what was found.

    Raises:
        ConfigError: too few points are marked, or the size of the picture is not known.
    """
    actor = editor.actor
    labels = actor.labels
    size = labels.size if editor.backdrop is None else editor.backdrop.size
    if size is None:
        raise ConfigError("Points in pixels need their picture; open it in Files first.")
    if labels.size not in (None, size):
        height, width = labels.size
        raise ConfigError(
            f"The points are of a picture of {width} x {height} pixels; open that one, or mark them anew."
        )
    camera = Camera.of_picture(*size, focal)
    found = _fitted(editor, actor, labels.keypoints(), camera, keep_shape, progress)
    picture = labels.picture if editor.backdrop is None else editor.backdrop.name
    likely = replace(labels, likely=found, which=0, camera=camera, picture=picture, size=size)
    with editor.lock:
        if editor.actor.number != actor.number or editor.actor.labels is not labels:
            return _CHANGED
        editor.desk.repose(lambda now: _posed(editor, replace(now, labels=likely), found[0]))
    others = f" There are {len(found)} likely poses." if len(found) > 1 else ""
    return f"{actor.name} is fitted to {len(labels.marks)} points.{others}"


def fit_places(editor: PoseEditorState, points: Keypoints) -> None:
    """Bring the chosen body to points in space; one step of undo."""
    actor = editor.actor
    best = _fitted(editor, actor, points, None, False, None)[0]
    editor.desk.repose(lambda now: _posed(editor, replace(now, labels=Labels()), best))


def take(editor: PoseEditorState, estimate: PoseEstimate) -> None:
    """Give the chosen body the shape and pose that an estimator found; one step of undo."""
    editor.desk.repose(lambda now: _posed(editor, replace(now, labels=Labels()), estimate))


def other_pose(editor: PoseEditorState) -> str:
    """Take the next of the likely poses, which differ in what is nearer and what is farther; one step of undo.

    Raises:
        ConfigError: there is no other.
    """
    with editor.lock:
        labels = editor.actor.labels
        if len(labels.likely) < 2:
            raise ConfigError("There is no other pose; mark the points and fit, which may find several.")
        which = (labels.which + 1) % len(labels.likely)
        editor.desk.repose(
            lambda now: _posed(editor, replace(now, labels=replace(labels, which=which)), labels.likely[which])
        )
        return f"Pose {which + 1} of {len(labels.likely)}."


def take_person(editor: PoseEditorState, people: People, number: int = 0) -> str:
    """Give one person of a file to the chosen body: the pose, or the points that are to be fitted; one step of undo.

    Returns:
        A sentence on what was done.

    Raises:
        ConfigError: there is no such person.
    """
    if not 0 <= number < len(people):
        raise ConfigError(f"{people.name} holds {len(people)} people; there is no number {number + 1}.")
    person = people.found[number]
    who = people.name if len(people) == 1 else f"{people.name}, person {number + 1} of {len(people)}"
    if isinstance(person, PoseEstimate):
        take(editor, person)
        return f"{who}: a pose."
    if not person.flat:
        fit_places(editor, person)
        return f"{who}: fitted to {len(person.names)} places."
    labels = Labels.of(person)
    editor.desk.edit(lambda actor: replace(actor, labels=labels))
    return f"{who}: {len(person.names)} points; Picture fits the body to them."


def _fitted(
    editor: PoseEditorState,
    actor: Actor,
    points: Keypoints,
    camera: Camera | None,
    keep_shape: bool,
    progress: Progress | None,
) -> tuple[PoseEstimate, ...]:
    known = actor.betas if keep_shape or actor.costume is not None else None
    fitting = KeypointFit(editor.body, editor.solver)
    return tuple(fitting(points, camera, gender=actor.gender, betas=known, progress=progress))


def _posed(editor: PoseEditorState, actor: Actor, estimate: PoseEstimate) -> Actor:
    """The body in an estimate's pose: where the others of its picture are seen from, else on the floor where it stood."""
    gender = actor.gender if actor.costume is not None else estimate.gender
    betas = actor.betas if actor.costume is not None else estimate.betas.clamp(-WIDEST, WIDEST)
    shaped = replace(actor.shaped(betas, gender), motion=None, frame=0)
    eye = _shared_eye(editor, actor)
    if eye is None:
        eye = actor.pose.pelvis[0] - estimate.pelvis
        skin = editor.body(estimate.rotations[None], betas, gender, pelvis=estimate.pelvis[None]).vertices[0]
        eye = torch.stack([eye[0], -skin[:, 1].min(), eye[2]])
    posed = shaped.posed(estimate.rotations, estimate.pelvis + eye).snapped(editor.body)
    x, y, z = eye.tolist()
    labels = posed.labels
    return replace(posed, labels=replace(labels, eye=None if labels.camera is None else (x, y, z)))


def _shared_eye(editor: PoseEditorState, actor: Actor) -> Tensor | None:
    """Where the camera is, in the body's own metres, if another body was fitted to the same picture already."""
    mine = actor.labels
    for other in editor.scene.actors:
        theirs = other.labels
        same = (theirs.camera, theirs.picture, theirs.size) == (mine.camera, mine.picture, mine.size)
        if other.number != actor.number and mine.camera is not None and theirs.eye is not None and same:
            return torch.tensor(theirs.eye) * (other.scale / actor.scale)
    return None
