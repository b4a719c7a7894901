"""`unveil pose` from a terminal: files in, files and pictures out, and plain refusals."""

import json
import shutil

import pytest
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run

WISHES = [
    {"type": "position", "joint": "pelvis", "position": [0.0, 0.95, 0.0]},
    {"type": "position", "joint": "left_wrist", "position": [0.45, 1.4, 0.25]},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("pose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        tiny_run(place / "run", "motions-ik", steps=2)
    shutil.copytree(place / "run", place / "moved")
    recipe = place / "moved" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("source: motions", "source: /moved/away"))
    (place / "wishes.json").write_text(json.dumps(WISHES))
    return place


def enter(*words):
    return run(["pose", *map(str, words)])


def test_from_effectors_to_a_pose_to_effectors_to_another_body(place, capsys):
    asked = ("solve", "--effectors", place / "wishes.json", "--run", place / "run")
    assert enter(*asked, "--out", place / "pose.glb", "--show", place / "pose.png", "--betas=-1,0.5") == 0
    assert "2 of 2 effectors are met" in capsys.readouterr().out
    assert Image.open(place / "pose.png").height == 480
    assert enter(*asked, "--out", place / "pose.glb") == 2
    assert "--force" in capsys.readouterr().err
    assert enter(*asked, "--out", place / "pose.npz") == 0
    assert enter("recover", place / "pose.npz", "-n", 3, "--run", place / "run", "--out", place / "e.json") == 0
    out = capsys.readouterr().out
    assert "1. position of" in out
    assert 1 <= len(json.loads((place / "e.json").read_text())["effectors"]) <= 3
    assert enter("retarget", place / "pose.npz", "--to", place / "pose.glb", "--out", place / "on.bvh") == 0
    assert "1 frame at 30 a second" in capsys.readouterr().out
    assert enter("shape", place / "pose.glb", "--out", place / "shape.json") == 0
    assert json.loads((place / "shape.json").read_text())["scale"] == pytest.approx(1, rel=0.2)


def test_measures_come_row_by_row(place, capsys):
    out = place / "figures.json"
    assert enter("evaluate", place / "run", "-n", 2, "--draws", 1, "--refine", 2, "--out", out) == 0
    rows = json.loads(out.read_text())
    printed = capsys.readouterr().out
    assert len(rows) == 4
    for name, row in rows.items():
        assert f"{name}: MPJPE {row['mpjpe']:.1f}" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("solve", "--effectors", "none.json", "--out", "p.txt"), "must end in .npz"),
        (("solve", "--effectors", "none.json", "--out", "p.npz", "--show", "p.jpg"), "saved as .png"),
        (("solve", "--effectors", "wishes.json", "--out", "p.npz", "--betas", "tall"), "numbers with commas"),
        (("solve", "--effectors", "none.json", "--out", "p.npz", "--run", "run"), "cannot be read"),
        (("solve", "--effectors", "wishes.json", "--out", "p.npz", "--run", "run", "--gender", "x"), "gender is 'x'"),
        (("solve", "--effectors", "wishes.json", "--out", "p.npz", "--run", "run", "--refine", "-1"), "refine is -1"),
        (("estimate", "photo.jpg", "--out", "p.npz"), "is a picture, and no detector"),
        (("estimate", "points.txt", "--out", "p.npz"), "cannot be estimated from"),
        (("estimate", "points.json", "--out", "p.npz", "--size", "big"), "height and width"),
        (("photograph", "body.npz", "--out", "p.png", "--size", "8x"), "height and width"),
        (("shape", "person.obj"), "no motion or character"),
        (("retarget", "walk.bvh", "--to", "body", "--out", "walk.fbx"), "must end in .glb"),
        (("retarget", "walk.bvh", "--to", "body", "--out", "w.glb"), "cannot be read"),
        (("recover", "walk.bvh", "-n", "0", "--run", "run"), "-n is 0"),
        (("evaluate", "run", "--protocol", "mine"), "no protocol 'mine'"),
        (("evaluate", "run", "--draws", "0"), "draws is 0; it must be 1 or more."),
        (("evaluate", "run", "--data", "gone"), "no file, folder or embedded source 'gone'"),
        (("evaluate", "moved"), "The motions that the run was trained on cannot be opened: There is no file, folder"),
    ],
)
def test_mistakes_get_one_sentence(place, capsys, monkeypatch, words, message):
    monkeypatch.chdir(place)
    assert enter(*words) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_what_is_read_is_never_replaced(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    before = (place / "wishes.json").read_text()
    assert enter("solve", "--effectors", "wishes.json", "--run", "run", "--out", "wishes.json", "--force") == 2
    assert "wishes.json is a file that is read" in capsys.readouterr().err
    assert enter("recover", "wishes.json", "--run", "run", "--out", "wishes.json", "--force") == 2
    Image.new("RGB", (8, 8)).save("photo.png")
    shown = ("--image", "photo.png", "--show", "photo.png", "--out", "p.npz", "--force")
    assert enter("estimate", "wishes.json", "--run", "run", *shown) == 2
    assert "photo.png is a file that is read" in capsys.readouterr().err
    assert (place / "wishes.json").read_text() == before
    assert enter("retarget", "wishes.json", "--to", "body", "--out", "walk.gz") == 2
    assert ".bvh.gz" in capsys.readouterr().err
