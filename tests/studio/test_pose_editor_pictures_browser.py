"""Points are clicked in a picture, in a real browser, and the body comes to lie over the person."""

import io
from functools import partial

import pytest
import torch
from PIL import Image

from unveil.body import JOINTS
from unveil.body.estimation import Camera, KeypointFit
from unveil.studio import Folder, PoseEditor, PoseEditorState, fitting, mark, open_file
from unveil.studio.labels import POINTS

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("viser", reason="viser is not installed")

from studio.browser import PROGRAM, launch, visit  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine"),
]
SIZE = (300, 200)


def photo():
    out = io.BytesIO()
    Image.linear_gradient("L").resize(SIZE[::-1]).save(out, "PNG")
    return out.getvalue()


def test_points_are_clicked_and_the_body_lies_over_the_person(body, tmp_path, monkeypatch):
    from studio.conftest import Standing

    monkeypatch.setattr(fitting, "KeypointFit", partial(KeypointFit, iterations=(15, 8, 8)))
    server = PoseEditor(lambda: PoseEditorState(body, Standing(body), Folder(tmp_path)), port=0)
    try:
        with playwright_api.sync_playwright() as playwright:
            browser = launch(playwright)
            visitor = visit(browser, server)
            page, editor = visitor.page, visitor.editor
            visitor.session.do(lambda: open_file(editor, "photo.png", photo()))
            page.get_by_role("tab", name="Picture", exact=True).click()
            page.get_by_text("Mark points", exact=True).click()
            visitor.until(lambda: visitor.session.marking)
            visitor.settled()
            page.wait_for_timeout(1000)
            camera = visitor.session.client.camera
            width, height = camera.image_width, camera.image_height
            pixels = Camera.of_picture(*SIZE).project(editor.actor.joints(body)[0] + torch.tensor([0.1, -0.9, -3.6]))
            share = height / SIZE[0]  # the picture is narrower than the page
            for count, name in enumerate(POINTS[1:3], 1):
                if count == 1:
                    page.locator("xpath=//*[normalize-space(text())='Point']/following::input[1]").click()
                    page.get_by_role("option", name=name.replace("_", " "), exact=True).click()
                    visitor.until(lambda name=name: visitor.session.point == name)
                x, y = pixels[JOINTS.index(name)].tolist()
                page.mouse.click(width / 2 + (x - SIZE[1] / 2) * share, y * share)
                visitor.until(lambda count=count: len(editor.actor.labels.marks) == count)
                found = editor.actor.labels.mark(name)
                assert (found.x, found.y) == pytest.approx((x, y), abs=1.5)
            page.screenshot(path=tmp_path / "marking.png")
            for name in POINTS[3:]:
                mark(editor, name, tuple(pixels[JOINTS.index(name)].tolist()))
            page.get_by_role("button", name="Fit the body", exact=True).click()
            visitor.until(lambda: editor.actor.labels.eye is not None)
            visitor.until(lambda: not visitor.session.marking)
            visitor.settled()
            page.wait_for_timeout(1500)
            page.screenshot(path=tmp_path / "fitted.png")
            for name in ("left_wrist", "right_knee"):
                x, y = pixels[JOINTS.index(name)].tolist()
                expected = (width / 2 + (x - SIZE[1] / 2) * share, y * share)
                assert visitor.pixel(visitor.joint(JOINTS.index(name))) == pytest.approx(expected, abs=12)
            browser.close()
    finally:
        server.stop()
