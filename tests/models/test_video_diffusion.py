import pytest
import torch

from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.covariance import Identity, free_field
from unveil.models.video_diffusion import Layout, VideoDiffusion, by_task, fold, unfold
from unveil.models.video_diffusion.autoregression import backwards, between, blocks_for, forwards
from unveil.models.video_diffusion.told import Told, known_frames
from unveil.networks import VideoUNet
from unveil.schedules import Discrete, LinearVP

LINEAR = Discrete.linear()
SHAPE = (2, 8, 8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def awake(net):
    """What begins at zero says something."""
    with torch.no_grad():
        for value in net.parameters():
            if value.abs().max() < 1e-3:
                value.normal_(0, 0.2, generator=seeded(1))
    return net


def model(p=2, k=3, f=2, *, shape=SHAPE, conditioning="concat", schedule=LINEAR, cov=Identity(), **options):  # noqa: B008
    torch.manual_seed(0)
    layout = Layout(p, k, f, **options)
    channels = shape[0]
    net = VideoUNet(
        k * channels,
        layout.around * (channels + layout.told),
        channels=8,
        mult=(1, 2),
        blocks=1,
        attention=(1,),
        conditioning=conditioning,
        spatin_channels=8,
        labels=layout.levels + 1 if layout.levels else 0,
    )
    return VideoDiffusion(awake(net), schedule, shape, layout, cov, predict="v")


def clips(n=4, frames=7, shape=SHAPE):
    return torch.rand(n, frames, *shape, generator=seeded()) * 2 - 1


def walk(n=None, **options):
    return {"steps": 4, "generator": Streams(0, n) if n else seeded()} | options


# -- frames as channels -----------------------------------------------------------------------------------------------


def test_folding_is_exact_and_frame_by_frame():
    video = torch.arange(6.0).reshape(1, 3, 2, 1, 1).expand(2, 3, 2, 4, 5)
    folded = fold(video)
    assert folded[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]  # channel = 2 frame + c
    assert torch.equal(unfold(folded, 3), video)
    assert torch.equal(fold(video.flip(-1)), folded.flip(-1))


def test_a_network_is_told_past_then_future_and_which_are_masked():
    frames = torch.arange(1.0, 8).reshape(1, 7, 1, 1, 1).expand(2, 7, *SHAPE) / 10
    keep = torch.tensor([[1.0, 1, 1, 1], [0, 1, 0, 1]])
    block, known = model().parts(frames, keep)
    assert torch.equal(block, frames[:, 2:5])
    assert known[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.6, 0.6, 0.7, 0.7])
    assert known[1, :, 0, 0].tolist() == pytest.approx([0, 0, 0.2, 0.2, 0, 0, 0.7, 0.7])
    _, known = model(per_frame=0.5).parts(frames, keep)
    assert known.shape[1] == 12
    assert torch.equal(known[:, 8:, 0, 0], keep)


# -- masks ------------------------------------------------------------------------------------------------------------


def test_past_and_future_are_masked_half_the_time_and_independently():
    keep = Layout(2, 5, 3).draw_keeps(100_000, seeded())
    past, future = keep[:, 0], keep[:, 2]
    assert (keep[:, :2] == past[:, None]).all()  # all of a group or nothing
    assert (keep[:, 2:] == future[:, None]).all()
    for a in (past, 1 - past):
        for b in (future, 1 - future):
            assert (a * b).mean() == pytest.approx(0.25, abs=0.006)
    assert abs(float(torch.corrcoef(torch.stack([past, future]))[0, 1])) < 0.01


def test_masks_that_never_or_always_fall():
    keep = Layout(2, 5, 3, mask_past=0.0, mask_future=1.0).draw_keeps(10_000, seeded())
    assert (keep[:, :2] == 1).all()
    assert (keep[:, 2:] == 0).all()


def test_frames_masked_one_by_one():
    keep = Layout(2, 1, 2, mask_past=0.0, mask_future=0.0, per_frame=0.5).draw_keeps(100_000, seeded())
    torch.testing.assert_close(keep.mean(0), torch.full((4,), 0.75), rtol=0, atol=0.01)
    some = keep[keep.sum(1) < 4]  # an all-kept row may be of either half
    assert abs(len(some) / len(keep) - 0.5 * 15 / 16) < 0.01
    assert len(keep.unique(dim=0)) == 16


def test_masks_of_a_sample_do_not_depend_on_its_batch():
    together = Layout(2, 3, 2, per_frame=0.5).draw_keeps(6, Streams(0, 6))
    assert torch.equal(Layout(2, 3, 2, per_frame=0.5).draw_keeps(2, Streams(0, [3, 4])), together[3:5])


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_a_masked_group_leaves_no_trace_and_a_kept_one_is_learnt_from(conditioning):
    video = model(conditioning=conditioning)
    x, keep = clips().requires_grad_(), torch.tensor([[0.0, 0, 1, 1]]).expand(4, 4)
    other = torch.cat([clips()[:, :2].flip(0), x[:, 2:]], dim=1)
    found = []
    for frames in (x, other):
        block, known = video.parts(frames, keep)
        found.append(video.net(fold(block), torch.full((4,), 0.7), known))
    assert torch.equal(*found)
    (gradient,) = torch.autograd.grad(found[0].square().sum(), x)
    assert not gradient[:, :2].any()
    assert (gradient[:, 5:].abs().amax((1, 2, 3, 4)) > 0).all()


