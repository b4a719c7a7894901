"""How long the pose editor takes from a drag to the body redrawn.

By the processor's clock: the pose of a drag (network and three steps of refinement), the skin, and what is told to a page. By
the wall clock: from a drag that reaches the server to the skin on its way, through the editor's own thread. With --browser, in
Chromium too: from the pointer's move to the skin being drawn, and beside it what one frame of the page costs while nothing
moves, which is the rasteriser's alone. Two cores and no GPU are what the goal is for.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import measuring
import torch

from unveil.body import JOINTS, POSITION, Body
from unveil.body.refining_solver import RefiningSolver
from unveil.core.errors import UnveilError
from unveil.studio import Folder, PoseEditor, PoseEditorState
from unveil.studio.session import Session

GOAL = "< 50"
WRIST, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("right_elbow")
FRAMES = 8  # the page draws itself about once a second while nothing moves
LARGE = 60_000  # bytes: of all that is drawn anew only the skin is so large


def solver_of(run: Path | None) -> RefiningSolver | object:
    """The trained run, or refining from rest where there is none."""
    from unveil.tasks.pose_run import load_poser

    try:
        return load_poser(run)
    except UnveilError:
        if run is not None:
            raise
        body = Body.embedded()
        return RefiningSolver(body, steps=0)


def goal_of(i: int) -> tuple[float, float, float]:
    """Where the hand is at the i-th event: it goes round."""
    t = 0.15 * torch.tensor(float(i))
    return 0.45 + 0.1 * float(t.sin()), 1.1 + 0.15 * float(t.cos()), 0.3


def events(work: Callable[[int], object], count: int, now: Callable[[], float]) -> list[float]:
    """Milliseconds that each event takes, after ten that do not count."""
    for i in range(10):
        work(i)
    found = []
    for i in range(10, 10 + count):
        begin = now()
        work(i)
        found.append(1000 * (now() - begin))
    return found


def report(bench: measuring.Bench, name: str, found: list[float]) -> None:
    ranked = sorted(found)
    bench.figure(f"{name}, median", statistics.median(found), "ms", GOAL)
    bench.figure(f"{name}, worst of twenty", ranked[int(0.95 * (len(ranked) - 1))], "ms", GOAL)


class Everybody:
    """The scene that all browsers share, in the place of one browser that looks at it; none is there to look."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.camera = SimpleNamespace(
            on_update=lambda told: None, image_width=1, image_height=1, position=(0.0, 1.0, 4.0)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


WATCH = """
window.moved = []; window.drawn = []; window.frames = null;
addEventListener("pointermove", () => window.moved.push(performance.now()), true);
for (const name of ["bufferData", "bufferSubData"]) {
    const own = WebGL2RenderingContext.prototype[name];
    WebGL2RenderingContext.prototype[name] = function (...given) {
        if (given.some((one) => one && one.byteLength > LARGE)) window.drawn.push(performance.now());
        return own.apply(this, given);
    };
}
let begun = false;
for (const name of ["drawElements", "drawArrays", "drawElementsInstanced", "drawArraysInstanced"]) {
    const own = WebGL2RenderingContext.prototype[name];
    WebGL2RenderingContext.prototype[name] = function (...given) {
        if (window.frames && !begun) {
            begun = performance.now();
            queueMicrotask(() => {  // after all of the frame was asked for; reading a pixel waits until it is drawn
                this.readPixels(0, 0, 1, 1, this.RGBA, this.UNSIGNED_BYTE, new Uint8Array(4));
                window.frames.push(performance.now() - begun);
                begun = false;
            });
        }
        return own.apply(this, given);
    };
}
"""


