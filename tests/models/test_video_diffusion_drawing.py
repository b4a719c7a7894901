"""Blocks and videos that are drawn: alone or in company, prepared once, to the last step."""

import pytest
import torch
from video_models import LINEAR, SHAPE, clips, model, walk

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.models.video_diffusion import unfold
from unveil.models.video_diffusion.told import Told, known_frames
from unveil.schedules import LinearVP


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_a_video_does_not_depend_on_its_batch(sampler):
    video, x = model(), clips(8)
    options = {"steps": 4, "sampler": sampler}
    for draw in (
        lambda rows, streams: video.predict(x[rows, :2], 7, generator=streams, **options),
        lambda rows, streams: video.predict_past(x[rows, 5:], 7, generator=streams, **options),
        lambda rows, streams: video.interpolate(x[rows, :2], x[rows, 5:], generator=streams, **options),
        lambda rows, streams: video.generate(len(x[rows]), 7, generator=streams, **options),
        lambda rows, streams: video.predict(x[rows, :2], 4, trajectories=2, generator=streams, **options),
    ):
        together = draw(slice(0, 8), Streams(3, 8))
        alone = torch.cat([draw(slice(i, i + 1), Streams(3, [i])) for i in range(8)])
        torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_every_trajectory_is_another_and_the_first_are_the_same_however_many_there_are():
    video, x = model(), clips(2)
    three = video.predict(x, 5, trajectories=3, **walk(2))
    assert three.shape == (2, 3, 5, *SHAPE)
    assert (three[:, 0] - three[:, 1]).abs().max() > 1e-3
    torch.testing.assert_close(video.predict(x, 5, trajectories=2, **walk(2)), three[:, :2], rtol=1e-4, atol=1e-5)
    between = video.interpolate(x[:, :2], x[:, 5:], trajectories=3, **walk(2))
    assert between.shape == (2, 3, 3, *SHAPE)
    again = video.interpolate(x[1:, :2], x[1:, 5:], trajectories=2, **walk(generator=Streams(0, [1])))
    torch.testing.assert_close(again[0], between[1, :2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
@pytest.mark.parametrize(
    "options", [{"sampler": "ddim"}, {"sampler": "heun"}, {"sampler": "rk45", "rtol": 0.5, "atol": 0.5}]
)
def test_known_frames_prepared_once_change_no_bit(conditioning, options):
    video, x = model(conditioning=conditioning, schedule=LinearVP()), clips(2)
    options = {"steps": 4} | options
    once, always = (video.predict(x, 3, generator=Streams(0, 2), cached=cached, **options) for cached in (True, False))
    assert torch.equal(once, always)


def test_known_frames_are_prepared_once_a_block():
    video, calls = model(conditioning="spatin"), []
    video.net.maps.register_forward_hook(lambda *_: calls.append(1))
    video.predict(clips(2), 7, **walk(2, steps=5))
    assert len(calls) == 3
    video.predict(clips(2), 7, cached=False, **walk(2, steps=5))
    assert len(calls) == 3 + 15


@pytest.mark.parametrize("task", ["predict", "past", "interpolate", "generate"])
@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_the_last_state_is_the_last_estimate(task, conditioning):
    """After the chain has arrived nobody asks the network again."""
    video, x = model(conditioning=conditioning), clips(2)
    known = {"past": x[:, :2] if task in ("predict", "interpolate") else None}
    known["future"] = x[:, 5:] if task in ("past", "interpolate") else None
    calls, denoise = [], video.diffusion.denoise
    video.diffusion.denoise = lambda *a, **o: calls.append(denoise(*a, **o)) or calls[-1]
    made = video.sample_block(**known, batch=2, sampler="ancestral", **walk(2))
    assert torch.equal(made, unfold(calls[-1].clamp(-1, 1), 3))
    assert len(calls) == 4
    again = video.sample_block(**known, batch=2, sampler="ancestral", legacy_final_denoise=True, **walk(2))
    assert len(calls) == 9
    assert (again - made).abs().max() > 1e-4


def test_the_legacy_step_is_that_of_the_released_code():
    """With 100 of 1000 steps: the noise seen at step 901, times 0.0435."""
    video, seen = model(schedule=LINEAR), []
    denoise = video.diffusion.denoise
    video.diffusion.denoise = lambda x, t, **o: seen.append((x, float(t))) or denoise(x, t, **o)
    made = video.sample_block(steps=100, generator=Streams(0, 1), clip=False)
    seen.clear()
    again = video.sample_block(steps=100, generator=Streams(0, 1), clip=False, legacy_final_denoise=True)
    state, t = seen[-1]
    assert t == pytest.approx(0.901)
    alpha, sigma = LINEAR(torch.tensor(0.901, dtype=torch.float64))
    told = Told(video.net, known_frames(video.layout, None, None, video.shape))
    n_hat = (state - alpha * denoise(state, torch.tensor(t, dtype=torch.float64), net=told)) / sigma
    torch.testing.assert_close(again, made - 0.043533 * unfold(n_hat.float(), 3), rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="continuous"):
        model(schedule=LinearVP()).sample_block(legacy_final_denoise=True, **walk())


def test_progress_counts_the_steps_of_all_blocks():
    told = []
    model().predict(clips(2), 7, progress=lambda done, total: told.append((done, total)), **walk(2, steps=5))
    assert told == [(i, 15) for i in range(1, 16)]


def test_more_known_frames_than_needed_do_no_harm_and_missing_ones_can_be_repeated():
    video, x = model(), clips(2)
    assert torch.equal(video.predict(x, 4, **walk(2)), video.predict(x[:, -2:], 4, **walk(2)))
    assert torch.equal(video.predict_past(x, 4, **walk(2)), video.predict_past(x[:, :2], 4, **walk(2)))
    near = video.interpolate(x[:, 2:4], x[:, 3:5], **walk(2))
    assert torch.equal(video.interpolate(x[:, :4], x[:, 3:], **walk(2)), near)
    three = model(3, 3, 3)
    assert torch.equal(three.predict(x[:, :2], 4, pad=True, **walk(2)), three.predict(x[:, [0, 0, 1]], 4, **walk(2)))
    before = three.predict_past(x[:, [0, 1, 1]], 4, **walk(2))
    assert torch.equal(three.predict_past(x[:, :2], 4, pad=True, **walk(2)), before)
    bytes_ = ((x + 1) * 127.5).round().to(torch.uint8)
    assert torch.equal(video.predict(bytes_, 4, **walk(2)), video.predict(bytes_.float() / 127.5 - 1, 4, **walk(2)))


def test_frames_masked_one_by_one_allow_any_choice_of_known_frames():
    video, x = model(4, 3, 2, per_frame=0.5, levels=1), clips(2)
    assert video.predict(x[:, :1], 5, **walk(2)).shape == (2, 5, *SHAPE)  # fewer than p
    assert video.generate(2, 8, **walk(2)).shape == (2, 8, *SHAPE)  # p > k
    assert video.long_video(9, batch=2, **walk(2)).shape == (2, 9, *SHAPE)
    assert video.long_video(9, past=x, **walk(2)).shape == (2, 9, *SHAPE)
    known = known_frames(video.layout, x[:, :1], None, video.shape)
    assert known[0, -6:, 0, 0].tolist() == [0, 0, 0, 1, 0, 0]  # next to the block
    known = known_frames(video.layout, None, x[:, :1], video.shape)
    assert known[0, -6:, 0, 0].tolist() == [0, 0, 0, 0, 1, 0]


def test_the_order_of_known_frames_matters():
    video, x = model(), clips(2)
    found = video.predict(x[:, :2], 3, **walk(2))
    assert (video.predict(x[:, :2].flip(1), 3, **walk(2)) - found).abs().max() > 1e-4


def test_empty_batches_are_empty():
    assert model().generate(0, 5, **walk()).shape == (0, 5, *SHAPE)
    assert model().predict(clips(0), 5, **walk()).shape == (0, 5, *SHAPE)
    assert model().predict(clips(0), 5, trajectories=3, **walk()).shape == (0, 3, 5, *SHAPE)
    assert model(1, 3, 1, levels=1).long_video(9, batch=0, **walk()).shape == (0, 9, *SHAPE)


def test_a_block_looks_at_the_nearest_frames_and_takes_bytes():
    video, x = model(), ((clips(2) + 1) * 127.5).round().to(torch.uint8)
    near = x.float() / 127.5 - 1
    made = video.sample_block(x[:, :4], x[:, 4:], **walk(2))
    assert torch.equal(made, video.sample_block(near[:, 2:4], near[:, 4:6], **walk(2)))


def test_what_is_drawn_remembers_nothing_of_how_it_was_made():
    assert not model().predict(clips(2)[:, :2].requires_grad_(), 4, **walk(2)).requires_grad