@pytest.mark.parametrize(
    ("layout", "tasks"),
    [
        (Layout(2, 3, 0, mask_past=0.0), ("predict",)),
        (Layout(2, 3, 0), ("predict", "generate")),
        (Layout(2, 3, 1, mask_past=0.0), ("predict", "interpolate")),
        (Layout(2, 3, 1), ("predict", "past", "interpolate", "generate")),
        (Layout(2, 3, 1, mask_past=0.0, mask_future=0.0), ("interpolate",)),
        (
            Layout(2, 3, 1, mask_past=0.0, mask_future=0.0, per_frame=0.5),
            ("predict", "past", "interpolate", "generate"),
        ),
        (Layout(0, 3, 1), ("past", "generate")),
        (Layout(0, 3, 0), ("generate",)),
        (Layout(2, 3, 1, mask_past=1.0), ("past", "generate")),
    ],
)
def test_the_masks_of_training_decide_what_a_model_can_do(layout, tasks):
    assert layout.tasks == tasks


def test_tasks_without_their_training_are_refused_and_the_training_is_named():
    plain, pure = model(f=0, mask_past=0.0), model(mask_past=0.0, mask_future=0.0)
    for work, message in (
        (lambda: plain.generate(1, **walk()), r"cannot generate from nothing.*mask_past=0\.5"),
        (lambda: plain.sample(1, **walk()), "cannot generate from nothing"),
        (lambda: plain.predict_past(clips(), 3, **walk()), r"cannot recall the past.*frames of the future"),
        (lambda: plain.interpolate(clips(), clips(), **walk()), "cannot interpolate.*can do: predict"),
        (lambda: pure.predict(clips(), 3, **walk()), r"cannot predict frames.*mask_future=0\.5"),
        (lambda: pure.sample_block(clips()[:, :2], **walk()), "cannot predict frames"),
        (lambda: model(p=4, k=3).generate(1, 5, **walk()), "the first makes only 3"),
        (lambda: model(p=0).generate(1, 5, **walk()), "cannot predict frames"),
        (lambda: model().long_video(20, **walk()), r"model\.levels=1"),
        (lambda: model(levels=1).long_video(20, **walk()), "one frame on either side"),
        (lambda: model().sample_block(level=1, **walk()), "trained on 0 to 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            work()


# -- blocks, one after another ----------------------------------------------------------------------------------------


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


# -- drawing ----------------------------------------------------------------------------------------------------------


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


def test_every_trajectory_is_another_and_the_first_are_the_same_however_many_there_are():
    video, x = model(), clips(2)
    three = video.predict(x, 5, trajectories=3, **walk(2))
    assert three.shape == (2, 3, 5, *SHAPE)
    assert (three[:, 0] - three[:, 1]).abs().max() > 1e-3
    torch.testing.assert_close(video.predict(x, 5, trajectories=2, **walk(2)), three[:, :2], rtol=1e-4, atol=1e-5)


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
    one = x[:, :1]
    assert torch.equal(
        video.predict(one, 4, pad=True, **walk(2)), video.predict(one.expand(-1, 2, -1, -1, -1), 4, **walk(2))
    )
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


@pytest.mark.parametrize("n", [1, 4, 8, 13])
def test_long_videos_have_the_length_that_was_asked_for(n):
    video = model(1, 3, 1, levels=2)
    for levels in (1, 2):
        assert video.long_video(n, batch=2, levels=levels, **walk(2)).shape == (2, n, *SHAPE)
        assert video.long_video(n, past=clips(2, 5), levels=levels, **walk(2)).shape == (2, n, *SHAPE)


def test_the_order_of_known_frames_matters():
    video, x = model(), clips(2)
    found = video.predict(x[:, :2], 3, **walk(2))
    assert (video.predict(x[:, :2].flip(1), 3, **walk(2)) - found).abs().max() > 1e-4


def test_empty_batches_are_empty():
    assert model().generate(0, 5, **walk()).shape == (0, 5, *SHAPE)
    assert model().predict(clips(0), 5, **walk()).shape == (0, 5, *SHAPE)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda m: m.predict(clips()[:, 0], 3), ShapeError, r"this model takes \(B, T, 2, 8, 8\)"),
        (lambda m: m.predict(clips(shape=(1, 8, 8)), 3), ShapeError, r"this model takes \(B, T, 2, 8, 8\)"),
        (lambda m: m.predict(clips(frames=1), 3), ShapeError, "has 1 frames, and this model is told 2"),
        (lambda m: m.predict_past(clips(frames=1), 3), ShapeError, "The future has 1 frames"),
        (lambda m: m.interpolate(clips(2), clips(3)), ShapeError, "2 pasts and 3 futures"),
        (lambda m: m.predict(clips() * 2, 3), DataError, r"numbers in \[-1, 1\]"),
        (lambda m: m.predict(clips() * torch.nan, 3), DataError, "finite numbers"),
        (lambda m: m.predict(clips().long(), 3), DataError, "or uint8"),
        (lambda m: m.predict(clips(), 0), ConfigError, "1 or more"),
        (lambda m: m.predict(clips(), 3, steps=1001), ConfigError, "a chain of 1000"),
        (lambda m: m.predict(clips(), 3, trajectories=0), ConfigError, "trajectories is 0"),
        (lambda m: m.loss(clips(frames=6)), ShapeError, "training takes 7: 2 of the past, 3 of a block"),
    ],
)
def test_what_does_not_fit_is_refused(work, error, message):
    with pytest.raises(error, match=message):
        work(model())


@pytest.mark.parametrize("options", [{"p": -1}, {"k": 0}, {"mask_past": 1.5}, {"per_frame": -0.1}, {"levels": -1}])
def test_layouts_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError):
        Layout(**({"p": 2, "k": 3, "f": 2} | options))


# -- training ---------------------------------------------------------------------------------------------------------


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
