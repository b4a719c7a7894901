"""One block after another, one before another, and gaps that are filled level by level."""

import pytest
import torch
from video_models import SHAPE, clips, model, walk

from unveil.core.random import Streams
from unveil.models.video_diffusion.autoregression import backwards, between, blocks_for, forwards


class Counting:
    """Blocks that count on from the last frame of the past, or back from the first of the future; it keeps what it is told."""

    def __init__(self, k):
        self.k, self.told = k, []

    def __call__(self, past, future, level=0):
        self.told.append((past, future))
        steps = torch.arange(1.0, self.k + 1)
        if past is None and future is None:
            return steps.reshape(1, -1, 1, 1, 1)
        if future is None:
            return past[:, -1:] + steps.reshape(1, -1, 1, 1, 1)
        if past is None:
            return future[:, :1] - steps.flip(0).reshape(1, -1, 1, 1, 1)
        share = (steps / (self.k + 1)).reshape(1, -1, 1, 1, 1)
        return past[:, -1:] * (1 - share) + future[:, :1] * share


@pytest.mark.parametrize(("p", "k"), [(1, 3), (3, 3), (5, 2), (2, 5)])
@pytest.mark.parametrize("n", [1, 4, 7, 10])
def test_blocks_follow_one_another(p, k, n):
    block = Counting(k)
    past = torch.arange(-6.0, 1).reshape(1, -1, 1, 1, 1)
    made = forwards(block, past, n, p)
    assert made.flatten().tolist() == list(range(1, n + 1))
    assert len(block.told) == blocks_for(n, k)
    for i, (window, future) in enumerate(block.told):
        assert window.flatten().tolist() == list(range(i * k - p + 1, i * k + 1))
        assert future is None


@pytest.mark.parametrize(("f", "k"), [(1, 3), (3, 3), (5, 2), (2, 5)])
@pytest.mark.parametrize("n", [1, 4, 7, 10])
def test_blocks_go_before_one_another(f, k, n):
    block = Counting(k)
    future = torch.arange(0.0, 7).reshape(1, -1, 1, 1, 1)
    made = backwards(block, future, n, f)
    assert made.flatten().tolist() == list(range(-n, 0))
    assert len(block.told) == blocks_for(n, k)
    for i, (past, window) in enumerate(block.told):
        assert window.flatten().tolist() == list(range(-i * k, -i * k + f))
        assert past is None


def test_blocks_begin_from_nothing():
    block = Counting(3)
    assert forwards(block, None, 8, 2).flatten().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert block.told[0] == (None, None)


@pytest.mark.parametrize(("k", "levels", "keys"), [(3, 1, 6), (2, 2, 3), (1, 3, 2), (3, 2, 1)])
def test_gaps_are_filled_level_by_level_all_at_once(k, levels, keys):
    spacing = (k + 1) ** levels
    firsts = torch.stack([torch.arange(keys) * spacing * scale for scale in (1.0, -1.0)]).reshape(2, keys, 1, 1, 1)
    block = Counting(k)
    made = between(block, firsts, levels)
    n = keys + (keys - 1) * (spacing - 1)
    assert made.shape[1] == n
    torch.testing.assert_close(made[:, :, 0, 0, 0], torch.stack([torch.arange(n) * scale for scale in (1.0, -1.0)]))
    assert len(block.told) == (levels if keys > 1 else 0)  # one batch a level


def test_gaps_filled_together_are_those_filled_one_by_one():
    """With the same streams; and two levels do not draw the same noise."""
    video = model(1, 2, 1, levels=2)
    past, seen = clips(2, 1), []
    whole, draw = video.diffusion.sample, video.sample_block

    def alone(past, future, *, generator, **options):
        seen.append(generator)
        if past is None or future is None or len(past) == 2:
            return draw(past, future, generator=generator, **options)
        rows = [slice(i, i + 1) for i in range(len(past))]
        return torch.cat([draw(past[i], future[i], generator=generator[i], **options) for i in rows])

    together = video.long_video(18, past=past, **walk(2))
    video.sample_block = alone
    torch.testing.assert_close(video.long_video(18, past=past, **walk(2)), together, rtol=1e-4, atol=1e-5)
    assert whole is not None
    assert len({streams.seed for streams in seen}) == 3  # the first frames, and two levels of gaps


def test_long_videos_have_trajectories():
    """Each is the video of its own past and stream, in the order of the pasts."""
    video, past = model(1, 3, 1, levels=1), clips(2, 1)
    three = video.long_video(6, past=past, trajectories=3, **walk(2))
    assert three.shape == (2, 3, 6, *SHAPE)
    assert (three[:, 0] - three[:, 1]).abs().max() > 1e-3
    again = video.long_video(6, past=past[1:], trajectories=2, **walk(generator=Streams(0, [1])))
    torch.testing.assert_close(again[0], three[1, :2], rtol=1e-4, atol=1e-5)


def test_long_videos_go_on_from_frames_as_far_apart_as_their_first_ones():
    video, past, told = model(2, 3, 1, per_frame=0.5, levels=1), clips(2, 9), []
    draw = video.sample_block
    video.sample_block = lambda past, future, **options: told.append((past, future)) or draw(past, future, **options)
    made = video.long_video(8, past=past, **walk(2))
    (firsts, _), (before, after) = told
    assert torch.equal(firsts, past[:, [4, 8]])
    assert torch.equal(before[::2], past[:, 8:])  # the first gap of each video
    assert torch.equal(after[::2], made[:, 3:4])
    assert torch.equal(after[1::2], made[:, 7:])


@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_progress_of_long_videos_comes_to_its_end(n):
    told = []
    model(1, 3, 1, levels=1).long_video(n, progress=lambda done, total: told.append((done, total)), **walk(1))
    assert told == [(i, told[0][1]) for i in range(1, told[0][1] + 1)]


@pytest.mark.parametrize("n", [1, 4, 8, 13])
def test_long_videos_have_the_length_that_was_asked_for(n):
    video = model(1, 3, 1, levels=2)
    for levels in (1, 2):
        assert video.long_video(n, batch=2, levels=levels, **walk(2)).shape == (2, n, *SHAPE)
        assert video.long_video(n, past=clips(2, 5), levels=levels, **walk(2)).shape == (2, n, *SHAPE)
