"""The pictures of the pose editor in the documentation, taken of the editor as it is.

They are put into docs/images with UNVEIL_SCREENSHOTS=docs/images; without it they are made, looked at and forgotten.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from studio import scenes
from studio.browser import PROGRAM, visit

from unveil.body import JOINTS

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("viser", reason="viser is not installed")


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine"),
]
SIZE = {"width": 1160, "height": 690}
COLOURS = 128
LARGEST = 300_000  # bytes


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the pictures go."""
    asked = os.environ.get("UNVEIL_SCREENSHOTS")
    return tmp_path_factory.mktemp("screenshots") if asked is None else Path(asked)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from unveil.studio import open_editor
    from unveil.tasks.pose_run import load_poser

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        editor = open_editor(load_poser(None), folder=tmp_path_factory.mktemp("poses"), port=0)
    yield editor
    editor.stop()
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "tab", "arrange", "seen"),
    [
        ("pose-editor.png", "Pose", scenes.reaching, "left wrist · position"),
        ("pose-editor-shapes.png", "Shape", scenes.several, "10 lower limbs"),
        ("pose-editor-character.png", "Motion", scenes.driven, "60 frames"),
        ("pose-editor-picture.png", "Picture", scenes.pictured, "11 of 13 points"),
    ],
)
def test_the_page_looks_as_the_documentation_shows_it(browser, server, place, name, tab, arrange, seen):
    visitor = visit(browser, server, SIZE)
    page, session = visitor.page, visitor.session
    arrange(session)
    session.ask()
    page.get_by_role("tab", name=tab, exact=True).click()
    if tab == "Picture":
        page.get_by_text("Mark points", exact=True).click()
        page.get_by_text("Click the left ankle;").wait_for(timeout=60_000)
    page.mouse.move(SIZE["width"] / 3, SIZE["height"] - 8)  # where it lies over nothing
    page.wait_for_timeout(3_000)  # what is drawn in the scene comes after the page
    visitor.still(30)
    picture = Image.open(io.BytesIO(page.screenshot(timeout=120_000))).convert("RGB")
    assert seen in page.inner_text("body") or page.locator(f"input[value='{seen}']").count()
    if not session.marking:
        x, y = visitor.pixel(visitor.joint(JOINTS.index("spine2")))
        colour = np.asarray(picture)[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        assert colour.mean() < 215, "there is no body where it should be"
    few = picture.quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)
    few.save(place / name, optimize=True)
    assert (place / name).stat().st_size < LARGEST
    page.close()
