"""docs/images/pose-editor.png, pose-editor-shapes.png and pose-editor-character.png: the pose editor in Chromium.

The first is a body in the middle of being posed, the second are several of other shapes, the third is a skeleton of a motion
file that the body drives. With `--run RUN` another run poses them.
"""

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from trained import IMAGES

from unveil.body import JOINTS, LOOK_AT, POSITION, angles_to_pose, key_poses, plant_feet, random_motion, write_bvh
from unveil.studio import Actor, PoseEditorState, open_editor, open_file
from unveil.studio.session import Session
from unveil.tasks.pose_run import load_poser

FLAGS = ["--headless", "--no-sandbox", "--disable-background-networking"]
FLAGS += ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1040, "height": 640}


def put(editor: PoseEditorState, name: str, *place: float) -> None:
    """Hold a joint somewhere."""
    joint = JOINTS.index(name)
    editor.add_grip(joint)
    editor.move_grip(joint, POSITION, place)


def reaching(session: Session) -> None:
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


def several(session: Session) -> None:
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

        def stand(actor: Actor, rotations: Tensor = rotations, place: Tensor = place) -> Actor:
            return actor.posed(rotations, place).snapped(editor.body)

        editor.desk.edit(stand)
        if number == 2:
            put(editor, "left_wrist", x + 0.42, 1.28, 0.42)
        editor.solve()
    session.client.camera.position = (0.2, 1.35, 4.9)
    session.client.camera.look_at = (-0.4, 0.75, 0.0)


def driven(session: Session) -> None:
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
    pelvis, facing = editor.actor.scale * editor.actor.pose.pelvis[0], editor.actor.pose.rotations[0, 0, :, 2]
    ahead, left = (
        facing * torch.tensor([1.0, 0, 1]),
        editor.actor.pose.rotations[0, 0, :, 0] * torch.tensor([1.0, 0, 1]),
    )
    eye = pelvis + 2.6 * ahead + 2.4 * left
    session.client.camera.position = (float(eye[0]), 1.35, float(eye[2]))
    session.client.camera.look_at = (float(pelvis[0]), 0.88, float(pelvis[2]))


def take(page: object, name: str) -> None:
    """A picture of the page."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(IMAGES / name, optimize=True)


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = argparse.ArgumentParser()
    options.add_argument("--run", type=Path)
    options.add_argument("--only", default="")
    given = options.parse_args()
    torch.set_num_threads(1)
    scenes: dict[str, tuple[str, Callable[[Session], None]]] = {
        "pose-editor.png": ("Pose", reaching),
        "pose-editor-shapes.png": ("Shape", several),
        "pose-editor-character.png": ("Motion", driven),
    }
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        editor = open_editor(load_poser(given.run), folder=place, port=0)
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for name, (tab, arrange) in scenes.items():
            if given.only not in name:
                continue
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(240_000)
            page.goto(editor.address)
            page.wait_for_timeout(15_000)
            page.locator(".mantine-Notification-closeButton").first.click()
            session = next(iter(editor.sessions.values()))
            arrange(session)
            session.ask()
            session.wait()
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(8_000)
            take(page, name)
            page.close()
            while editor.sessions:
                page = browser.new_page()
                page.wait_for_timeout(500)
                page.close()
        browser.close()
        editor.stop()


if __name__ == "__main__":
    main()
