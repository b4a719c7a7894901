"""From a picture or an estimator's file to a body of the pose editor, without a page."""

import io
import json
import pickle
from dataclasses import replace
from functools import partial
from math import atan, tan

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.body import JOINTS, POSITION, random_motion, read_glb, write_amass
from unveil.body.estimation import Camera, KeypointFit, Keypoints, PoseEstimate, keypoints_of
from unveil.core.errors import ConfigError, DataError
from unveil.geometry import axis_angle_to_matrix
from unveil.studio import Backdrop, fit, fitting, mark, open_file, other_pose, save, saved, take_person, unmark
from unveil.studio.labels import POINTS, Labels
from unveil.studio.looks import PAPER
from unveil.tasks.pose_photograph import photograph

SIZE = (300, 400)
CAMERA = Camera.of_picture(*SIZE)
AWAY = torch.tensor([0.1, -0.9, -4.0])


def png(height=SIZE[0], width=SIZE[1]):
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 150)).save(out, "PNG")
    return out.getvalue()


def seen(editor):
    """Where the joints of the body are in a picture taken from before it."""
    return CAMERA.project(editor.actor.joints(editor.body)[0] + AWAY)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Standing bodies are fitted in fewer steps than people need."""
    monkeypatch.setattr(fitting, "KeypointFit", partial(KeypointFit, iterations=(15, 8, 8)))


@pytest.fixture
def pictured(editor):
    open_file(editor, "photo.png", png())
    return editor


@pytest.fixture
def marked(pictured):
    pixels = seen(pictured)
    for name in POINTS[1:]:
        mark(pictured, name, tuple(pixels[JOINTS.index(name)].tolist()))
    return pictured


def test_a_picture_lies_whole_in_the_middle_of_a_page():
    backdrop = Backdrop(np.zeros((150, 200, 3), np.uint8), "photo.png", SIZE)
    assert backdrop.page(2.0) == (300, 600)
    assert backdrop.page(1.0) == (400, 400)
    assert backdrop.pixel((0.5, 0.5), 2.0) == pytest.approx((200, 150))
    assert backdrop.pixel((1 / 6, 0.0), 2.0) == pytest.approx((0, 0), abs=1e-9)
    assert backdrop.pixel((0.25, 0.25), 1.0) == pytest.approx((100, 50))
    with pytest.raises(ConfigError, match="beside the picture"):
        backdrop.pixel((0.1, 0.5), 2.0)
    assert backdrop.framed(2.0).shape == (150, 300, 3)
    assert tan(backdrop.field_of_view(480, 2.0) / 2) == pytest.approx(150 / 480)
    assert backdrop.field_of_view(480, 1.0) == pytest.approx(2 * atan(200 / 480))


def test_a_photo_is_turned_upright_and_what_shines_through_is_paper(editor):
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, 200:] = 255  # the right side, which is at the bottom when it is turned
    turned, photo = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(photo, "JPEG", exif=turned)
    open_file(editor, "photo.jpg", photo.getvalue())
    assert editor.backdrop.size == (300, 200)
    assert editor.backdrop.pixels[:190].max() < 20
    assert editor.backdrop.pixels[210:].min() > 235

    clear = io.BytesIO()
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(clear, "PNG")
    open_file(editor, "clear.png", clear.getvalue())
    assert (editor.backdrop.pixels == PAPER).all()


def test_marked_points_are_drawn_where_they_are(pictured):
    plain = pictured.backdrop.framed(2.0)
    mark(pictured, "nose", (100.0, 60.0))
    different = np.argwhere((pictured.backdrop.framed(2.0, pictured.actor.labels.marks) != plain).any(-1))
    assert different.mean(0) == pytest.approx((60, 200), abs=1)  # bars of 100 pixels at either side


def test_large_pictures_are_marked_in_their_own_pixels(editor):
    open_file(editor, "large.png", png(1200, 3200))
    assert editor.backdrop.size == (1200, 3200)
    assert editor.backdrop.pixels.shape == (600, 1600, 3)
    assert editor.backdrop.pixel((0.5, 0.5), 3200 / 1200) == pytest.approx((1600, 600))


def test_points_are_marked_one_after_another_and_each_is_a_step(pictured):
    name, order = "nose", []
    for i in range(len(POINTS)):
        order.append(name)
        mark(pictured, name, (10.0 * i, 5.0))
        name = pictured.actor.labels.after(name)
    assert tuple(order) == POINTS
    assert name == POINTS[-1]
    assert pictured.steps == (13, 0)
    mark(pictured, "nose", (7.0, 8.0))
    assert pictured.actor.labels.mark("nose").y == 8.0
    assert len(pictured.actor.labels.marks) == 13
    unmark(pictured, "left_hip")
    assert pictured.actor.labels.after("nose") == "left_hip"
    unmark(pictured)
    assert not pictured.actor.labels
    pictured.undo()
    assert len(pictured.actor.labels.marks) == 12


def test_a_fitted_body_lies_over_the_person_and_stands_on_the_floor(marked):
    before, steps = marked.scene, marked.steps[0]
    done = []
    sentence = fit(marked, progress=lambda *share: done.append(share))
    assert "12 points" in sentence
    assert done[-1] == (12, 12)
    labels = marked.actor.labels
    joints = marked.actor.joints(marked.body)[0]
    pixels = labels.camera.project(joints - torch.tensor(labels.eye))
    for each in labels.marks:
        assert pixels[JOINTS.index(each.name)].tolist() == pytest.approx((each.x, each.y), abs=4)
    assert float(marked.actor.vertices(marked.body)[:, 1].min()) == pytest.approx(0, abs=1e-4)
    for grip in marked.actor.grips:
        assert torch.allclose(torch.tensor(grip.place), joints[grip.joint], atol=1e-6)
    assert marked.steps[0] == steps + 1
    marked.undo()
    assert marked.scene is before


def test_other_likely_poses_are_gone_through(pictured):
    pose = pictured.actor.pose
    turns = [axis_angle_to_matrix(torch.tensor([0.0, angle, 0.0])) for angle in (0.0, 1.0, 2.0)]
    likely = tuple(
        PoseEstimate(
            torch.cat([turn[None], pose.rotations[0, 1:]]), pose.pelvis[0] + AWAY, torch.zeros(10), camera=CAMERA
        )
        for turn in turns
    )
    pictured.desk.edit(lambda actor: replace(actor, labels=Labels(likely=likely, camera=CAMERA, size=SIZE)))
    for number in (2, 3, 1):
        assert other_pose(pictured) == f"Pose {number} of 3."
        assert torch.equal(pictured.actor.pose.rotations[0], likely[number - 1].rotations)
        assert pictured.actor.labels.eye == pytest.approx((-AWAY).tolist(), abs=0.05)
    pictured.undo()
    assert pictured.actor.labels.which == 2


def test_two_people_of_one_picture_are_seen_by_one_camera(marked):
    fit(marked, keep_shape=True)
    eye, marks = marked.actor.labels.eye, marked.actor.labels.marks
    marked.add_body()
    for each in marks:
        mark(marked, each.name, (each.x + 40, each.y))
    marked.set_scale(0.5)
    fit(marked, keep_shape=True)
    assert marked.actor.labels.eye == pytest.approx([2 * x for x in eye])
    place = marked.actor.joints(marked.body)[0] - torch.tensor(eye)
    for each in marked.actor.labels.marks:
        pixel = CAMERA.project(place[JOINTS.index(each.name)])
        assert pixel.tolist() == pytest.approx((each.x, each.y), abs=4)


def test_labels_are_exported_and_come_back(marked, new_editor):
    fit(marked, focal=500.0)
    content = json.loads(saved(marked, "json"))
    assert content["camera"]["focal"] == 500
    assert content["picture"] == {"name": "photo.png", "height": 300, "width": 400}
    (points,) = keypoints_of(content)
    assert len(points.names) == 12
    for kind in ("json", "project"):
        other = new_editor()
        open_file(other, "labels.json", save(marked, f"labels {kind}", kind).read_bytes())
        assert other.actor.labels.plain(1.0) == marked.actor.labels.plain(1.0)
        assert torch.equal(other.actor.pose.rotations, marked.actor.pose.rotations)


def test_a_character_keeps_its_shape(marked):
    out = io.BytesIO(saved(marked, "glb"))
    open_file(marked, "hero.glb", out.getvalue())
    betas = marked.actor.betas
    fit(marked)
    assert torch.equal(marked.actor.betas, betas)
    assert marked.actor.costume is not None


def poses(count):
    rows = np.zeros((count, 72), np.float32)
    rows[:, 0] = np.pi  # upright before a camera whose Y points down
    rows[:, 50] = 0.1 * np.arange(count)
    return rows


@pytest.mark.parametrize("kind", ["npz", "pkl", "json"])
def test_people_that_an_estimator_found_are_chosen_from(editor, kind):
    people = {"smpl_thetas": poses(3), "smpl_betas": np.full((3, 10), 0.5, np.float32), "cam_trans": np.ones((3, 3))}
    out = io.BytesIO()
    if kind == "npz":
        np.savez(out, results=np.array(people, dtype=object))
    elif kind == "pkl":
        pickle.dump(people, out)
    else:
        out.write(json.dumps({name: value.tolist() for name, value in people.items()}).encode())
    before = editor.scene
    assert "person 1 of 3" in open_file(editor, f"found.{kind}", out.getvalue())
    assert len(editor.people) == 3
    first = editor.actor.pose.rotations
    assert editor.actor.betas.tolist() == [0.5] * 10
    assert float(editor.actor.vertices(editor.body)[:, 1].min()) == pytest.approx(0, abs=1e-4)
    head, pelvis = (editor.actor.joints(editor.body)[0][JOINTS.index(name), 1] for name in ("head", "pelvis"))
    assert head > pelvis + 0.4
    take_person(editor, editor.people, 2)
    assert not torch.allclose(editor.actor.pose.rotations, first)
    with pytest.raises(ConfigError, match="no number 4"):
        take_person(editor, editor.people, 3)
    editor.undo()
    editor.undo()
    assert editor.scene is before


def test_a_motion_stays_a_motion(editor, tmp_path):
    write_amass(random_motion(editor.body, 4, shape=torch.zeros(10)), tmp_path / "walk.npz", editor.body)
    open_file(editor, "walk.npz", (tmp_path / "walk.npz").read_bytes())
    assert len(editor.actor.motion) == 4
    assert editor.people is None
    with np.load(tmp_path / "walk.npz") as file:
        fields = {name: file[name] for name in file.files if name != "gender"}
    np.savez(tmp_path / "bare.npz", **fields)
    with pytest.raises(DataError, match="no gender"):
        open_file(editor, "bare.npz", (tmp_path / "bare.npz").read_bytes())


def test_points_of_a_file_become_marks_and_places_a_pose(pictured):
    pixels = seen(pictured)
    points = {name: [*pixels[JOINTS.index(name)].tolist(), 0.5] for name in POINTS[1:]}
    told = open_file(pictured, "points.json", json.dumps({"people": [{"points": points}] * 2}).encode())
    assert "person 1 of 2" in told
    assert pictured.actor.labels.mark("left_knee").confidence == 0.5
    joints = pictured.actor.joints(pictured.body)[0]
    moved = joints + torch.tensor([0.0, 0.0, 2.0])
    places = {name: moved[JOINTS.index(name)].tolist() for name in POINTS[1:]}
    open_file(pictured, "places.json", json.dumps({"points": places, "dimensions": 3}).encode())
    hips = [JOINTS.index("left_hip"), JOINTS.index("left_knee")]
    now = pictured.actor.joints(pictured.body)[0]
    assert (now[hips[0]] - now[hips[1]]).tolist() == pytest.approx(
        (joints[hips[0]] - joints[hips[1]]).tolist(), abs=0.05
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: mark(e, "tail", (1.0, 1.0)), "no point 'tail'"),
        (lambda e: mark(e, "nose", (float("nan"), 1.0)), "finite"),
        (fit, "mark 4 at least"),
        (other_pose, "no other pose"),
        (lambda e: open_file(e, "x.json", b'{"points": {"tail": [0, 0]}}'), "tail"),
        (lambda e: open_file(e, "x.json", b'{"nothing": 1}'), "no points that can be used: no person"),
        (lambda e: open_file(e, "x.pkl", b"cos\nsystem\n(S'true'\ntR."), r"x\.pkl"),
        (lambda e: open_file(e, "x.json", b'{"effectors": [], "camera": {"focal": -1, "centre": [0, 0]}}'), "position"),
        (lambda e: open_file(e, "x.json", b'{"effectors": [], "points": {"nose": [1]}}'), "can be read"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(pictured, change, words):
    before = pictured.scene
    with pytest.raises((ConfigError, DataError), match=words) as refused:
        change(pictured)
    assert "/tmp" not in str(refused.value)
    assert pictured.scene is before


def test_points_of_a_picture_are_not_fitted_in_another_of_another_size(pictured):
    for name in POINTS[:5]:
        mark(pictured, name, (10.0 + len(name), 20.0))
    height, width = pictured.backdrop.size
    pictured.backdrop = replace(pictured.backdrop, size=(2 * height, 2 * width))
    with pytest.raises(ConfigError, match=f"of a picture of {width} x {height} pixels"):
        fit(pictured)


def test_without_a_picture_nothing_is_marked_and_pixels_are_not_fitted(editor):
    with pytest.raises(ConfigError, match="no picture"):
        mark(editor, "nose", (1.0, 1.0))
    points = Keypoints(POINTS[:5], torch.arange(10.0).reshape(5, 2), torch.ones(5))
    rows = {name: row.tolist() for name, row in zip(points.names, points.points, strict=True)}
    open_file(editor, "points.json", json.dumps({"points": rows}).encode())
    with pytest.raises(ConfigError, match="need their picture"):
        fit(editor)


def test_a_character_of_a_file_comes_out_in_the_pose_of_a_picture(editor, new_editor, real_data, tmp_path):
    """The whole way: a picture, its points, a character of somebody else, the pose on it, a correction, a file."""
    person = new_editor()
    wrist = JOINTS.index("left_wrist")
    person.move_grip(wrist, POSITION, (0.45, 1.45, 0.15))
    person.solve()
    taken = photograph(person.actor.pose, size=SIZE)
    open_file(editor, "CesiumMan.glb", (real_data("characters") / "CesiumMan.glb").read_bytes())
    open_file(editor, "photo.png", png())
    for name, pixel in taken.points.items():
        mark(editor, name, pixel)
    fit(editor, focal=taken.focal)
    costume = editor.actor.costume
    assert costume is not None
    hand = editor.actor.joints(editor.body)[0][wrist]
    shoulder = editor.actor.joints(editor.body)[0][JOINTS.index("left_shoulder")]
    assert hand[1] > shoulder[1] - 0.1  # the hand is raised, as in the picture
    editor.desk.follow = "near"
    x, y, z = editor.add_grip(wrist).place
    editor.move_grip(wrist, POSITION, (x, y - 0.1, z))
    editor.solve()
    assert float(editor.actor.joints(editor.body)[0][wrist, 1]) == pytest.approx(y - 0.1, abs=0.01)
    (tmp_path / "posed.glb").write_bytes(saved(editor, "glb"))
    again = read_glb(tmp_path / "posed.glb")
    worn = editor.actor.worn(editor.body)
    missed = [motion.world()[1][0] - worn.positions for motion in again.motions.values()]
    assert min(float(each.norm(dim=1).max()) for each in missed) < 1e-3
