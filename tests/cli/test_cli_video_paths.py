import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run
from unveil.core.errors import ConfigError
from unveil.data import read_video
from unveil.recipes import resolve
from unveil.tasks.run import load
from unveil.tasks.video_path import course, places_beside, principal_plane
from unveil.tasks.video_times import check_times, video_at

pytest.importorskip("av", reason="PyAV is not installed")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("paths")
    for name, recipe in (("run", "moving-digits-ode-variational"), ("certain", "moving-digits-ode")):
        tiny_run(place / name, recipe, 2, ["model.context=5", "model.window=8", "data.size=16"])
    tiny_run(place / "blocks", "moving-digits-mcvd-concat", 1, ["data.size=16"])
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 1), np.uint8)
    np.savez(place / "clip.npz", frames=pixels, fps=10.0)
    return place


def enter(*words):
    return run(["video", *map(str, words)])


@pytest.mark.parametrize(("name", "reads"), [("run", 5), ("certain", 4)])
def test_every_verb_of_a_path(name, reads, trained, tmp_path, capsys):
    folder, clip = trained / name, trained / "clip.npz"
    for verb, options, length in (
        ("predict", ["--frames", 4], reads + 4),
        ("past", ["--frames", 3, "--start", 4], reads + 3),
    ):
        out = tmp_path / f"{verb}.npz"
        assert enter(verb, folder, clip, "--out", out, "--strip", tmp_path / f"{verb}.png", *options) == 0
        assert read_video(out)[0].shape == (length, 16, 16, 1)
        assert "PSNR against the clip itself" in capsys.readouterr().out
    assert enter("interpolate", folder, clip, "--factor", 4, "--out", tmp_path / "slow.npz") == 0
    frames, fps = read_video(tmp_path / "slow.npz")
    assert (len(frames), fps) == (4 * 11 + 1, 40)
    assert enter("interpolate", folder, clip, "--factor", 1, "--out", tmp_path / "same.npz") == 0
    assert np.abs(read_video(tmp_path / "same.npz")[0].astype(int) - frames[::4]).max() <= 1
    made = enter("generate", folder, "--frames", 6, "--out", tmp_path / "g.gif")
    if name == "run":
        assert made == 0
        assert len(read_video(tmp_path / "g.gif")[0]) == 6
    else:
        assert made == 2
        assert "knows no prior" in " ".join(capsys.readouterr().err.split())


def test_frames_are_made_at_any_times(trained, tmp_path):
    folder, clip = trained / "run", trained / "clip.npz"
    words = ["predict", folder, clip, "--times", "-1.5,2.25,6,6,9.5"]
    assert enter(*words, "--made-only", "--out", tmp_path / "made.npz") == 0
    frames = read_video(tmp_path / "made.npz")[0]
    model = load(folder).model
    known = torch.from_numpy(read_video(clip)[0][:5]).permute(0, 3, 1, 2)[None]
    wanted = model.frames_at(known, [-1.5, 2.25, 6, 6, 9.5], mean=True)[0, :, 0].add(1).mul(127.5)
    assert (torch.from_numpy(frames[..., 0]).float() - wanted).abs().max() <= 1
    found = video_at(folder, "predict", clip, times=(-1.5, 2.25, 6))
    assert found.known == (1, 2, 3, 5, 6)  # -1.5, 0, 1, 2, 2.25, 3, 4, 6
    assert found.truth is None
    assert torch.equal(found.made[0], found.clips[0, [0, 4, 7]])


def test_known_frames_may_be_of_uneven_times(trained):
    folder, clip = trained / "run", trained / "clip.npz"
    uneven = video_at(folder, "predict", clip, known_times=(0, 1, 2.5, 3, 7), frames=2)
    even = video_at(folder, "predict", clip, known_times=(0, 1, 2, 3, 4), frames=2)
    assert torch.equal(even.made, video_at(folder, "predict", clip, frames=2).made)
    assert not torch.equal(uneven.made, even.made)
    fewer = video_at(folder, "predict", clip, known_times=(0, 1, 6), times=(2, 3, 4, 5))
    assert fewer.known == (0, 1, 6)
    assert fewer.clips.shape[1] == 7


