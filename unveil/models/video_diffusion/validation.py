"""How well a video model does each of its tasks at one step of denoising: quick to compute, and fit to be watched."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.core.random import Randomness, Streams, randn_like
from unveil.core.shapes import mean_per_sample
from unveil.models.still import evaluating
from unveil.models.video_diffusion.folding import fold
from unveil.models.video_diffusion.given import checked_clips
from unveil.models.video_diffusion.layout import Task
from unveil.models.video_diffusion.model import VideoDiffusion
from unveil.models.video_diffusion.told import Told

_KNOWN: Mapping[Task, tuple[int, int]] = {"predict": (1, 0), "past": (0, 1), "interpolate": (1, 1), "generate": (0, 0)}


class TaskError(NamedTuple):
    """Means over clips: the loss, and the squared error of the estimated frames, or of their codes, for values in [-1, 1]."""

    loss: float
    error: float


@torch.no_grad()
def by_task(model: VideoDiffusion, clips: Tensor, generator: Randomness = None) -> dict[Task, TaskError]:
    """The errors of each task a model can do, on clips (B, p + k + f, C, H, W), in the noisier half of time.

    There the frames that are known matter: where there is little noise, all is seen in the noisy frames. The error of the
    estimated frames tells whether known frames are used; the loss of a network that predicts noise hardly does. Times are
    spread evenly over (0.5, 1]; times and noise are the same for all tasks.

    Raises:
        ShapeError: the clips have other frames than those of training, or there are none.
    """
    if not len(clips):
        raise ShapeError("Errors are means over clips, and none were given.")
    streams = Streams.of(generator, len(clips))
    layout, diffusion = model.layout, model.diffusion
    clips = checked_clips(clips, layout, model.shape).to(model.device)
    length = getattr(diffusion.schedule, "steps", None) or 1000
    places = (torch.arange(len(clips), dtype=torch.float64) + 1) / len(clips)
    t = ((0.5 + 0.5 * places) * length).round() / length
    middle = torch.zeros(len(clips), layout.k, *model.state_shape, dtype=clips.dtype, device=clips.device)
    eps = randn_like(fold(middle), streams)
    found: dict[Task, TaskError] = {}
    with evaluating(model):
        for task in model.tasks:
            past, future = _KNOWN[task]
            keep = torch.tensor([past] * layout.p + [future] * layout.f, dtype=clips.dtype, device=clips.device)
            block, known = model.parts(clips, keep.expand(len(clips), -1))
            net = Told(model.net, known, 0 if layout.levels else None)
            x = fold(block)
            x_hat = diffusion.denoise(diffusion.add_noise(x, t, eps), t, net=net)
            loss = diffusion.loss_per_sample(x, t, eps, net=net)
            found[task] = TaskError(float(loss.mean()), float(mean_per_sample((x_hat - x).square()).mean()))
    return found
