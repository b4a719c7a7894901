import threading
import weakref
from contextlib import contextmanager
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DataError, ExistsError, MissingDependencyError, ShapeError
from unveil.data import open_videos, read_video, save_images, strip, video, video_file, write_video
from unveil.data.clips import take
from unveil.data.decoding import UnreadableError
from unveil.data.video_file import VideoFile

av = pytest.importorskip("av", reason="PyAV is not installed")


def drifting(frames=40, height=32, width=48):
    """A smooth pattern that drifts, (T, H, W, 3) uint8."""
    y, x, t = np.mgrid[:height, :width, :frames].transpose(0, 3, 1, 2)
    waves = [np.sin((x + 2 * t + 5 * c) / 7) + np.cos((y - t) / (5 + c)) for c in range(3)]
    return ((np.stack(waves, -1) + 2) * 63).astype(np.uint8)


def encode(path, frames, rate=25, codec="libx264", times=None, **options):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, options={name: str(value) for name, value in options.items()})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def tone(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": 12, "bf": 3}),
        ("b.mp4", "libx264", {"g": 7, "bf": 2, "x264-params": "open-gop=1:b-pyramid=normal"}),
        ("c.mp4", "libx264", {"g": 1}),
        ("d.mp4", "mpeg4", {"g": 10}),
        ("e.webm", "libvpx-vp9", {"g": 9, "deadline": "realtime", "cpu-used": 8}),
        ("f.webm", "libvpx", {"g": 9, "auto-alt-ref": 1, "lag-in-frames": 12}),
        ("g.mkv", "libx264", {"g": 11, "bf": 3}),
        ("h.avi", "mpeg4", {"g": 10}),
    ],
)
def test_seeking_gives_the_frames_of_full_decoding(tmp_path, name, codec, options):
    clip = VideoFile.open(encode(tmp_path / name, drifting(), codec=codec, **options))
    whole = np.stack(list(clip.frames()))
    assert clip.count == len(whole) == 40
    assert np.abs(whole.astype(int) - drifting()).mean() < 12
    for start in (0, 1, 6, 7, 11, 12, 13, 25, 36):
        assert np.array_equal(take(clip, start, 4), whole[start : start + 4]), start
    assert np.array_equal(take(clip, 3, 9, 4), whole[3:36:4])
    assert np.array_equal(take(clip, 39, 1), whole[39:])


def test_seeking_in_a_real_video(real):
    clip = VideoFile.open(real("video/bottle-detection.mp4"))
    assert (clip.count, clip.size, round(clip.fps, 3)) == (1189, (360, 640), 29.833)
    assert len(clip.keys) == 5
    whole = {
        number: pixels.copy() for number, pixels in enumerate(clip.frames(0, 620)) if number in (249, 250, 251, 610)
    }
    for number, pixels in whole.items():
        assert np.array_equal(take(clip, number, 1)[0], pixels)


def test_several_threads_may_read_at_once(tmp_path):
    clip = VideoFile.open(encode(tmp_path / "a.mp4", drifting(), g=12))
    whole, wrong = np.stack(list(clip.frames())), []

    def read(seed):
        for start in np.random.default_rng(seed).integers(0, 36, 10):
            if not np.array_equal(take(clip, int(start), 4), whole[start : start + 4]):
                wrong.append(start)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_frames_that_are_shown_unevenly_are_taken_one_by_one(tmp_path):
    times = np.cumsum([40, 40, 200, 17, 33, 90] * 5).tolist()
    path = encode(tmp_path / "a.mp4", drifting(30), times=times, g=8)
    frames, fps = read_video(path)
    assert len(frames) == 30
    assert 5 < fps < 30
    assert np.array_equal(read_video(path, start=17, frames=5)[0], frames[17:22])


