import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run
from unveil.data import read_video
from unveil.recipes import resolve
from unveil.tasks.run import load
from unveil.tasks.video import check_video, video

pytest.importorskip("av", reason="PyAV is not installed")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("video")
    tiny_run(
        place / "run",
        "moving-digits-mcvd-concat",
        2,
        ["data.size=16", "model.past=3", "model.frames=4", "model.future=3"],
    )
    pixels = np.random.default_rng(0).integers(0, 256, (30, 24, 40, 3), np.uint8)
    np.savez(place / "clip.npz", frames=pixels, fps=10.0)
    return place


def enter(*words):
    return run(["video", *map(str, words)])


def test_each_verb_writes_what_was_known_and_what_was_made(trained, tmp_path, capsys):
    model = load(trained / "run").model
    p, k, f = model.p, model.k, model.f
    for verb, options, length in (
        ("predict", ["--frames", 6], p + 6),
        ("past", ["--frames", 5, "--start", 7], 5 + f),
        ("interpolate", [], p + k + f),
    ):
        out = tmp_path / f"{verb}.npz"
        assert enter(verb, trained / "run", trained / "clip.npz", "--out", out, "--steps", 2, *options) == 0
        frames, fps = read_video(out)
        assert frames.shape == (length, 16, 16, 1)
        assert fps == 10
        assert "PSNR against the clip itself" in capsys.readouterr().out
    assert enter("generate", trained / "run", "--frames", 7, "--out", tmp_path / "g.npz", "--steps", 2) == 0
    assert len(read_video(tmp_path / "g.npz")[0]) == 7
    assert (
        enter(
            "predict", trained / "run", trained / "clip.npz", "--out", tmp_path / "o.npz", "--steps", 2, "--made-only"
        )
        == 0
    )
    assert len(read_video(tmp_path / "o.npz")[0]) == k


def test_trajectories_go_to_files_of_their_own_and_do_not_depend_on_company(trained, tmp_path, capsys):
    words = ["predict", trained / "run", trained / "clip.npz", "--steps", 2, "--seed", 5, "--frames", 5]
    assert enter(*words, "--out", tmp_path / "a.npz", "--trajectories", 3, "--strip", tmp_path / "a.png") == 0
    assert "PSNR of the best of 3" in capsys.readouterr().out
    assert enter(*words, "--out", tmp_path / "b.npz") == 0
    assert enter(*words, "--out", tmp_path / "c.npz", "--trajectories", 3, "--batch", 1) == 0
    found = [read_video(tmp_path / f"a-{i}.npz")[0].astype(int) for i in (1, 2, 3)]
    assert np.abs(found[0] - read_video(tmp_path / "b.npz")[0]).max() <= 1
    for i in (1, 2, 3):
        assert np.abs(found[i - 1] - read_video(tmp_path / f"c-{i}.npz")[0]).max() <= 1
    assert not np.array_equal(found[0], found[1])
    assert Image.open(tmp_path / "a.png").size[1] == 4 * 68  # the clip itself, and three answers


def test_moving_digits_can_be_continued(trained):
    made = video(trained / "run", "predict", "moving-digits", frames=5, number=3, steps=2)
    other = video(trained / "run", "predict", "moving-digits", frames=5, number=4, steps=2)
    assert not torch.equal(made.clips[0, :3], other.clips[0, :3])
    assert torch.equal(made.clips[0, :3], made.truth[:3])
    assert made.truth.shape == made.clips.shape[1:]
    assert made.known == (0, 1, 2)
    assert made.made.shape == (1, 5, 1, 16, 16)


def test_what_was_known_is_the_clip_itself(trained, tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 1), np.uint8)
    np.savez(tmp_path / "own.npz", frames=frames)
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    made = video(trained / "run", "interpolate", tmp_path / "own.npz", start=2, steps=2)
    assert torch.equal(made.clips[0, list(made.known)], x[2:12][list(made.known)])
    assert made.known == (0, 1, 2, 7, 8, 9)
    assert torch.equal(made.truth, x[2:12])
    missing = video(trained / "run", "interpolate", tmp_path / "own.npz", start=2, steps=2, missing=True)
    assert missing.truth is None
    assert missing.psnr is None
    assert torch.equal(missing.clips[0, [7, 8, 9]], x[5:8])
    past = video(trained / "run", "past", tmp_path / "own.npz", frames=4, start=6, steps=2)
    assert past.known == (4, 5, 6)
    assert torch.equal(past.truth, x[2:9])


