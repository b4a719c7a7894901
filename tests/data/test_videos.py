import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.data import check_source, clip_sources, open_images, open_videos
from unveil.data.clip_store import InMemory, OnDisk, Undecoded
from unveil.data.sources import Source


def counting(frames, height=6, width=8, channels=3, first=0):
    """A clip whose frame t has the value first + t everywhere, (T, H, W, C)."""
    values = np.arange(first, first + frames, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], (frames, height, width, channels)).copy()


def numbers(x):
    """The number of each frame of clips of `counting`, (B, T)."""
    return ((x[:, :, 0, 0, 0] + 1) * 127.5).round().int()


def save(path, clip, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, frames=clip, **more)


def test_windows_begin_at_every_frame_that_leaves_room():
    clips = open_videos(counting(10), frames=4, split="all")
    assert clips.shape == (4, 3, 6, 8)
    assert len(clips) == 1000
    x, known = clips.batch(range(700), torch.Generator().manual_seed(0))
    first = numbers(x)[:, 0]
    assert known == {}
    assert (numbers(x) == first[:, None] + torch.arange(4)).all()
    shares = first.bincount() / 700
    assert len(shares) == 7  # 0 .. 6, both included
    assert (shares - 1 / 7).abs().max() < 0.05


def test_without_a_generator_the_index_decides():
    clips = open_videos(counting(30), frames=4, split="all", windows=50)
    x, _ = clips.batch(range(50))
    assert torch.equal(x, torch.cat([clips.batch([i])[0] for i in range(50)]))
    assert numbers(x)[0].tolist() == [0, 1, 2, 3]
    assert len(set(numbers(x)[:, 0].tolist())) > 10


def test_a_sample_does_not_depend_on_its_company():
    clips = open_videos(np.random.default_rng(0).integers(0, 256, (3, 20, 9, 9, 1), np.uint8), frames=5, size=6, crop="random",
                        flip=True, split="all", resize=False)  # fmt: skip
    x, _ = clips.batch(range(16), Streams(4, 16))
    y = torch.cat([clips.batch([i], Streams(4, [i]))[0] for i in range(16)])
    assert torch.equal(x, y)


def test_one_flip_and_one_crop_for_all_frames_of_a_sample():
    noise = np.random.default_rng(1).integers(0, 256, (12, 12, 1), np.uint8)
    still = np.broadcast_to(noise, (8, 12, 12, 1)).copy()
    clips = open_videos(still, frames=8, size=7, crop="random", resize=False, flip=True, split="all")
    x, _ = clips.batch(range(60), torch.Generator().manual_seed(0))
    assert torch.equal(x, x[:, :1].expand_as(x))
    assert len(torch.unique(x[:, 0].flatten(1), dim=0)) > 20
    places = torch.from_numpy(still[0].transpose(2, 0, 1)).float() / 127.5 - 1
    windows = places.unfold(1, 7, 1).unfold(2, 7, 1)[0].reshape(-1, 7, 7)
    both = torch.cat([windows, windows.flip(-1)])
    assert all((both == one).flatten(1).all(1).any() for one in x[:, 0, 0])


def test_strides():
    clips = open_videos(counting(20), frames=4, stride=3, split="all")
    x = numbers(clips.batch(range(200), torch.Generator().manual_seed(0))[0])
    assert (x.diff() == 3).all()
    assert x.max() == 19
    several = open_videos(counting(20), frames=4, stride=(2, 6), split="all")
    x, known = several.batch(range(200), torch.Generator().manual_seed(0))
    assert (numbers(x).diff() == 2 * known["stride"][:, None]).all()
    assert 60 < (known["stride"] == 3).sum() < 140


def test_a_single_clip_is_split_by_time():
    train, test = (open_videos(counting(20), frames=3, split=split) for split in ("train", "test"))
    seen, kept = (set(numbers(clips.batch(range(400))[0]).flatten().tolist()) for clips in (train, test))
    assert seen == set(range(16))
    assert kept == set(range(16, 20))
    assert "last fifth" in train.notes[0]


def test_clips_are_split_by_what_they_show(tmp_path):
    for i in range(10):
        save(tmp_path / "a" / f"{i}.npz", counting(6, first=20 * i))
        save(tmp_path / "b" / f"{(i + 3) % 10}.npz", counting(6, first=20 * i))
    sides = []
    for folder in ("a", "b"):
        train, test = (open_videos(tmp_path / folder, frames=6, split=split) for split in ("train", "test"))
        assert (train.clips, test.clips) == (8, 2)
        sides.append(sorted(numbers(test.batch([0, 1])[0])[:, 0].tolist()))
    assert sides[0] == sides[1]  # whatever the files are called


def test_a_folder_may_have_parts(tmp_path):
    save(tmp_path / "train" / "a.npz", counting(6))
    save(tmp_path / "test" / "b.npz", counting(6, first=100))
    assert numbers(open_videos(tmp_path, frames=6).batch([0])[0])[0, 0] == 0
    assert numbers(open_videos(tmp_path, frames=6, split="test").batch([0])[0])[0, 0] == 100
    assert open_videos(tmp_path, frames=6, split="all").clips == 2