def test_an_index_does_not_hold_the_file(monkeypatch):
    """However long it is: of its packets, which are all of it, one is looked at after another."""
    alive, most = weakref.WeakSet(), []

    class Packet:
        size, is_discard, is_keyframe = 1, False, False

        def __init__(self, pts):
            self.pts = pts
            alive.add(self)
            most.append(len(alive))

    @contextmanager
    def stream(path):
        container = SimpleNamespace(demux=lambda _: map(Packet, range(500)))
        yield container, SimpleNamespace(codec_context=SimpleNamespace(name="h264"))

    monkeypatch.setattr(video_file, "_stream", stream)
    assert len(video_file._index("a.mp4")[0]) == 500
    assert max(most) <= 2


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.webm"])
def test_the_slowest_rate_is_kept(tmp_path, name):
    write_video(drifting(3), tmp_path / name, fps=0.002)
    assert read_video(tmp_path / name)[1] == pytest.approx(0.002)


def test_odd_rates(tmp_path):
    for rate in (Fraction(30000, 1001), Fraction(179, 12)):
        assert read_video(encode(tmp_path / "a.mp4", drifting(8), rate=rate))[1] == pytest.approx(float(rate), rel=1e-3)


def test_video_that_lies_on_its_side_is_set_upright(tmp_path, monkeypatch):
    clip = VideoFile.open(encode(tmp_path / "a.mp4", drifting(5)))
    turned = VideoFile(clip.name, clip.path, (48, 32), 3, clip.fps, clip.times, clip.keys, 1)
    assert np.array_equal(take(turned, 0, 5), np.rot90(take(clip, 0, 5), 1, (1, 2)))


