"""What a model is told of the frames around a block, and which of them are masked."""

import pytest
import torch
from seeds import seeded
from video_models import SHAPE, clips, model

from unveil.core.random import Streams
from unveil.models.video_diffusion import Layout, fold, unfold


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