def in_chromium(bench: measuring.Bench, editor: PoseEditor, count: int) -> None:
    """Drag in a real page; it tells itself when the pointer moved, and when a new skin went to be drawn."""
    from playwright.sync_api import TimeoutError, sync_playwright

    flags = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    found: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 820, "height": 460})
        page.add_init_script(WATCH.replace("LARGE", str(LARGE)))
        page.goto(editor.address)
        page.wait_for_timeout(15_000)
        page.locator(".mantine-Notification-closeButton").first.click(timeout=90_000)  # a word on the missing GPU
        page.wait_for_timeout(5_000)
        page.evaluate("window.frames = []")
        page.wait_for_function(f"window.frames.length >= {FRAMES}", timeout=90_000)
        frames = page.evaluate("window.frames")
        page.evaluate("window.frames = null")
        bench.figure("a frame at rest in Chromium, drawn without a GPU, median", statistics.median(frames), "ms", GOAL)
        session = next(iter(editor.sessions.values()))
        box = page.locator("canvas").first.bounding_box()
        x, y = on_page(session, session.editor.actor.joints(session.editor.body)[0][ELBOW], box["width"], box["height"])
        page.mouse.move(x, y)
        page.wait_for_timeout(1_000)
        page.mouse.down()
        page.mouse.move(x + 6, y - 6)
        page.wait_for_timeout(1_000)
        for i in range(count):
            page.evaluate("window.moved = []; window.drawn = []")
            page.mouse.move(x + 6 + i % 12, y - 8 - i % 9)
            try:
                page.wait_for_function("window.drawn.length > 0", timeout=10_000)
            except TimeoutError:
                continue
            page.wait_for_timeout(200)  # the page tells of a drag twenty times a second at most
            moved, drawn = page.evaluate("[window.moved[0], window.drawn[0]]")
            if moved is not None and drawn is not None and drawn > moved:
                found.append(drawn - moved)
        page.mouse.up()
        browser.close()
    if not found:
        raise SystemExit("Chromium drew nothing anew: the drag did not reach the body.")
    report(bench, "drag to redraw in Chromium, drawn without a GPU, wall", found)


def on_page(session: Session, place: torch.Tensor, width: float, height: float) -> tuple[float, float]:
    """The pixel at which a place is seen in a scene of some pixels; the server knows how many are drawn, which may be fewer."""
    from unveil.geometry import quaternion_to_matrix

    camera = session.client.camera
    axes = quaternion_to_matrix(torch.as_tensor(camera.wxyz))
    x, y, z = (axes.T @ (place.double() - torch.as_tensor(camera.position))).tolist()
    focal = height / 2 / torch.tensor(camera.fov / 2).tan().item()
    return width / 2 + focal * x / z, height / 2 + focal * y / z


def main() -> None:
    parser = measuring.parser(__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a trained run; the one that comes with the library without it")
    parser.add_argument("--browser", action="store_true", help="in Chromium too")
    options: argparse.Namespace = parser.parse_args()
    bench = measuring.begin(options)
    torch.set_num_threads(options.threads)
    count = 20 if options.quick else 100
    solver = solver_of(options.run)
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(place)
        state = PoseEditorState(solver.body, solver, folder)
        state.start_drag()

        def pose(i: int) -> None:
            state.move_grip(WRIST, POSITION, goal_of(i))
            state.solve()

        report(bench, "pose of a drag, CPU", events(pose, count, time.process_time))
        report(
            bench,
            "pose and skin of a drag, CPU",
            events(lambda i: (pose(i), state.actor.vertices(state.body)), count, time.process_time),
        )
        editor = PoseEditor(lambda: PoseEditorState(solver.body, solver, folder), port=0)
        try:
            session = Session(Everybody(editor.server), PoseEditorState(solver.body, solver, folder))
            session.ask()
            session.wait()
            session.editor.start_drag()

            def drag(i: int) -> None:
                session.editor.move_grip(WRIST, POSITION, goal_of(i))
                session.ask(solve=True)
                session.wait()

            report(bench, "drag to redraw on the server, CPU", events(drag, count, time.process_time))
            report(bench, "drag to redraw on the server, wall", events(drag, count, time.perf_counter))
            session.close()
            if options.browser:
                in_chromium(bench, editor, count)
        finally:
            editor.stop()


if __name__ == "__main__":
    main()
