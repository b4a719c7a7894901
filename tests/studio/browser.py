"""A pose editor in a real browser, and a hand for its mouse."""

import shutil
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from unveil.geometry import quaternion_to_matrix

PROGRAM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-background-networking", "--use-gl=angle"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
DRAWN = """
(frames) => new Promise((done) => {
    const look = () => (frames-- > 0 ? requestAnimationFrame(look) : done());
    look();
})
"""
CATCHES = "[...document.querySelectorAll('canvas')].some((part) => part.style.cursor === 'pointer')"
NOTHING = (20, 20)  # a corner of the scene
SIZE = {"width": 820, "height": 460}
STILL = """
(frames) => new Promise((done) => {
    let before = "", same = 0;
    const look = () => {
        const parts = [...document.querySelectorAll("canvas, [role=tab], button")];
        const boxes = parts.map((part) => part.getBoundingClientRect()).map((box) => [box.x, box.y, box.width, box.height]);
        same = JSON.stringify(boxes) === before ? same + 1 : 0;
        before = JSON.stringify(boxes);
        const scene = document.querySelector("canvas");
        if (same >= frames && scene) {
            const box = scene.getBoundingClientRect();
            done([box.x, box.y, box.width, box.height]);
        } else requestAnimationFrame(look);
    };
    look();
})
"""


def launch(playwright: Any) -> Any:
    """A browser that draws by itself, or a skip where there is none."""
    if PROGRAM is None:
        pytest.skip("there is no chromium on this machine")
    return playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)


@dataclass
class Visitor:
    """One page on an editor.

    Attributes:
        page: as playwright has it.
        session: what the server holds for it.
        asked: every address that the page asked for.
    """

    page: Any
    session: Any
    asked: list[str]

    @property
    def editor(self) -> Any:
        return self.session.editor

    def until(self, what: Any, seconds: float = 90.0) -> Any:
        """Wait for something to be so, and give it back."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, "the page did not answer in time"
            self.page.wait_for_timeout(100)
        return found

    def settled(self) -> None:
        """Wait until the editor has nothing left to do."""
        self.page.wait_for_timeout(300)
        self.until(lambda: self.session.wait(0.01))

    def still(self, frames: int = 12) -> tuple[float, float, float, float]:
        """Wait until nothing on the page has moved for some frames and the server knows the form of the scene.

        Returns:
            Left, top, width and height of the scene on the page.
        """
        self.settled()
        camera = self.session.client.camera

        def known() -> Any:
            box = tuple(self.page.evaluate(STILL, frames))
            return box if abs(camera.image_width / camera.image_height * box[3] / box[2] - 1) < 0.01 else None

        return self.until(known)

    def pixel(self, place: Any) -> tuple[float, float]:
        """Where on the page a place in the scene is."""
        camera = self.session.client.camera
        axes = quaternion_to_matrix(torch.tensor(np.asarray(camera.wxyz), dtype=torch.float64)).numpy()
        x, y, z = axes.T @ (np.asarray(place, dtype=np.float64) - np.asarray(camera.position))
        # The page draws fewer pixels than it shows when it is slow, and tells the server the former.
        box = self.page.locator("canvas").first.bounding_box()
        focal = box["height"] / 2 / np.tan(camera.fov / 2)
        return box["x"] + box["width"] / 2 + focal * x / z, box["y"] + box["height"] / 2 + focal * y / z

    def joint(self, number: int) -> Any:
        """Where a joint is in the scene."""
        return self.editor.actor.joints(self.editor.body)[0][number].numpy()

    def drag(self, start: tuple[float, float], way: tuple[float, float], catches: bool = True, steps: int = 6) -> None:
        """Press, move and release the mouse, and wait until that is one more step to undo."""
        mouse, before = self.page.mouse, self.editor.steps
        self.hover(start, catches)
        mouse.down()
        for i in range(1, steps + 1):
            mouse.move(start[0] + way[0] * i / steps, start[1] + way[1] * i / steps)
            self.page.wait_for_timeout(100)
            self.drawn(2)
        mouse.up()
        self.until(lambda: not self.editor.desk.dragging and self.editor.steps != before)
        self.settled()

    def hover(self, place: tuple[float, float], catches: bool = True) -> None:
        """Come near in small moves, as a hand does, until the pointer's form tells that there is something to take.

        Args:
            place: on the page.
            catches: whether the page tells by the pointer's form what it takes there; of arrows it does not.
        """
        self.shown()  # what was undone lies elsewhere until it is drawn
        for _ in range(10):
            # The page looks when a pointer enters something; what it forgets since, it finds when that enters anew.
            self.page.mouse.move(*NOTHING)
            self.drawn(2)
            for away in (6, 4, 2, 0):
                self.page.mouse.move(place[0] + away, place[1])
                self.page.wait_for_timeout(150)
                self.drawn(2)  # the page looks what is below
            if not catches or self.page.evaluate(CATCHES):
                return
        raise AssertionError(f"there is nothing to take at {place}")

    def shown(self, times: int = 3) -> None:
        """Wait until the scene looks the same, some times over."""
        looks: list[bytes] = []

        def same() -> bool:
            looks.append(self.page.locator("canvas").first.screenshot())
            return len(looks) > times and len(set(looks[-times:])) == 1

        self.until(same)

    def drawn(self, frames: int) -> None:
        """Wait until the page was drawn some times."""
        self.page.evaluate(DRAWN, frames)


def visit(browser: Any, editor: Any, size: dict[str, int] = SIZE) -> Visitor:
    """Open the editor's page with all but this machine out of reach."""
    context = browser.new_context(viewport=size, accept_downloads=True)
    asked: list[str] = []

    def pass_on(route: Any) -> None:
        here = route.request.url.startswith((editor.address, "data:", "blob:"))
        if here:
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.route("**/*", pass_on)
    page = context.new_page()
    page.on("websocket", lambda socket: None if "127.0.0.1" in socket.url else asked.append(socket.url))
    before = set(editor.sessions)
    page.goto(editor.address)
    end = time.monotonic() + 90
    while not (new := set(editor.sessions) - before):
        assert time.monotonic() < end, "the page did not connect"
        page.wait_for_timeout(100)
    visitor = Visitor(page, editor.sessions[new.pop()], asked)
    # Until shaders are ready nothing is drawn and nothing can be hit: click one that is free until it answers.
    elbow = 19
    visitor.editor.selected = None

    def answered() -> bool:
        page.mouse.click(*visitor.pixel(visitor.joint(elbow)))
        page.wait_for_timeout(1500)
        return visitor.editor.selected is not None

    warning = page.locator(".mantine-Notification-closeButton")
    visitor.until(lambda: warning.count() > 0)
    warning.first.click(timeout=60_000)
    visitor.still()
    visitor.until(answered, 150)
    visitor.settled()
    while visitor.editor.undo():
        pass
    visitor.session.ask()
    visitor.settled()
    return visitor
