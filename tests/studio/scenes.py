"""What the pictures of the pose editor show, arranged as a person would."""

import io
import tempfile
from pathlib import Path

import torch
from PIL import Image

from unveil.body import JOINTS, LOOK_AT, POSITION, angles_to_pose, key_poses, plant_feet, random_motion, write_bvh
from unveil.studio import Folder, PoseEditorState, mark, open_file
from unveil.tasks.pose_photograph import photograph


def put(editor, name, *place):
    """Hold a joint somewhere."""
    joint = JOINTS.index(name)
    editor.add_grip(joint)
    editor.move_grip(joint, POSITION, place)


def reaching(session):
    """A body that steps forward, reaches up with one hand and looks at it."""
    editor = session.editor
    put(editor, "pelvis", 0.0, 0.84, 0.02)
    put(editor, "left_ankle", 0.14, 0.075, 0.30)
    put(editor, "right_ankle", -0.13, 0.09, -0.30)
    put(editor, "right_wrist", -0.40, 0.92, -0.10)
    put(editor, "neck", 0.02, 1.30, 0.10)
    head = JOINTS.index("head")
    editor.add_grip(head, LOOK_AT)
    editor.move_grip(head, LOOK_AT, (0.55, 1.75, 0.75))
    put(editor, "left_wrist", 0.36, 1.52, 0.38)
    editor.solve()


def several(session):
    """Three bodies of other shapes; one waves to the others."""
    editor = session.editor
    for number, (gender, betas, x) in enumerate(
        (
            ("male", [1.5, -1.0, 1.5, 0.5, 0.0, 0.5, 0.0, 0.0, -0.5, 0.0], -0.05),
            ("female", [-0.5, 0.0, 0.5, 0.0, 0.0, -0.5, 0.5, 0.0, 0.0, 0.0], 0.85),
            ("neutral", [-3.0, 2.5, -1.0, 0.0, 0.0, 0.5, 0.5, 0.8, 0.8, 0.0], -0.85),
        )
    ):
        if number:
            editor.add_body(gender)
        editor.set_gender(gender)
        editor.set_betas(torch.tensor(betas))
        rotations = angles_to_pose(key_poses()["stand"])
        feet = plant_feet(editor.body, rotations[None], torch.tensor(betas), gender)[0]
        place = feet + torch.tensor([x, 0.0, 0.1 * number])
        editor.desk.edit(
            lambda actor, rotations=rotations, place=place: actor.posed(rotations, place).snapped(editor.body)
        )
        if number == 2:
            put(editor, "left_wrist", x + 0.42, 1.28, 0.42)
        editor.solve()
    session.client.camera.position = (0.2, 1.35, 4.9)
    session.client.camera.look_at = (-0.4, 0.75, 0.0)


def driven(session):
    """A walk of a skeleton of a motion file, and the body of its proportions."""
    editor = session.editor
    betas = torch.tensor([0.5, -0.5, 2.0, 2.0, -1.5, 1.0, 0.0, 0.0, 0.0, 0.0])
    walk = random_motion(
        editor.body, 60, kind="walk", shape=betas, gender="neutral", generator=torch.Generator().manual_seed(3)
    )
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "walk.bvh"
        write_bvh(walk.motion(editor.body), path)
        open_file(editor, "walk.bvh", path.read_bytes())
    editor.show_frame(20)
    pelvis, rotation = editor.actor.scale * editor.actor.pose.pelvis[0], editor.actor.pose.rotations[0, 0]
    level = torch.tensor([1.0, 0, 1])
    eye = pelvis + 2.6 * rotation[:, 2] * level + 2.4 * rotation[:, 0] * level
    session.client.camera.position = (float(eye[0]), 1.35, float(eye[2]))
    session.client.camera.look_at = (float(pelvis[0]), 0.88, float(pelvis[2]))


def pictured(session):
    """Somebody in a picture, of whom all points but two are marked."""
    editor = session.editor
    person = PoseEditorState(editor.body, editor.solver, Folder("nowhere"))
    put(person, "pelvis", 0.0, 0.89, 0.0)
    put(person, "left_wrist", 0.43, 1.56, 0.22)
    put(person, "right_wrist", -0.33, 0.92, 0.16)
    put(person, "left_ankle", 0.15, 0.08, 0.14)
    put(person, "right_ankle", -0.13, 0.08, -0.10)
    person.solve()
    taken = photograph(person.actor.pose, turn=15.0)
    out = io.BytesIO()
    Image.fromarray(((taken.picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).save(out, "PNG")
    open_file(editor, "photo.png", out.getvalue())
    for name in list(taken.points)[:-2]:
        mark(editor, name, taken.points[name])