def test_trajectories_differ_and_do_not_depend_on_company(trained):
    folder, clip = trained / "run", trained / "clip.npz"
    many = video_at(folder, "predict", clip, trajectories=3, seed=4).made
    torch.testing.assert_close(many, video_at(folder, "predict", clip, trajectories=3, seed=4, batch=1).made)
    assert not torch.equal(many[0], many[1])
    few = video_at(folder, "generate", trajectories=2, frames=3).made
    assert few.shape == (2, 3, 1, 16, 16)
    digits = video_at(folder, "predict", "moving-digits", number=7)
    assert digits.truth.shape == (8, 1, 16, 16)
    assert digits.psnr is not None
    assert video_at(folder, "interpolate", "moving-digits", factor=2).clips.shape[1] == 15
    assert video_at(folder, "interpolate", clip, times=(0.5, 7.75)).clips.shape[1] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "RUN", "CLIP", "--times", "12,11"], "times must ascend, and 11 comes after 12"),
        (["predict", "RUN", "CLIP", "--times", "1,x"], "--times is '1,x'; write numbers with commas between"),
        (["predict", "RUN", "CLIP", "--times", "1,nan"], "finite numbers"),
        (["predict", "RUN", "CLIP", "--times", "1,2", "--frames", "3"], "leave frames and factor out"),
        (["predict", "RUN", "CLIP", "--known-times", "0,2,1,3,4"], "known_times must ascend, and 1 comes after 2"),
        (["predict", "RUN", "CLIP", "--known-times", "0,2,2,3,4"], "and 2 comes twice"),
        (["predict", "RUN", "CLIP", "--steps", "5"], "follows a path and takes no steps"),
        (["predict", "RUN", "CLIP", "--sparse"], "takes no sparse"),
        (["predict", "RUN", "CLIP", "--frames", "0"], "frames is 0"),
        (["predict", "RUN", "CLIP", "--start", "9"], "has 12 frames, and 14 are needed: 5 from frame 9 on"),
        (["predict", "CERTAIN", "CLIP", "--trajectories", "2"], "knows one future"),
        (["predict", "CERTAIN", "CLIP", "--known-times", "1"], "reads 4 frames"),
        (
            ["predict", "CERTAIN", "CLIP", "--known-times", "0,2,4,6"],
            "as if they were 1 apart, and known_times says otherwise",
        ),
        (["predict", "RUN", "CLIP", "--times", "1e10"], "1e+10 frames away were asked for; a path is followed"),
        (
            ["predict", "RUN", "CLIP", "--known-times", "0,1,2,3,1e30"],
            "1e+30 frames away were asked for; a path is followed",
        ),
        (["interpolate", "RUN", "CLIP", "--factor", "0"], "factor is 0"),
        (["interpolate", "RUN", "CLIP", "--missing"], "takes no missing"),
        (["interpolate", "RUN", "CLIP", "--start", "11"], "two or more are needed"),
        (["predict", "BLOCKS", "CLIP", "--times", "1,2"], "takes no --times"),
        (["interpolate", "BLOCKS", "CLIP", "--factor", "4"], "takes no --factor"),
        (["predict", "RUN", "CLIP", "--number", "2"], "tells clips of moving-digits apart"),
    ],
)
def test_what_cannot_be_is_one_sentence(words, message, trained, tmp_path, capsys):
    names = {"RUN": "run", "CERTAIN": "certain", "BLOCKS": "blocks", "CLIP": "clip.npz"}
    given = [trained / names[word] if word in names else word for word in words]
    assert enter(*given, "--out", tmp_path / "a.npz") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert not (tmp_path / "a.npz").exists()


def test_a_path_is_drawn(trained, tmp_path, capsys):
    words = ["path", trained / "run", trained / "clip.npz", "--out", tmp_path / "new" / "path.png"]
    assert enter(*words) == 0
    assert "of its spread is in the plane" in capsys.readouterr().out
    with Image.open(tmp_path / "new" / "path.png") as picture:
        assert min(picture.size) > 400
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["path.png"]
    assert enter(*words) == 2
    assert "exists" in capsys.readouterr().err
    for option, message in (
        (["--frames", "1", "--force"], "2 or more"), (["--out", tmp_path / "a.jpg"], "saved as .png"),
    ):  # fmt: skip
        assert enter(*words, *option) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    assert enter("path", trained / "blocks", trained / "clip.npz", "--out", tmp_path / "b.png") == 2
    assert "makes no frames at any times" in " ".join(capsys.readouterr().err.split())


def test_a_course_is_a_curve_in_the_plane_of_its_frames(trained):
    found = course(trained / "run", "moving-digits", frames=6)
    assert found.points.shape == (41, 2)
    assert found.frames.shape == (6, 1, 16, 16)
    assert found.known == 5
    assert 0 < found.share <= 1 + 1e-9
    slope = (found.points[1:] - found.points[:-1]).norm(dim=1) * 8
    assert (slope <= found.speed[1:] * 1.2 + 1e-6).all()  # a shadow is no faster than what casts it
    t = torch.linspace(0, 6, 50).double()
    circle = torch.stack([3 * t.cos(), torch.zeros(50), t.sin(), 0 * t], 1).double()
    centre, plane, share = principal_plane(circle)
    assert share == pytest.approx(1)
    torch.testing.assert_close((circle - centre) @ plane @ plane.T + centre, circle)


def test_pictures_of_a_path_hide_neither_it_nor_one_another():
    turn = np.linspace(0, 4 * np.pi, 161)  # twice around, so that frames lie upon one another
    for curve in (np.stack([np.cos(turn), np.sin(turn)], 1), np.stack([turn, 0 * turn], 1), np.zeros((161, 2))):
        places = np.array(places_beside(curve, curve[::20]))
        size = max(np.ptp(curve, axis=0).max(), 1e-6)
        gaps = np.abs(places[:, None] - places).max(2) + np.eye(len(places)) * size
        assert gaps.min() >= 0.25 * size
        assert np.hypot(*(places - curve[::20]).T).max() < 0.51 * size
        assert np.abs(places - (curve.max(0) + curve.min(0)) / 2).max() <= 0.63 * size


def test_other_kinds_of_runs_are_refused():
    with pytest.raises(ConfigError, match="makes no frames at any times"):
        check_times(resolve("digits-ddpm"), "predict")
    with pytest.raises(ConfigError, match="no task 'foresee'"):
        check_times(resolve("moving-digits-ode"), "foresee")
    with pytest.raises(ConfigError, match="factor raises"):
        check_times(resolve("moving-digits-ode"), "predict", factor=2)
    with pytest.raises(ConfigError, match="known_times are for predict and past"):
        check_times(resolve("moving-digits-ode"), "interpolate", known_times=(0, 1))