def damaged(tmp_path, kind):
    raw = encode(tmp_path / "whole.mp4", drifting(), g=10).read_bytes()
    path = tmp_path / f"{kind}.mp4"
    middle = raw.index(b"mdat") + 2000
    path.write_bytes({
        "cut": raw[: len(raw) // 2],
        "head": raw[:100],
        "nonsense": b"hello" * 1000,
        "holes": raw[:middle] + bytes(1500) + raw[middle + 1500 :],
    }[kind])  # fmt: skip
    return path


@pytest.mark.parametrize("kind", ["cut", "head", "nonsense", "holes"])
def test_damaged_video(tmp_path, kind):
    with pytest.raises(DataError, match=rf"'.*{kind}\.mp4' cannot be read as a clip: (invalid data|it breaks off)"):
        read_video(damaged(tmp_path, kind))


def test_video_that_breaks_off_late(tmp_path):
    raw = encode(tmp_path / "a.mp4", drifting(), g=10, movflags="faststart")
    with av.open(str(raw)) as source, av.open(str(tmp_path / "b.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    whole = (tmp_path / "b.mkv").read_bytes()
    (tmp_path / "c.mkv").write_bytes(whole[: len(whole) * 2 // 3])  # a container that can be read as far as it goes
    frames, _ = read_video(tmp_path / "c.mkv")
    assert 10 < len(frames) < 40
    with pytest.raises(DataError, match=r"cannot be read as a clip: it breaks off|has .* frames, and 40 are needed"):
        read_video(tmp_path / "c.mkv", frames=40)


def test_files_without_pictures(tmp_path):
    with pytest.raises(DataError, match=r"'.*a\.mp4' cannot be read as a clip: it holds no pictures, only audio"):
        read_video(tone(tmp_path / "a.mp4"))
    with pytest.raises(DataError, match="it holds no pictures, only audio"):
        open_videos(tmp_path / "a.mp4", frames=4)


def test_damaged_videos_of_a_folder_are_left_out(tmp_path):
    (tmp_path / "clips").mkdir()
    for i in range(3):
        encode(tmp_path / "clips" / f"{i}.mp4", drifting(10 + i))
    damaged(tmp_path, "holes").rename(tmp_path / "clips" / "x.mp4")
    tone(tmp_path / "clips" / "y.mp4")
    for cache in (None, True):
        found = open_videos(tmp_path / "clips", frames=5, size=16, split="all", cache=cache)
        assert found.clips == 3
        assert {name.rsplit("/")[-1] for name, _ in found.skipped} == {"x.mp4", "y.mp4"}
        assert found.batch(range(3))[0].shape == (3, 5, 3, 16, 16)


def test_titles_in_another_encoding_do_no_harm(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        out.metadata["title"] = "cafe"
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width = 32, 48
        for pixels in drifting(4):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    raw = (tmp_path / "a.mp4").read_bytes()
    assert b"cafe" in raw
    (tmp_path / "b.mp4").write_bytes(raw.replace(b"cafe", b"caf\xe9"))
    assert np.array_equal(read_video(tmp_path / "b.mp4")[0], read_video(tmp_path / "a.mp4")[0])


def test_a_video_that_changes_its_size_is_an_error(tmp_path):
    parts = [encode(tmp_path / f"{side}.ts", drifting(6, side, 48)).read_bytes() for side in (32, 40)]
    (tmp_path / "a.mpg").write_bytes(b"".join(parts))
    with pytest.raises(DataError, match=r"frames differ in size: the first is 32x48 .* 40x48"):
        read_video(tmp_path / "a.mpg")


def test_a_frame_of_another_size_is_an_error(tmp_path, monkeypatch):
    clip = VideoFile.open(encode(tmp_path / "a.mp4", drifting(5)))
    other = VideoFile(clip.name, clip.path, (30, 48), 3, clip.fps, clip.times, clip.keys)
    with pytest.raises(UnreadableError, match=r"frames differ in size: the first is 30x48 .* 32x48"):
        list(other.frames())


def test_without_the_library_a_word_on_where_it_is(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", drifting(5))
    monkeypatch.setattr("unveil.data.writing.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"unveil\[video\]"):
        read_video(path)
    with pytest.raises(MissingDependencyError, match=r"unveil\[video\]"):
        write_video(drifting(5), tmp_path / "b.mp4")
    write_video(drifting(5), tmp_path / "b.gif")


@pytest.mark.parametrize(("name", "error"), [("a.mp4", 3), ("a.webm", 3), ("a.gif", 6), ("a.npz", 0), ("a", 0)])
def test_what_is_written_is_read_again(tmp_path, name, error):
    frames = drifting(12)
    assert write_video(frames, tmp_path / name, fps=12.5, metadata={"seed": 3}) == tmp_path / name
    back, fps = read_video(tmp_path / name)
    assert back.shape == frames.shape
    assert fps == pytest.approx(12.5)
    assert np.abs(back.astype(int) - frames).mean() <= error
    with pytest.raises(ExistsError):
        write_video(frames, tmp_path / name)
    write_video(frames[:5], tmp_path / name, force=True)
    assert len(read_video(tmp_path / name)[0]) == 5
    assert not list(tmp_path.glob(".unveil*"))


def test_grey_clips_of_the_house(tmp_path):
    x = torch.from_numpy(drifting(6)[..., :1]).permute(0, 3, 1, 2).float() / 127.5 - 1
    write_video(x, tmp_path / "a.npz")
    assert np.array_equal(read_video(tmp_path / "a.npz")[0], drifting(6)[..., :1])
    write_video(x, tmp_path / "a.gif", scale=3)
    back, _ = read_video(tmp_path / "a.gif")
    assert np.array_equal(back[:, ::3, ::3, :1], drifting(6)[..., :1])  # 256 greys fit a gif
    assert back.shape[1:3] == (96, 144)


def test_odd_sides_are_made_even_and_said(tmp_path):
    with pytest.warns(UserWarning, match="31x47 pixels are written as 32x48"):
        write_video(drifting(5, 31, 47), tmp_path / "a.mp4")
    assert read_video(tmp_path / "a.mp4")[0].shape == (5, 32, 48, 3)
    write_video(drifting(5, 31, 47), tmp_path / "a.gif")
    assert read_video(tmp_path / "a.gif")[0].shape == (5, 31, 47, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_frames_are_frames_of_their_own_in_a_gif(tmp_path, channels):
    for order in ([0, 0, 1, 2, 2, 2, 1], [0, 0, 0]):
        clip = drifting(3, 12, 16)[order][..., :channels]
        write_video(clip, tmp_path / "a.gif", fps=15, force=True, metadata={"seed": 3})
        back, fps = read_video(tmp_path / "a.gif")
        assert back.shape == (len(order), 12, 16, 3)
        assert fps == pytest.approx(15, rel=0.01)
        assert np.abs(back.astype(int) - clip).mean() <= (0 if channels == 1 else 6)
        same = (back[1:] == back[:-1]).all((1, 2, 3))
        assert same.tolist() == (np.diff(order) == 0).tolist()


@pytest.mark.parametrize("fps", [7, 16.67, 29.97, 50])
def test_gifs_keep_their_rate(tmp_path, fps):
    write_video(drifting(40), tmp_path / "a.gif", fps=fps)
    with Image.open(tmp_path / "a.gif") as image:
        total = 0
        for number in range(image.n_frames):
            image.seek(number)
            total += image.info["duration"]
    assert total == pytest.approx(1000 * 40 / fps, abs=10)


@pytest.mark.parametrize(
    ("x", "name", "options", "error", "message"),
    [
        (drifting(3), "a.avi", {}, ConfigError, r"written as \.mp4, \.webm, \.gif, \.npz"),
        (drifting(3), "a.png", {}, ConfigError, "written as"),
        (drifting(3), ".mp4", {}, ConfigError, "no name"),
        (drifting(3), "a.mp4", {"fps": 0}, ConfigError, "fps=0"),
        (drifting(3), "a.gif", {"fps": 60}, ConfigError, "at most"),
        (drifting(3), "a.gif", {"fps": 0.0015}, ConfigError, r"fps=0\.0015 cannot be; give a number from 0\.002"),
        (drifting(3), "a.mp4", {"fps": 0.0001}, ConfigError, "give a number from"),
        (drifting(3), "a.mp4", {"scale": 0}, ConfigError, "scale is 0"),
        (torch.zeros(2, 3, 1, 4, 4), "a.mp4", {}, ShapeError, "write each clip by itself"),
        (torch.zeros(3, 2, 4, 4), "a.mp4", {}, ShapeError, r"\(T, C, H, W\)"),
        (torch.zeros(0, 3, 4, 4), "a.mp4", {}, ShapeError, r"\(T, C, H, W\)"),
    ],
)
def test_clips_that_cannot_be_written(tmp_path, x, name, options, error, message):
    with pytest.raises(error, match=message):
        write_video(x, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_reading_some_frames(tmp_path):
    path = write_video(drifting(20), tmp_path / "a.npz", fps=20)
    frames, fps = read_video(path, start=3, frames=4, stride=5)
    assert np.array_equal(frames, drifting(20)[3:19:5])
    assert fps == 4
    for options in ({"start": 20}, {"frames": 21}, {"start": 4, "frames": 4, "stride": 6}):
        with pytest.raises(DataError, match=r"has 20 frames, and .* are needed"):
            read_video(path, **options)
    with pytest.raises(ConfigError, match="start is -1"):
        read_video(path, start=-1)
    np.savez(tmp_path / "many.npz", clips=np.zeros((3, 5, 4, 4), np.uint8))
    with pytest.raises(DataError, match="holds 3 clips"):
        read_video(tmp_path / "many.npz")
    with pytest.raises(DataError, match=r"holds 2 clips; give one of them, such as"):
        read_video(tmp_path)


def test_a_strip_shows_frames_side_by_side_and_marks_those_that_were_known():
    x = torch.from_numpy(drifting(9, 10, 12)).permute(0, 3, 1, 2)
    sheet = strip(torch.stack([x, x.flip(0)]), known=[0, 1], scale=1, padding=2)
    assert sheet.shape == (3, 2 * 14, 9 * 16)
    assert torch.equal(sheet[:, 2:12, 3 * 16 + 2 : 3 * 16 + 14], x[3])
    assert torch.equal(sheet[:, 16:26, 2:14], x[8])
    assert (sheet[:, 0, 40] == 255).all()
    assert (sheet[:, 0, 0] != 255).any()
    few = strip(x, most=3, scale=1, padding=0)
    assert torch.equal(few, torch.cat([x[0], x[4], x[8]], -1))
    with pytest.raises(ShapeError, match="A strip is made of clips"):
        strip(x[0])
    with pytest.raises(ConfigError, match="most=1"):
        strip(x, most=1)


def test_a_strip_can_be_saved(tmp_path):
    save_images(strip(torch.zeros(4, 1, 8, 8)), tmp_path / "strip.png")
    assert Image.open(tmp_path / "strip.png").size[0] == 4 * 68


def test_names_of_the_room():
    assert video.read_video is read_video
    assert video_file.load_av() is av