def test_folders_of_frames_in_the_order_of_their_numbers(tmp_path):
    for clip, first in (("one", 0), ("two", 100)):
        (tmp_path / clip).mkdir()
        for i, frame in enumerate(counting(12, first=first)):
            Image.fromarray(frame).save(tmp_path / clip / f"frame_{i}.png")
    both = open_videos(tmp_path, frames=12, split="all")
    assert both.clips == 2
    assert numbers(both.batch([0, 1])[0]).tolist() == [list(range(12)), list(range(100, 112))]
    assert open_videos(tmp_path / "one", frames=9).clips == 1


@pytest.mark.parametrize(
    ("shape", "clips"),
    [((9, 6, 8), 1), ((9, 6, 8, 3), 1), ((9, 3, 6, 8), 1), ((9, 6, 8, 1), 1), ((2, 9, 6, 8), 2), ((2, 9, 1, 6, 8), 2),
     ((2, 9, 6, 8, 3), 2)],
)  # fmt: skip
def test_shapes_of_arrays(tmp_path, shape, clips):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.save(tmp_path / "a.npy", array)
    for source in (array, torch.from_numpy(array), tmp_path / "a.npy"):
        found = open_videos(source, frames=9, split="all")
        assert found.clips == clips
        assert found.shape == (9, 3 if 3 in shape else 1, 6, 8)
        assert found.batch([0])[0].sum() == pytest.approx((array[: len(array) // clips] / 127.5 - 1).sum(), rel=1e-4)


def test_the_public_moving_mnist_file_has_time_first(monkeypatch):
    assert clip_sources._TIME_FIRST == (20, 10000, 64, 64)
    monkeypatch.setattr(clip_sources, "_TIME_FIRST", (20, 50, 6, 4))
    array = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None], (20, 50, 6, 4))
    assert len(clip_sources.clips_of_array(array[:, :40], "another")) == 20
    clips = clip_sources.clips_of_array(array, "it")
    assert len(clips) == 50
    assert clips[7].pixels[:, 0, 0, 0].tolist() == list(range(20))


def test_floats_are_rounded_to_eight_bits():
    clip = np.linspace(0, 1, 5 * 4 * 4).reshape(5, 4, 4).astype(np.float32)
    x, _ = open_videos(clip, frames=5, split="all").batch([0])
    assert (x[0, :, 0] - torch.from_numpy(clip) * 2 + 1).abs().max() <= 1 / 255 + 1e-6


def test_sizes_and_channels(tmp_path):
    save(tmp_path / "a.npz", counting(5, 8, 12))
    save(tmp_path / "b.npz", counting(5, 12, 8, 1))
    with pytest.raises(DataError, match=r"clips differ in size: .*8x12.*12x8.*Say which size"):
        open_videos(tmp_path, frames=5, split="all")
    assert open_videos(tmp_path, frames=5, split="all", size=8).shape == (5, 3, 8, 8)
    assert open_videos(tmp_path, frames=5, split="all", size=(4, 6), channels=1).shape == (5, 1, 4, 6)
    with pytest.raises(DataError, match=r"smaller than the 64x64 asked for.*data\.upsample=true"):
        open_videos(tmp_path, frames=5, split="all", size=64)
    assert open_videos(tmp_path, frames=5, split="all", size=64, upsample=True).shape[2:] == (64, 64)


def test_clips_that_are_too_short_say_what_is_needed(tmp_path):
    with pytest.raises(DataError, match="a sample needs 15 frames in a row: it has 12"):
        open_videos(counting(12), frames=15, split="all")
    with pytest.raises(DataError, match="needs 13 frames in a row: it has 12"):
        open_videos(counting(12), frames=4, stride=4, split="all")
    with pytest.raises(
        DataError, match=r"needs 10 frames.* it has 9 in its train part \(all but the last fifth of 11\).*split all"
    ):
        open_videos(counting(11), frames=10)
    save(tmp_path / "a.npz", counting(20))
    save(tmp_path / "b.npz", counting(5))
    with pytest.raises(DataError, match=r"1 of 2 clips are too short.*the shortest, '.*b\.npz', has 5"):
        open_videos(tmp_path, frames=8, split="all")


def test_damaged_clips_are_named_and_left_out(tmp_path):
    save(tmp_path / "a.npz", counting(6))
    (tmp_path / "b.npz").write_bytes(b"nonsense")
    save(tmp_path / "c.npz", counting(6), fps=np.float32("nan"))
    save(tmp_path / "d.npz", counting(6), fps=np.float32(0))
    np.savez(tmp_path / "e.npz", labels=np.zeros(3))
    found = open_videos(tmp_path, frames=6, split="all")
    assert found.clips == 1
    reasons = dict(found.skipped)
    assert "nan frames a second" in reasons[str(tmp_path / "c.npz")]
    assert "0 frames a second" in reasons[str(tmp_path / "d.npz")]
    assert "labels (3,)" in reasons[str(tmp_path / "e.npz")]
    assert len(reasons) == 4
    with pytest.raises(DataError, match=r"'.*b\.npz'.* (cannot be read|is damaged|no array file)"):
        open_videos(tmp_path / "b.npz", frames=6)


def test_frames_of_one_clip_that_differ_in_size(tmp_path, draw):
    for i in range(5):
        draw(tmp_path / f"{i}.png", 8, 8 + (i == 3))
    with pytest.raises(DataError, match=r"frames differ in size: 0\.png is 8x8 pixels.*3\.png is 8x9"):
        open_videos(tmp_path, frames=5, split="all")


def test_what_holds_no_clips(tmp_path, draw):
    draw(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="is one picture, not a clip"):
        open_videos(tmp_path / "a.jpg", frames=2)
    draw(tmp_path / "b.png")
    with pytest.raises(DataError, match="holds one picture and does not move"):
        open_videos(tmp_path / "b.png", frames=2)
    for name in ("digits", "photos", "eight-gaussians"):
        with pytest.raises(DataError, match="not clips"):
            open_videos(name, frames=2)
    with pytest.raises(DataError, match=r"shape \(4, 4\)"):
        open_videos(np.zeros((4, 4)), frames=2)


def test_pictures_are_not_made_of_video(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"anything")
    assert check_source(tmp_path / "clips" / "a.mp4") == Source("video", "a", tmp_path / "clips" / "a.mp4")
    assert check_source(tmp_path / "clips") == Source("videos", "clips", tmp_path / "clips")
    for source in (tmp_path / "clips" / "a.mp4", tmp_path / "clips", "moving-digits"):
        with pytest.raises(DataError, match="holds video, not pictures"):
            open_images(source)


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 0},
        {"stride": 0},
        {"stride": ()},
        {"limit": 0},
        {"windows": 0},
        {"split": "val"},
        {"channels": 2},
        {"crop": "x"},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(ConfigError):
        open_videos(counting(20), **{"frames": 3} | options)


