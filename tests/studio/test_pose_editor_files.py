"""What a pose editor opens and saves."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.body import (
    JOINTS,
    POSITION,
    ROTATION,
    random_motion,
    read_amass,
    read_bvh,
    read_glb,
    write_amass,
    write_bvh,
    write_glb,
)
from unveil.core.errors import ConfigError, DataError, ExistsError
from unveil.studio import Folder, Grip, open_file, open_named, recover, save, saved
from unveil.studio.bodies_view import limb_by_limb
from unveil.studio.folder import LARGEST
from unveil.studio.gizmos_view import axes_across
from unveil.studio.rings import rings_of

WRIST = JOINTS.index("left_wrist")


@pytest.fixture
def posed(editor):
    editor.move_grip(WRIST, POSITION, (0.5, 1.3, 0.3))
    editor.set_beta(2, 1.5)
    editor.set_gender("female")
    editor.solve()
    return editor


def joints(editor):
    return editor.actor.joints(editor.body)[0]


def corners(data):
    """The vertices of an .obj."""
    lines = data.decode().splitlines()
    return torch.tensor([[float(x) for x in line.split()[1:]] for line in lines if line.startswith("v ")])


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_exported_files_hold_the_pose(posed, tmp_path, scale):
    posed.set_scale(scale)
    posed.solve()
    for kind in ("glb", "bvh", "npz", "json"):
        (tmp_path / f"pose.{kind}").write_bytes(saved(posed, kind))
    motion = read_bvh(tmp_path / "pose.bvh", units="m")
    assert motion.skeleton.names[:1] == ("pelvis",)
    order = [motion.skeleton.index(name) for name in JOINTS]
    assert torch.allclose(motion.world()[1][0, order], joints(posed), atol=1e-4)
    character = read_glb(tmp_path / "pose.glb", units="m")
    own = next(iter(character.motions.values()))
    assert torch.allclose(own.world()[1][0], joints(posed), atol=1e-5)
    assert torch.allclose(character.move(own)[0], posed.actor.vertices(posed.body), atol=1e-4)
    read = read_amass(tmp_path / "pose.npz", posed.body)
    assert torch.allclose(scale * read.posed(posed.body).joints[0], joints(posed), atol=1e-5)
    assert read.gender == "female"
    assert torch.allclose(corners(saved(posed, "obj")), posed.actor.vertices(posed.body), atol=1e-5)
    assert saved(posed, "ply").startswith(b"ply\n")
    content = json.loads((tmp_path / "pose.json").read_text())
    assert torch.equal(torch.tensor(content["pose"]["rotations"]), posed.actor.pose.rotations[0])


@pytest.mark.parametrize("kind", ["npz", "json", "project"])
def test_what_was_saved_opens_with_the_same_pose(posed, new_editor, kind):
    path = save(posed, "mine", kind)
    other = new_editor()
    open_named(other, path.name)
    assert torch.allclose(joints(other), joints(posed), atol=1e-5)
    assert torch.allclose(other.actor.betas, posed.actor.betas)
    other.undo()
    assert torch.equal(other.actor.betas, torch.zeros(10))


@pytest.mark.parametrize("kind", ["glb", "bvh"])
def test_a_character_gives_the_body_its_proportions_and_wears_its_pose(posed, new_editor, kind):
    path = save(posed, "mine", kind)
    other = new_editor()
    assert "24 joints" in open_named(other, path.name)
    assert other.actor.costume.joints.convention == "smpl"
    worn = other.actor.worn(other.body)
    order = [other.actor.costume.skeleton.index(name) for name in JOINTS]
    assert torch.allclose(worn.positions[order], joints(posed), atol=0.03)
    hips = [JOINTS.index(f"{side}_hip") for side in ("left", "right")]
    assert torch.dist(joints(other)[hips].mean(0), joints(posed)[hips].mean(0)) < 1e-4
    assert (worn.vertices is None) == (kind == "bvh")
    written = saved(other, kind)
    (path.parent / f"again.{kind}").write_bytes(written)
    if kind == "glb":
        again = read_glb(path.parent / "again.glb")
        own = next(iter(again.motions.values()))
        assert torch.allclose(own.world()[1][0], worn.positions, atol=1e-4)
        assert torch.allclose(corners(saved(other, "obj")), worn.vertices, atol=1e-5)
    other.undress()
    assert other.actor.worn(other.body) is None


def test_rings_go_around_a_character_that_is_stouter_than_its_body(editor, new_editor):
    editor.set_beta(1, 4.0)  # girth, of which the lengths of limbs do not tell
    path = save(editor, "stout", "glb")
    other = new_editor()
    open_named(other, path.name)
    actor = other.actor
    worn, plain = (rings_of(other.body, one).radii for one in (actor, replace(actor, costume=None)))
    assert bool((worn >= plain - 1e-6).all())
    assert float((worn / plain).amax(1)[[JOINTS.index(name) for name in ("spine1", "left_hip")]].min()) > 1.05
    follows = actor.costume.weights()
    assert torch.allclose(follows.sum(1), torch.ones(len(follows)), atol=1e-5)


def test_an_arrow_that_points_at_the_viewer_is_left_out():
    hand = Grip(POSITION, 20, (0.3, 1.0, 0.0, 0.0, 0.0, 0.0))
    assert axes_across(hand, (0.3, 1.0, 4.0)) == (True, True, False)
    assert axes_across(hand, (-3.0, 1.2, 0.3)) == (False, True, True)
    assert axes_across(hand, (3.0, 3.0, 3.0)) == (True, True, True)
    assert axes_across(hand, hand.place) == (True, True, True)
    assert axes_across(Grip(ROTATION, 20, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)), (0.0, 0.0, 4.0)) == (True, True, True)


def test_the_skin_is_drawn_limb_by_limb(editor):
    body = editor.body
    ordered = limb_by_limb(body)
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, body.faces.tolist()))
    joints = body.weights[0].argmax(1)[ordered].amin(1)
    assert bool((joints.diff() >= 0).all())


def test_a_skeleton_in_centimetres_is_understood(posed, new_editor, tmp_path):
    write_bvh(read_bvh(save(posed, "mine", "bvh"), units="m"), tmp_path / "cm.bvh", units="cm")
    other = new_editor()
    open_file(other, "cm.bvh", (tmp_path / "cm.bvh").read_bytes())
    assert torch.dist(joints(other)[0], joints(posed)[0]) < 1e-3


def test_a_motion_is_gone_through_and_its_frames_are_written(editor, tmp_path):
    motion = random_motion(editor.body, 12, generator=torch.Generator().manual_seed(0))
    write_amass(motion, tmp_path / "walk.npz", editor.body)
    assert "12 frames" in open_file(editor, "walk.npz", (tmp_path / "walk.npz").read_bytes())
    editor.show_frame(7)
    assert torch.allclose(editor.actor.pose.rotations[0, :22], motion.pose[7, :22], atol=1e-5)
    assert torch.allclose(torch.tensor(editor.actor.grip(WRIST, POSITION).place), joints(editor)[WRIST], atol=1e-6)
    (tmp_path / "out.npz").write_bytes(saved(editor, "npz"))
    assert len(read_amass(tmp_path / "out.npz", editor.body)) == 12
    (tmp_path / "one.npz").write_bytes(saved(editor, "npz", moving=False))
    assert len(read_amass(tmp_path / "one.npz", editor.body)) == 1


def test_keyframes_go_from_pose_to_pose(editor, tmp_path):
    first = editor.actor.pose
    editor.add_keyframe(0.0)
    editor.move_grip(WRIST, POSITION, (0.5, 1.3, 0.3))
    editor.solve()
    last = editor.actor.pose
    editor.add_keyframe(1.0)
    editor.show_time(0.0)
    assert torch.equal(editor.actor.pose.rotations, first.rotations)
    editor.show_time(1.0)
    assert torch.equal(editor.actor.pose.rotations, last.rotations)
    editor.show_time(0.5)
    assert torch.allclose(editor.actor.pose.pelvis, (first.pelvis + last.pelvis) / 2, atol=1e-6)
    (tmp_path / "keys.npz").write_bytes(saved(editor, "npz"))
    motion = read_amass(tmp_path / "keys.npz", editor.body)
    assert len(motion) == 31
    assert torch.allclose(motion.pose[-1], last.rotations[0], atol=1e-5)


def test_a_keyframe_is_taken_away_by_its_time(editor):
    for seconds in (0.0, 1.0):
        editor.add_keyframe(seconds)
    with pytest.raises(ConfigError, match=r"no keyframe at 0\.5 s"):
        editor.remove_keyframe(0.5)
    editor.remove_keyframe(1.0)
    assert [key.seconds for key in editor.actor.keyframes] == [0.0]
    assert editor.undo()
    assert len(editor.actor.keyframes) == 2


def test_a_project_holds_everything(posed, new_editor, tmp_path):
    write_glb(posed.body.character(torch.zeros(10), "male"), tmp_path / "hero.glb")
    posed.add_keyframe(0.5)
    posed.set_grip(JOINTS.index("left_ankle"), POSITION, on_floor=True)
    posed.add_body("male")
    open_file(posed, "hero.glb", (tmp_path / "hero.glb").read_bytes())
    write_amass(random_motion(posed.body, 5, shape=torch.zeros(10)), tmp_path / "walk.npz", posed.body)
    open_file(posed, "walk.npz", (tmp_path / "walk.npz").read_bytes())
    other = new_editor()
    open_file(other, "all.json", saved(posed, "project"))
    assert other.scene.chosen == posed.scene.chosen
    for mine, theirs in zip(posed.scene.actors, other.scene.actors, strict=True):
        assert torch.equal(mine.pose.rotations, theirs.pose.rotations)
        assert torch.equal(mine.pose.pelvis, theirs.pose.pelvis)
        assert torch.equal(mine.betas, theirs.betas)
        assert [grip.on_floor for grip in mine.grips] == [grip.on_floor for grip in theirs.grips]
        assert len(mine.keyframes) == len(theirs.keyframes)
        assert (mine.costume is None) == (theirs.costume is None)
    assert torch.equal(posed.actor.motion.pose, other.actor.motion.pose)
    assert other.add_body().number == 3


def test_recovered_effectors_give_the_pose_again(posed):
    before = joints(posed)
    sentence = recover(posed, 6, 0.001)
    assert f"{len(posed.actor.grips)} effectors" in sentence
    assert 1 <= len(posed.actor.grips) <= 6
    assert posed.actor.grips[0].kind == POSITION
    assert torch.equal(joints(posed), before)
    posed.undo()
    assert len(posed.actor.grips) == 6


def test_a_picture_of_the_scene_and_one_behind_it(posed):
    image = Image.open(io.BytesIO(saved(posed, "png", turn=30.0)))
    assert image.height == 720
    assert np.asarray(image).std() > 20
    open_file(posed, "behind.png", saved(posed, "png"))
    assert posed.backdrop.pixels.dtype == np.uint8
    assert posed.backdrop.pixels.shape == (*posed.backdrop.size, 3)


@pytest.mark.parametrize(
    "name",
    [
        *("../out", "/etc/passwd", "a/b", "a\\b", "..", "", ".hidden", "nul", "C:x", "a\0b", "x" * 200, "~", "a\nb"),
        *("..\\up", "a/../../b", "con.glb"),
    ],
)
def test_names_cannot_lead_out_of_the_folder(editor, name):
    before = sorted(editor.folder.path.parent.rglob("*"))
    for attempt in (lambda: save(editor, name, "json"), lambda: open_named(editor, name)):
        with pytest.raises(ConfigError, match="cannot be used"):
            attempt()
    assert sorted(editor.folder.path.parent.rglob("*")) == before


def test_links_cannot_lead_out_of_the_folder(editor, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("[]")
    editor.folder.path.mkdir()
    (editor.folder.path / "link.json").symlink_to(secret)
    with pytest.raises(ConfigError, match="leads out"):
        open_named(editor, "link.json")
    with pytest.raises(ConfigError, match="leads out"):
        save(editor, "link", "json", overwrite=True)
    assert secret.read_text() == "[]"


def test_nothing_is_overwritten_unasked(editor):
    path = save(editor, "mine", "json")
    before = path.read_bytes()
    editor.set_beta(0, 1.0)
    with pytest.raises(ExistsError, match="overwrite"):
        save(editor, "mine", "json")
    assert path.read_bytes() == before
    save(editor, "mine", "json", overwrite=True)
    assert path.read_bytes() != before
    assert [file.name for file in editor.folder.path.iterdir()] == ["mine.json"]


def test_a_folder_that_may_not_be_looked_into_holds_nothing(editor, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    save(editor, "pose", "json")
    assert editor.folder.names([".json"]) == ["pose.json"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        with pytest.raises(DataError, match=r"'pose\.json' cannot be read: Permission denied"):
            editor.folder.read("pose.json")
    monkeypatch.setattr(Path, "iterdir", refused)
    assert editor.folder.names([".json"]) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_could_not_be_written_leaves_nothing_behind(editor, monkeypatch, overwrite):
    path = save(editor, "mine", "json")
    before = path.read_bytes()

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    def full(path, mode):
        path.touch(exist_ok=False)
        return Full()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DataError, match="cannot be written: No space left"):
            editor.folder.write("mine" if overwrite else "other", b"new", ".json", overwrite=overwrite)
    assert [file.name for file in editor.folder.path.iterdir()] == ["mine.json"]
    assert path.read_bytes() == before


def test_a_project_that_could_not_be_opened_again_is_not_saved(editor, monkeypatch):
    monkeypatch.setattr("unveil.studio.folder.LARGEST", 1000)
    with pytest.raises(DataError, match="The project has"):
        save(editor, "large", "project")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": float("inf")}, "infinity"),
        ({"scale": 10**400}, "too large"),
        ({"betas": [9.0] + [0.0] * 9}, "from -5 to 5"),
        ({"pelvis": [1e30, 0, 0]}, "finite"),
        ({"points": {"nose": [10**400, 1]}}, "too large"),
        ({"keyframes": [{"seconds": 1e5}]}, "from 0 to 600"),
        ({"keyframes": [{"seconds": float("inf")}]}, "from 0 to 600"),
        ({"keyframes": [{"seconds": -1.0}]}, "from 0 to 600"),
        ({"keyframes": [{"seconds": 1.0}, {"seconds": 1.0}]}, "Two keyframes"),
        ({"keyframes": [{"rotations": [[[2.0] * 3] * 3] * 24}]}, "no rotation"),
    ],
)
def test_numbers_of_a_project_that_cannot_be_are_refused(editor, change, words):
    editor.add_keyframe(0.0)
    content = json.loads(saved(editor, "project"))
    body = content["bodies"][0]
    keys = [body["keyframes"][0] | key for key in change.get("keyframes", [])]
    body |= change | ({"keyframes": keys} if keys else {})
    before = editor.scene
    text = json.dumps(content).replace("Infinity", "1e999")  # which JSON allows
    with pytest.raises(DataError, match=words):
        open_file(editor, "p.json", text.encode())
    assert editor.scene is before


def test_keyframes_of_a_project_are_put_in_order(editor):
    editor.add_keyframe(0.0)
    editor.add_keyframe(0.5)
    content = json.loads(saved(editor, "project"))
    content["bodies"][0]["keyframes"].reverse()
    open_file(editor, "p.json", json.dumps(content).encode())
    assert [key.seconds for key in editor.actor.keyframes] == [0.0, 0.5]


def test_a_motion_of_a_shape_beyond_the_sliders_can_be_worked_with(editor, tmp_path):
    motion = random_motion(editor.body, 2, generator=torch.Generator().manual_seed(0))
    write_amass(replace(motion, shape=torch.full((10,), 7.0)), tmp_path / "m.npz", editor.body)
    open_file(editor, "m.npz", (tmp_path / "m.npz").read_bytes())
    editor.set_beta(0, 1.0)
    open_file(editor, "again.json", saved(editor, "json"))
    assert editor.actor.betas.tolist() == [1.0] + [5.0] * 9


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        Folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.exe", b"", "cannot be opened"),
        ("x.npz", b"nothing", "no AMASS"),
        ("x.bvh", b"HIERARCHY", "no BVH"),
        ("x.glb", b"glTF", "no character"),
        ("x.png", b"\x89PNG", "no picture"),
        ("x.json", b"{", "no JSON"),
        ("x.json", b'{"kind": "unveil pose project", "version": 99}', "version 99"),
        ("x.json", b'{"kind": "unveil pose project", "version": 1, "bodies": [{}]}', "missing"),
        ("x.json", b'[{"type": "position", "joint": "tail", "position": [0, 0, 0]}]', "tail"),
        ("x.json", b'{"effectors": [], "betas": [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]}', "from -5 to 5"),
        ("x.json", b"NaN", "no JSON"),
        ("x.png", bytes(LARGEST + 1), "50 MB"),
    ],
)
def test_what_cannot_be_opened_is_told_and_changes_nothing(editor, name, data, words):
    before = editor.scene
    with pytest.raises(DataError, match=words) as refused:
        open_file(editor, name, data)
    assert "/tmp" not in str(refused.value)
    assert editor.scene is before