def test_frames_of_another_size_are_brought_there_and_that_is_said(trained):
    with pytest.warns(UserWarning, match="24x40 pixels in colour, are brought to 16x16 in grey, as in training"):
        video(trained / "run", "predict", trained / "clip.npz", steps=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "RUN", "CLIP", "--out", "a.avi"], "written as .mp4"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--strip", "a.jpg"], "saved as .png"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--frames", "0"], "frames is 0"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--trajectories", "0"], "trajectories is 0"),
        (
            ["predict", "RUN", "CLIP", "--out", "a.mp4", "--start", "28"],
            "has 30 frames, and 31 are needed: 3 from frame 28 on",
        ),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--number", "2"], "tells clips of moving-digits apart"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--sampler", "dim"], "did you mean ddim"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--sparse"], "several spacings"),
        (["predict", "RUN", "CLIP", "--out", "a.mp4", "--fps", "0"], "--fps is 0"),
        (["predict", "RUN", "CLIP", "--out", "a.gif", "--fps", "60"], "a GIF is shown at 50"),
        (["predict", "RUN", "CLIP", "--out", "a.gif", "--fps", "0.001"], "give a number from 0.002"),
        (["predict", "RUN", "gone.mp4", "--out", "a.mp4"], "There is no file"),
        (["predict", "gone", "CLIP", "--out", "a.mp4"], "gone"),
        (["predict", "RUN", "CLIP", "--out", "CLIP", "--force"], "is the clip that is read"),
        (["predict", "RUN", "CLIP", "--out", "CLIP"], "exists already"),
        (["predict", "RUN", "moving-digits", "--out", "a.mp4", "--number", "10000"], "clips 0 to 9999"),
    ],
)
def test_refusals(trained, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(trained / "run"), "CLIP": str(trained / "clip.npz")}
    assert enter(*(places.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_gif_of_a_fast_clip_is_slowed_down_and_that_is_said(trained, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)
    np.savez(tmp_path / "fast.npz", frames=pixels, fps=120.0)
    assert enter("predict", trained / "run", tmp_path / "fast.npz", "--out", tmp_path / "a.gif", "--steps", "1") == 0
    assert "120 frames a second, and .gif 50 at most" in capsys.readouterr().out.replace("\n", " ")
    assert read_video(tmp_path / "a.gif")[1] == pytest.approx(50)


def test_a_clip_of_hours_between_frames_is_sped_up_and_that_is_said(trained, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)
    np.savez(tmp_path / "slow.npz", frames=pixels, fps=1e-4)
    assert enter("predict", trained / "run", tmp_path / "slow.npz", "--out", tmp_path / "a.gif", "--steps", "1") == 0
    assert "0.0001 frames a second, and .gif 0.002 at least" in capsys.readouterr().out.replace("\n", " ")
    assert read_video(tmp_path / "a.gif")[1] == pytest.approx(0.002)


@pytest.mark.filterwarnings("ignore:The clips play")
def test_real_clips_are_learned_and_continued_as_they_are(real_data, tmp_path):
    clips = real_data("video")
    changes = ["data.size=64", "data.channels=3"]
    tiny_run(tmp_path / "run", "moving-digits-mcvd-concat", 1, changes, data=clips)
    for verb, name, length in (("predict", "bottle-detection.mp4", 5), ("interpolate", "car_white.npz", 7)):
        assert enter(verb, tmp_path / "run", clips / name, "--out", tmp_path / f"{verb}.mp4", "--steps", 2) == 0
        assert read_video(tmp_path / f"{verb}.mp4")[0].shape == (length, 64, 64, 3)


def test_runs_that_cannot(tmp_path):
    from unveil.core.errors import ConfigError

    with pytest.raises(ConfigError, match="The run is a diffusion, which knows nothing of video"):
        check_video(resolve("digits-ddpm"), "predict")
    plain = resolve("moving-digits-mcvd-concat", ["model.mask_past=0", "model.future=0"])
    for task in ("past", "interpolate", "generate"):
        with pytest.raises(ConfigError, match="It can do: predict"):
            check_video(plain, task)
    with pytest.raises(ConfigError, match=r"Train one with model\.future above 0"):
        check_video(plain, "past")
    with pytest.raises(ConfigError, match="fills gaps of 3 frames, and 9 were asked for"):
        check_video(resolve("moving-digits-mcvd-concat"), "interpolate", frames=9)
    with pytest.raises(ConfigError, match="There is no task 'foresee'"):
        check_video(resolve("moving-digits-mcvd-concat"), "foresee")
