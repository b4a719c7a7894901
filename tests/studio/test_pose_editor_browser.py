"""The pose editor in a real browser that reaches nothing but this machine."""

import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from studio.browser import PROGRAM, visit

from unveil.body import JOINTS, POSITION, ROTATION, read_amass, read_bvh, read_glb
from unveil.studio import PoseEditor
from unveil.studio.latest import Latest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("viser", reason="viser is not installed")


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine"),
]
WRIST, ELBOW = JOINTS.index("left_wrist"), JOINTS.index("right_elbow")


@pytest.fixture(scope="module")
def server(body, tmp_path_factory):
    from studio.conftest import Standing

    from unveil.studio import Folder, PoseEditorState

    folder = Folder(tmp_path_factory.mktemp("poses"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    editor = PoseEditor(lambda: PoseEditorState(body, Standing(body), folder), port=0)
    yield editor
    editor.stop()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def visitor(browser, server):
    return visit(browser, server)


@pytest.fixture(autouse=True)
def from_the_start(visitor):
    """Every test begins with the scene as it was at first, and the view too."""
    while visitor.editor.undo():
        pass
    visitor.editor.selected = (WRIST, POSITION)
    visitor.session.ask()
    visitor.settled()


def tab(visitor, name):
    visitor.page.get_by_role("tab", name=name, exact=True).click()


def button(visitor, name):
    visitor.page.get_by_role("button", name=name, exact=True).click()


def field(visitor, name):
    """The input beside some words."""
    return visitor.page.locator(f"xpath=//*[normalize-space(text())='{name}']/following::input[1]")


def pick(visitor, name, option):
    field(visitor, name).click()
    visitor.page.get_by_role("option", name=option, exact=True).click()


def pose_of(visitor):
    return visitor.editor.actor.pose.rotations


def test_the_page_asks_nothing_of_the_network(visitor):
    assert visitor.asked == []
    assert visitor.page.get_by_text("Mouse and keys").is_visible()


def test_a_ring_is_dragged_and_the_body_follows_and_undo_restores_it(visitor):
    before, place = pose_of(visitor), visitor.joint(ELBOW)
    visitor.drag(visitor.pixel(place), (-25, -30))
    assert np.linalg.norm(visitor.joint(ELBOW) - place) > 0.05
    assert visitor.joint(ELBOW)[1] > place[1]
    assert visitor.editor.actor.grip(ELBOW, POSITION) is not None
    assert visitor.editor.steps == (1, 0)
    after = pose_of(visitor)
    button(visitor, "Undo")
    visitor.until(lambda: visitor.editor.steps == (0, 1))
    visitor.settled()
    assert torch.equal(pose_of(visitor), before)
    visitor.page.mouse.click(20, 20)
    visitor.page.keyboard.press("Shift+Z")
    visitor.until(lambda: visitor.editor.steps == (1, 0))
    assert torch.equal(pose_of(visitor), after)


def test_an_arrow_of_a_gizmo_is_dragged_along_its_axis(visitor):
    place = visitor.joint(WRIST)
    grip = np.array(visitor.editor.actor.grip(WRIST, POSITION).place)
    tip = visitor.pixel(grip + np.array([0.0, 0.17, 0.0]))  # of the arrow that points up
    visitor.drag(tip, (0, -35), catches=False)
    moved = np.array(visitor.editor.actor.grip(WRIST, POSITION).place) - grip
    assert moved[1] > 0.05
    assert abs(moved[0]) + abs(moved[2]) < 0.02
    assert visitor.joint(WRIST)[1] > place[1] + 0.05
    assert visitor.editor.steps == (1, 0)


def test_what_has_arrows_is_dragged_by_its_middle_in_the_plane_of_view(visitor):
    place, camera = visitor.joint(WRIST), visitor.session.client.camera
    ahead = np.asarray(camera.look_at) - np.asarray(camera.position)
    assert visitor.session.gizmos._gizmos[(WRIST, POSITION)].active_axes == (True, True, False)
    visitor.drag(visitor.pixel(place), (20, -35))
    way = visitor.joint(WRIST) - place
    assert way[1] > 0.05
    assert abs(way @ ahead) < 0.1 * np.linalg.norm(way) * np.linalg.norm(ahead)
    assert visitor.editor.steps == (1, 0)


def test_clicks_hold_a_joint_and_let_it_go(visitor):
    x, y = visitor.pixel(visitor.joint(ELBOW))
    at = x - 5, y + 4  # beside the arrows that come when it is selected
    for held in (True, False):
        visitor.hover(at)
        visitor.page.mouse.click(*at)
        visitor.until(lambda held=held: (visitor.editor.actor.grip(ELBOW, POSITION) is not None) == held)
        visitor.settled()


def test_a_slider_reshapes_the_body(visitor):
    tab(visitor, "Shape")
    vertices = visitor.editor.actor.vertices(visitor.editor.body)
    slider = visitor.page.get_by_role("slider").first
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    visitor.until(lambda: visitor.editor.actor.betas.abs().max() > 0.5)
    visitor.settled()
    assert visitor.editor.actor.betas[0] > 0.5
    assert (visitor.editor.actor.vertices(visitor.editor.body) - vertices).abs().max() > 0.01
    assert visitor.editor.steps == (1, 0)
    tab(visitor, "Pose")


def test_bodies_that_are_added_are_all_in_view(visitor):
    tab(visitor, "Scene")
    for count in (2, 3):
        button(visitor, "Add one")
        visitor.until(lambda count=count: len(visitor.editor.scene.actors) == count)
        left, top, width, height = visitor.still()
        for actor in visitor.editor.scene.actors:
            for joint in actor.joints(visitor.editor.body)[0].numpy():
                x, y = visitor.pixel(joint)
                assert left < x < left + width
                assert top < y < top + height
    tab(visitor, "Pose")
    visitor.page.mouse.click(20, 20)
    visitor.page.keyboard.press("f")


def test_recovering_shows_the_effectors(visitor):
    button(visitor, "Recover effectors")
    visitor.until(lambda: visitor.editor.steps[0] == 1)
    visitor.settled()
    grips = visitor.editor.actor.grips
    assert 1 <= len(grips) <= 6
    shown = set(visitor.session.gizmos._gizmos)
    assert shown == {grip.key for grip in grips if grip.joint == grips[0].joint}
    visitor.page.get_by_text("effectors give the pose again").wait_for(timeout=60_000)


def test_a_rotation_is_added_from_the_panel(visitor):
    pick(visitor, "Kind", "rotation")
    button(visitor, "Add it")
    visitor.until(lambda: visitor.editor.actor.grip(JOINTS.index("head"), ROTATION))


def test_what_is_downloaded_holds_the_pose(visitor, tmp_path):
    visitor.drag(visitor.pixel(visitor.joint(ELBOW)), (-25, -30))
    tab(visitor, "Files")
    joints = visitor.editor.actor.joints(visitor.editor.body)[0]
    for kind in ("glb", "bvh", "npz", "json", "png"):
        if kind != "glb":
            pick(visitor, "As", kind)
        with visitor.page.expect_download(timeout=120_000) as download:
            button(visitor, "Download")
        assert download.value.suggested_filename == f"pose.{kind}"
        download.value.save_as(tmp_path / f"pose.{kind}")
    motion = read_bvh(tmp_path / "pose.bvh")
    order = [motion.skeleton.index(name) for name in JOINTS]
    assert torch.allclose(motion.world()[1][0, order], joints, atol=1e-4)
    character = read_glb(tmp_path / "pose.glb")
    assert torch.allclose(next(iter(character.motions.values())).world()[1][0], joints, atol=1e-4)
    read = read_amass(tmp_path / "pose.npz", visitor.editor.body)
    assert torch.allclose(read.posed(visitor.editor.body).joints[0], joints, atol=1e-4)
    assert len(json.loads((tmp_path / "pose.json").read_text())["effectors"]) == 7
    assert (tmp_path / "pose.png").read_bytes().startswith(b"\x89PNG")
    tab(visitor, "Pose")


def test_a_name_that_leads_out_of_the_folder_is_refused_in_words(visitor):
    tab(visitor, "Files")
    field(visitor, "Name").fill("../out")
    visitor.page.wait_for_timeout(500)
    button(visitor, "Save in the folder")
    visitor.page.get_by_text("cannot be used").wait_for(timeout=60_000)
    assert not visitor.editor.folder.path.parent.joinpath("out.glb").exists()
    field(visitor, "Name").fill("pose")
    tab(visitor, "Pose")


def test_a_file_is_uploaded(visitor, tmp_path):
    path = tmp_path / "arms.json"
    path.write_text(json.dumps([{"type": "position", "joint": "pelvis", "position": [0, 0.9, 0]}]))
    tab(visitor, "Files")
    with visitor.page.expect_file_chooser(timeout=60_000) as chooser:
        button(visitor, "From this computer")
    chooser.value.set_files(path)
    visitor.until(lambda: len(visitor.editor.actor.grips) == 1)
    tab(visitor, "Pose")


def test_two_browsers_do_not_touch_one_another(visitor, browser, server):
    other = visit(browser, server)
    assert other.editor is not visitor.editor
    mine = pose_of(visitor)
    theirs = pose_of(other)
    other.drag(other.pixel(other.joint(ELBOW)), (-25, -30))
    assert not torch.equal(pose_of(other), theirs)
    assert torch.equal(pose_of(visitor), mine)
    assert visitor.editor.steps[0] == 0
    number = other.session.client.client_id
    other.page.close()
    visitor.until(lambda: number not in server.sessions)


OTHER_SITE = """
(address) => new Promise((done) => {
    let words = 0;
    const socket = new WebSocket(address.replace("http", "ws"), ["VERSION"]);
    socket.onmessage = () => (words += 1);
    socket.onopen = () => socket.send(new Uint8Array([1, 2, 3]));
    socket.onclose = (event) => done([event.code, words]);
})
"""


def test_a_page_of_another_site_in_the_same_browser_is_not_spoken_with(browser, server, visitor):
    import viser

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{site.server_port}/no-such-page")
        script = OTHER_SITE.replace("VERSION", f"viser-v{viser.__version__}")
        assert page.evaluate(script, server.address) == [1008, 0]
        assert set(server.sessions) == {visitor.session.client.client_id}
    finally:
        page.close()
        site.shutdown()
        site.server_close()


def test_it_listens_to_this_machine_only(server):
    assert server.server.get_host() == "127.0.0.1"


def test_only_the_newest_of_much_work_is_done():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        go_on.wait(10)
        done.append(1)

    latest = Latest(work, failed=pytest.fail)
    latest.ask()
    assert begun.wait(10)
    for _ in range(20):
        latest.ask()
    go_on.set()
    assert latest.wait(10)
    assert len(done) == 2
    latest.close()
