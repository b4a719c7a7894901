"""Frames, tasks and layouts that a model refuses, and what it says then."""

import pytest
import torch
from video_models import clips, model, walk

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.models.video_diffusion import Layout, by_task


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
        (lambda m: m.sample_block(clips(frames=1)), ShapeError, r"is told 2; give 2 or more\.$"),
        (lambda m: m.sample_block(None, clips()[:, :2, :1]), ShapeError, r"this model takes \(B, T, 2, 8, 8\)"),
        (lambda m: m.sample_block(clips(2), clips(3)), ShapeError, "2 pasts and 3 futures"),
        (lambda m: m.sample_block(clips() * 2), DataError, r"numbers in \[-1, 1\]"),
        (lambda m: by_task(m, clips(frames=6)), ShapeError, "training takes 7"),
        (lambda m: by_task(m, clips(0)), ShapeError, "none were given"),
    ],
)
def test_what_does_not_fit_is_refused(work, error, message):
    with pytest.raises(error, match=message):
        work(model())


@pytest.mark.parametrize("options", [{"p": -1}, {"k": 0}, {"mask_past": 1.5}, {"per_frame": -0.1}, {"levels": -1}])
def test_layouts_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError):
        Layout(**({"p": 2, "k": 3, "f": 2} | options))


@pytest.mark.parametrize("stride", [5, 16, 0])
def test_spacings_that_were_not_trained_are_refused(stride):
    with pytest.raises(ConfigError, match=rf"are {stride} apart; .* frames 1 or 4 apart.*stride=\(1, 4\)"):
        model(1, 3, 1, levels=1).loss(clips(2, 5), stride=torch.tensor([1, stride]))


def test_trajectories_are_of_a_past():
    with pytest.raises(ConfigError, match="futures of a past"):
        model(1, 3, 1, levels=1).long_video(9, trajectories=2, **walk())
