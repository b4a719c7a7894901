"""Frames of a path: of every task, at any frame rate, of long clips, and by chance."""

import pytest
import torch
from path_models import SHAPE, clips, model
from torch import nn

from unveil.core.random import Streams
from unveil.models.ode_video import (
    trajectory,
)
from unveil.models.ode_video.long_clips import blended, concerned, windows
from unveil.ode import Solver


@pytest.mark.parametrize("stack", [0, 1, 2])
def test_frames_of_every_task_have_their_shape_and_range(stack):
    m, x = model(stack=stack), clips(2)
    made = [
        m.predict(x, 4),
        m.predict_past(x, 3),
        m.reconstruct(x),
        m.interpolate(x, 4),
        m.frames_at(x, [-1.5, 0, 0, 30.25]),
    ]
    assert [len(frames[0]) for frames in made] == [4, 3, 8, 29, 4]
    for frames in made:
        assert frames.shape[2:] == SHAPE
        assert frames.abs().max() <= 1
    assert m.tasks == (("predict", "past", "interpolate") if stack else ("predict", "past", "interpolate", "generate"))
    assert m.p == (stack or 5)


def test_reading_the_past_backwards_meets_reading_it_forwards():
    m, x = model(), clips(2)
    at = [-2.0, -1.0, 0.0, 1.0]
    assert torch.equal(m.frames_at(x[:, :5], at, mean=True)[:, :2], m.predict_past(x, 2, mean=True))


def test_what_follows_and_what_was_before_go_by_the_times_of_what_is_known():
    m, x, times = model(), clips(2, 6), torch.tensor([3, 10, 11, 12.5, 13, 17]).double()
    there = torch.ones(2, 6)
    there[:, 2] = 0
    after = m.frames_at(x[:, 1:], [18.0, 19], times=times[1:], mask=there[:, 1:], mean=True)
    torch.testing.assert_close(m.predict(x, 2, times=times, mask=there, mean=True), after)
    before = m.frames_at(x[:, :5], [1.0, 2], times=times[:5], mask=there[:, :5], mean=True)
    torch.testing.assert_close(m.predict_past(x, 2, times=times, mask=there, mean=True), before)
    own = torch.stack([times, times + 4])
    torch.testing.assert_close(m.predict(x, 2, times=own, mask=there, mean=True), after, rtol=1e-3, atol=1e-3)
    x[:, 2] = float("nan")  # what is not there may hold anything
    torch.testing.assert_close(m.predict(x, 2, times=times, mask=there, mean=True), after)


@pytest.mark.parametrize(("weights", "given"), [(torch.float64, torch.float32), (torch.float32, torch.float64)])
def test_frames_take_on_the_type_of_the_weights(weights, given):
    m, x = model().to(weights), clips().to(given)
    for made in (m.predict(x, 2, mean=True), m.interpolate(x, 2), m.sample(2), m.loss(x)[0]):
        assert made.dtype == weights
    torch.testing.assert_close(m.predict(x, 2, mean=True).float(), model().predict(clips(), 2, mean=True))


@pytest.mark.parametrize("frames", [4, 5, 8, 12])
def test_a_higher_frame_rate_keeps_the_frames_of_the_lower(frames):
    m, x = model(), clips(2, frames)
    once, twice = m.reconstruct(x), m.interpolate(x, 2)
    assert once.shape == x.shape
    torch.testing.assert_close(twice[:, ::2], once)
    assert m.interpolate(x, 4, mean=False, generator=Streams(0, 2)).shape[1] == 4 * (frames - 1) + 1


def test_windows_share_a_frame_and_their_paths_pass_over():
    assert windows(12, 5, 1) == [(0, 5), (4, 9), (8, 12)]
    assert windows(6, 5, 5) == [(0, 5), (1, 6)]
    assert windows(3, 5, 2) == [(0, 3)]
    times = torch.arange(0, 9).double() / 2 + 1
    parts = [torch.zeros(1, 9, 1), torch.ones(1, 9, 1)]
    assert blended(parts, [(0, 5), (4, 6)], times)[0, :, 0].tolist() == [0, 0, 0, 0, 0, 0.5, 1, 1, 1]


class Explosive(nn.Module):
    """Grows twentyfold in a frame's time."""

    state = 6

    def forward(self, t, z):
        return 21 * z


def test_nobody_follows_a_window_far_beyond_its_frames():
    m = model(dynamics=Explosive(), solver=Solver("dopri5", rtol=1e-3, atol=1e-3))
    assert m.interpolate(clips(1, 100)).isfinite().all()
    times = torch.arange(-1, 8).double()
    spans = [(0, 3), (2, 5), (4, 7)]
    found = [times[concerned(spans, number, times)].tolist() for number in range(3)]
    assert found == [[-1, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6, 7]]


def test_answers_differ_by_their_streams_alone():
    m, x = model(), clips(3, 5)
    mean = m.predict(x, 2, mean=True)
    assert torch.equal(mean, m.predict(x, 2, mean=True))
    a, b = (m.predict(x, 2, generator=Streams(seed, 3)) for seed in (0, 1))
    assert not torch.equal(a, b)
    assert torch.equal(a, m.predict(x, 2, generator=Streams(0, 3)))
    torch.testing.assert_close(a[1:], m.predict(x[1:], 2, generator=Streams(0, [1, 2])))
    many = m.predict(x, 2, trajectories=4, generator=Streams(0, 3))
    assert many.shape == (3, 4, 2, *SHAPE)
    torch.testing.assert_close(many[:, :2], m.predict(x, 2, trajectories=2, generator=Streams(0, 3)))
    with torch.no_grad():
        m.encoder.head.weight[6:] = 0
        m.encoder.head.bias[6:] = -100
    torch.testing.assert_close(m.predict(x, 2, generator=Streams(0, 3)), mean)
    assert m.sample(3, generator=Streams(0, 3)).shape == (3, 8, *SHAPE)
    assert m.generate(2, 4, generator=Streams(0, 2)).shape == (2, 4, *SHAPE)


def test_a_trajectory_tells_where_and_how_fast():
    m, x = model(state=8), clips(2, 5)
    path = trajectory(m, x, [0.0, 1.0, 1.001])
    assert path.states.shape == path.velocities.shape == (2, 3, 8)
    slope = (path.states[:, 2] - path.states[:, 1]) / 0.001
    torch.testing.assert_close(slope, path.velocities[:, 1], rtol=0.05, atol=1e-3)
    torch.testing.assert_close(m.decode(path.states), m.frames_at(x, [0.0, 1.0, 1.001], mean=True))
    assert not path.states[:, 0, 6:].any()  # what is added begins as zeros
    own = trajectory(m, x, torch.tensor([[0.0, 1.0, 1.001], [0.0, 0.5, 1.0]]))
    torch.testing.assert_close(own.velocities[0], path.velocities[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(own.velocities[1, 2], path.velocities[1, 1], rtol=1e-3, atol=1e-4)


def test_saved_weights_keep_the_clock():
    m, other = model(window=8), model(window=6)
    assert m.time_scale == pytest.approx(1 / 7)
    other.load_state_dict(m.state_dict())
    assert other.time_scale == m.time_scale == model(window=8).half().time_scale
    assert torch.equal(other.predict(clips(), 3, mean=True), m.predict(clips(), 3, mean=True))
