"""Clips through which something shines."""

import numpy as np
import pytest
from PIL import Image

from unveil.core.errors import DataError
from unveil.data import open_videos, read_video


def squares():
    """A red square that moves to the right over nothing."""
    frames = [Image.new("RGBA", (12, 8)) for _ in range(4)]
    for i, frame in enumerate(frames):
        frame.paste((255, 0, 0, 255), (2 * i, 2, 2 * i + 4, 6))
    return frames


def wanted():
    found = np.full((4, 8, 12, 3), 255, np.uint8)
    for i in range(4):
        found[i, 2:6, 2 * i : 2 * i + 4] = 255, 0, 0
    return found


@pytest.mark.parametrize("name", ["a.gif", "a.png", "folder"])
def test_what_is_transparent_is_white_however_a_clip_is_kept(tmp_path, name):
    first, *rest = squares()
    if name == "folder":
        (tmp_path / name).mkdir()
        for i, frame in enumerate((first, *rest)):
            frame.save(tmp_path / name / f"{i}.png")
    else:
        more = {"disposal": 2} if name == "a.gif" else {}
        first.save(tmp_path / name, save_all=True, append_images=rest, duration=100, **more)
    assert (read_video(tmp_path / name)[0] == wanted()).all()
    x, _ = open_videos(tmp_path / name, frames=4, split="all").batch([0])
    assert (((x[0] + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy() == wanted()).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_arrays_with_transparency_are_not_clips_of_narrow_frames(channels):
    with pytest.raises(DataError, match=f"{channels} channels.*leave the transparency out"):
        open_videos(np.zeros((9, 16, 16, channels), np.uint8), frames=4)
