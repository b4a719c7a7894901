"""Models of video as they learn."""

import pytest
import torch
from seeds import seeded
from video_models import LINEAR, SHAPE, clips, model, walk

from unveil.core.errors import RunError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.covariance import Identity, free_field
from unveil.models.video_diffusion import Layout, VideoDiffusion, by_task, fold
from unveil.networks import VideoUNet


@pytest.mark.parametrize("cov", [Identity(), free_field(8, 8)], ids=["white", "free field"])
@pytest.mark.parametrize("predict", ["eps", "v"])
def test_noise_of_any_colour_is_added_to_each_frame_alike(cov, predict):
    video = model(cov=cov)
    video.diffusion.predict = predict
    frames, t = clips(1)[:, 2:5], torch.tensor(0.4)
    many = fold(frames).expand(20_000, -1, -1, -1)
    noisy = video.diffusion.add_noise(many, t, torch.randn(many.shape, generator=seeded()))
    alpha, sigma = (float(c) for c in LINEAR(t.double()))
    torch.testing.assert_close(noisy.mean(0), alpha * fold(frames)[0], rtol=0, atol=0.03)
    torch.testing.assert_close(noisy.var(0), torch.full_like(noisy[0], sigma**2), rtol=0.06, atol=0)
    assert video.loss(clips(), seeded()).isfinite()
    assert video.predict(clips(), 4, **walk(4)).shape == (4, 4, *SHAPE)


def test_the_spacing_of_clips_reaches_the_network():
    video, told = model(1, 3, 1, levels=2), []
    time = video.net.time.forward
    video.net.time.forward = lambda t, label=None: told.append(label) or time(t, label)
    x = clips(3, 5)
    next(video.moves(Batch(x, {"stride": torch.tensor([1, 16, 4])}, Streams(0, 3))))
    next(video.moves(Batch(x, {}, Streams(0, 3))))
    video.long_video(20, batch=1, **walk(1))
    assert told[0].tolist() == [0, 2, 1]
    assert told[1].tolist() == [0, 0, 0]
    assert [int(label[0]) for label in told[2:]] == [2, 1, 0]


def test_the_loss_does_not_depend_on_the_company_of_a_clip():
    video, x = model(), clips(4)
    together = video._drawn_loss(x, Streams(0, 4), None)[0]
    alone = torch.cat([video._drawn_loss(x[i : i + 1], Streams(0, [i]), None)[0] for i in range(4)])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_weights_know_which_frames_they_were_trained_for():
    saved = model().state_dict()
    model().load_state_dict(saved)
    with pytest.raises(RunError, match="other frames"):
        model(2, 2, 3).load_state_dict(
            saved | {k: v for k, v in model(2, 2, 3).state_dict().items() if "plan" not in k}
        )
    with pytest.raises(RunError, match="another noise"):
        model(cov=free_field(8, 8)).load_state_dict(saved)


def test_errors_of_a_task_are_those_of_what_it_is_told():
    (video, x), times = (model(), clips(4)), []
    denoise = video.diffusion.denoise
    video.diffusion.denoise = lambda x, t, **options: times.append(t) or denoise(x, t, **options)
    found = by_task(video, x, Streams(0, 4))
    assert [t.tolist() for t in times] == [[0.625, 0.75, 0.875, 1]] * 4  # the noisier half, and the same for all tasks
    for hidden, heeding in ((slice(0, 2), {"predict", "interpolate"}), (slice(5, 7), {"past", "interpolate"})):
        other = x.clone()
        other[:, hidden] *= -1
        again = by_task(video, other, Streams(0, 4))
        assert {task for task in found if again[task] != found[task]} == heeding


def spots(n, generator):
    """Clips of a bright spot that flies straight on, (n, 6, 1, 8, 8)."""
    place, speed = (torch.rand(n, 1, 2, generator=generator) for _ in range(2))
    at = 3.5 + 4 * (place - 0.5) + (3 * speed - 1.5) * (torch.arange(6)[:, None] - 2.5)
    rows, columns = ((torch.arange(8) - at[..., i, None]) ** 2 / 1.5 for i in (0, 1))
    return (2 * torch.exp(-rows[..., :, None] - columns[..., None, :]) - 1)[:, :, None]


def test_the_more_a_model_is_told_the_less_it_errs():
    """After so few steps, interpolation errs less than prediction and recollection, and those less than generation."""
    torch.manual_seed(0)
    net = VideoUNet(2, 4, channels=16, mult=(1, 2), blocks=1, attention=(1,))
    video = VideoDiffusion(net, LINEAR, (1, 8, 8), Layout(2, 2, 2), predict="v")
    optimizer, random, held_out = torch.optim.Adam(net.parameters(), 3e-3), seeded(), spots(128, seeded(1))
    before = by_task(video, held_out, Streams(0, 128))
    assert len({round(found.error, 6) for found in before.values()}) == 1  # a new network heeds nothing
    for _ in range(220):
        loss = video.loss(spots(32, random), random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    error = {task: found.error for task, found in by_task(video, held_out, Streams(0, 128)).items()}
    assert error["generate"] < 0.5 * before["generate"].error
    assert error["interpolate"] < 0.8 * error["predict"]
    assert max(error["predict"], error["past"]) < 0.75 * error["generate"]
    assert error["generate"] > 2 * error["interpolate"]