def test_all_places_of_frames_give_the_same_windows(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / f"{i}.npz", np.random.default_rng(i).integers(0, 256, (20, 16, 20, 3), np.uint8))
    found = {}
    for cache, kind in ((None, InMemory), (True, OnDisk), (False, Undecoded)):
        clips = open_videos(tmp_path, frames=4, size=8, stride=2, split="all", cache=cache)
        assert isinstance(clips.store, kind)
        found[kind] = clips.batch(range(40), Streams(0, 40))[0]
        again = open_videos(tmp_path, frames=4, size=8, stride=2, split="all", cache=cache)
        assert again.fingerprint == clips.fingerprint
    assert torch.equal(found[InMemory], found[OnDisk])
    assert torch.equal(found[InMemory], found[Undecoded])


def test_what_is_kept_is_opened_again_until_a_file_changes(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / f"{i}.npz", counting(8, 16, 16, first=50 * i))
    first = open_videos(tmp_path, frames=4, size=8, split="all", cache=True)
    with monkeypatch.context() as patch:
        patch.setattr("unveil.data.clip_store._opened", None)  # nothing may be opened
        again = open_videos(tmp_path, frames=4, size=8, split="all", cache=True)
    assert torch.equal(first.batch(range(9))[0], again.batch(range(9))[0])
    assert again.names == first.names
    save(tmp_path / "1.npz", counting(9, 16, 16, first=200))
    assert numbers(open_videos(tmp_path, frames=4, size=8, split="all", cache=True).batch([1])[0])[0, 0] == 200


def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path):
    """What windows take is counted by itself, for a peak of the process may hide behind an earlier one."""
    frames = np.lib.format.open_memmap(tmp_path / "long.npy", "w+", np.uint8, (6000, 80, 80, 3))
    frames[::50] = 7
    del frames
    clips = open_videos(tmp_path / "long.npy", frames=8, size=64, cache=True)  # 59 MB of frames
    assert isinstance(clips.store, OnDisk)
    tracemalloc.start()
    try:
        for step in range(10):
            clips.batch(range(16), torch.Generator().manual_seed(step))
        assert tracemalloc.get_traced_memory()[1] < 6e6  # a batch takes 3
    finally:
        tracemalloc.stop()


def test_real_clips(real):
    clips = open_videos(real("video"), frames=15, size=64, channels=3)
    assert clips.shape == (15, 3, 64, 64)
    assert clips.skipped == []
    x, _ = clips.batch(range(10), torch.Generator().manual_seed(0))
    assert x.shape == (10, 15, 3, 64, 64)
    change = (x[:, 1:] - x[:, :-1]).abs().mean()
    assert 0.001 < change < 0.1  # they move, and not wildly
