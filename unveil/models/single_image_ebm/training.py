"""A training step of one scale: chains from the scale below, and chains that should find back to the image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from unveil.core.errors import DivergenceError
from unveil.core.protocols import Batch, Move
from unveil.core.random import Streams
from unveil.mcmc import Trace
from unveil.models.single_image_ebm.canvas import Walk, framed, run_canvas, unframed
from unveil.models.single_image_ebm.memory import training_window
from unveil.models.single_image_ebm.starts import Starts, first_noise
from unveil.networks.patch_energy import Weights
from unveil.pyramids import resize

if TYPE_CHECKING:
    from unveil.models.single_image_ebm.energies import EnergyPyramid

QUIET_FROM = 0.25
"""Share of the steps of a scale after which chains have no noise."""
LOST = 2.0
"""Squared error of the recovered image, summed over channels, with which a scale has learned nothing."""


@dataclass(frozen=True)
class Ends:
    """Where the chains of a step came to rest, on canvases.

    Attributes:
        data: the image's canvas, (1, C, H + 2n, W + 2n).
        fake: ends of the random chains, (B, ...).
        recovered: the end of the recovery chain, (1, ...).
        slope: root mean square of the energy's gradient in the last step of the random chains.
        growth: spread of the random chains' ends over that of their starts.
        weights: the network's, with which they were found.
        places: which positions of the map count, (1, 1, H, W); None for all.
    """

    data: Tensor
    fake: Tensor
    recovered: Tensor
    slope: Tensor
    growth: Tensor
    weights: Weights
    places: Tensor | None


def moves(model: "EnergyPyramid", scale: int, steps: int, starts: Starts, batch: Batch) -> Iterator[Move]:
    """One training step of a scale: maximum likelihood with short chains, and the recovery of the image.

    The loss is mean U(x+) - mean U(x-) + w (mean U(x+) - mean U(x_rec)), with means over the map. Above the coarsest scale the
    recovery starts in turn where that of the scale below ended, and from the clean image of the scale below, from which
    edits start too: trained on the first alone, chains lead away from the image when they start nearer to it.

    Source: Zheng, Xie and Li (2021), CVPR, algorithm 1; the bank, the warm start, the clean starts and the guard are ours.
    """
    network, guard = model.energies[scale], model.guard
    border = network.border
    if batch.step == 0:
        if scale == 0:
            model.learn(batch.x[0], batch.cond["hole"][0] if "hole" in batch.cond else None)
        model.trained.fill_(scale)  # a model that is trained anew is finished no more
        guard.begin(network)
    guard.before(batch.step, network)
    anew = False
    while True:
        ends, trouble = None, ""
        try:
            ends = _walked(model, scale, steps, starts, batch)
            logs = _health(ends, border)
            felt = [logs["slope"], logs["slope"] * model.reach(scale), logs["contrast"], ends.growth]
        except DivergenceError as error:
            felt, trouble = [torch.tensor(torch.nan, device=model.device)] * 4, f" ({error})"
        if not guard.has_diverged(*_shared(*felt)):  # where one process fails, all go back
            break
        if not guard.restore(network):
            raise DivergenceError(
                f"Scale {scale} diverged again and again, the last time in step {batch.step + 1} of {steps}, though the "
                "network went back three times and its learning rate was halved each time; it is as it was before. A lower "
                f"learning rate (training.lr) or a smaller model.step_size helps.{trouble}"
            )
        anew = True
    assert ends is not None
    maps = network(torch.cat([ends.data, ends.fake, ends.recovered]), ends.weights)
    energies = _means(maps, ends.places)
    data, fake, recovered = energies[0], energies[1:-1].mean(), energies[-1]
    weight = model.recovery_weight * (model.clean_factor if _is_clean(model, scale, batch) else 1)
    loss = data - fake + weight * (data - recovered)
    logs |= {"gap": (fake - data).detach()}
    if guard.rate < 1:
        logs["rate"] = torch.tensor(guard.rate)
    yield Move("coarsest" if scale == 0 else "finer", loss, logs, rate=guard.rate, anew=anew)
    if batch.step + 1 == steps:
        if not float(logs["recovery"]) <= LOST:
            raise DivergenceError(
                f"Scale {scale} has not learned to find back to the image: the squared error of its recovery is "
                f"{float(logs['recovery']):.2g}, above {LOST}. Train longer (--steps), or change model.step_size."
            )
        model.trained.fill_(scale + 1)


def _is_clean(model: "EnergyPyramid", scale: int, batch: Batch) -> bool:
    """Whether the recovery chain of a step starts from the image of the scale below."""
    return scale > 0 and model.clean_factor > 0 and batch.step % 2 == 1


def _walked(model: "EnergyPyramid", scale: int, steps: int, starts: Starts, batch: Batch) -> Ends:
    """Run the random chains and the recovery chain of a step, all in one batch."""
    network, count = model.energies[scale], len(batch)
    border, streams = network.border, Streams.of(batch.generator, count)
    with torch.no_grad():
        bank, recovery = starts.at(model, scale)
        if _is_clean(model, scale, batch):
            recovery = resize(model.pyramid[scale - 1], model.sizes[scale]).clamp(-1, 1)
        if scale == 0:
            drawn = first_noise(count, model, model.sizes[0], streams)
        else:
            drawn = bank[(streams.rand((count,)) * len(bank)).long().to(bank.device)].to(recovery)
            drawn = model.with_detail(drawn, scale, streams)
        canvas = framed(torch.cat([model.pyramid[scale], drawn, recovery]), border)
        places = map_places(model.known[scale], border) if model.has_hole else None
        canvas, places, project = _cropped(training_window(model, scale, count), canvas, places, border, streams)
    nu = model.noise * max(0.0, 1 - batch.step / (QUIET_FROM * steps))
    walk = model.walk(scale)
    if nu > 0:
        noise = torch.full((count + 1,), nu, device=canvas.device)
        noise[-1] = 0
        walk = Walk(walk.steps, walk.step_size, noise)
    weights, trace = network.weights(), Trace()
    # One stream more than there are samples, for the recovery chain, whose noise is 0.
    noises = Streams(streams.child(1).seed, [*streams.index, 0])
    ends = run_canvas(
        network, canvas[1:], walk, weights=weights, generator=noises, project=project(canvas[1:]), trace=trace
    )
    growth = unframed(ends[:-1], border).std() / unframed(canvas[1:-1], border).std().clamp(min=1e-3)
    slope = trace.gradient[-1][:-1].mean()
    return Ends(canvas[:1], ends[:-1], ends[-1:], slope, growth, weights, places)


Project = Callable[[Tensor], Tensor]


def _cropped(
    crop: int | None, canvas: Tensor, places: Tensor | None, border: int, streams: Streams
) -> tuple[Tensor, Tensor | None, Callable[[Tensor], Project | None]]:
    """Cut the same window out of all canvases where the scale is trained on windows.

    Where the frame of a window is real pixels, they are put back after each step; at the image's own borders it is the
    grey frame, which moves as it always does.
    """
    height, width = (side - 2 * border for side in canvas.shape[-2:])
    if crop is None:
        return canvas, places, lambda start: None
    tall, wide = min(crop, height), min(crop, width)
    top, left = int(streams.shared() * (height - tall + 1)), int(streams.shared() * (width - wide + 1))
    window = canvas[..., top : top + tall + 2 * border, left : left + wide + 2 * border]
    real = torch.zeros(1, 1, *window.shape[-2:], dtype=torch.bool, device=canvas.device)
    real[..., :border, :] |= top > 0
    real[..., tall + border :, :] |= top + tall < height
    real[..., :, :border] |= left > 0
    real[..., :, wide + border :] |= left + wide < width
    kept = None if places is None else places[..., top : top + tall, left : left + wide]
    return window, kept, lambda start: lambda state: torch.where(real, start, state)


def map_places(known: Tensor, border: int) -> Tensor:
    """The positions of the map whose patches see nothing of a hole, (1, 1, H, W) as 0 and 1.

    Where there is none, the positions that are known themselves, and all where none is, as at the coarse scales of a fine
    grid: nothing of the hole's contents is in the pyramid anyway, only what lies around it.
    """
    hole = functional.pad(1 - known, (border,) * 4)
    clear = 1 - functional.max_pool2d(hole, 2 * border + 1, stride=1)
    return next((places for places in (clear, known) if bool(places.any())), torch.ones_like(known))


def _means(maps: Tensor, places: Tensor | None) -> Tensor:
    """The mean of each map over the positions that count, (B,)."""
    if places is None:
        return maps.mean((1, 2, 3))
    return (maps * places).sum((1, 2, 3)) / places.sum()


def _health(ends: Ends, border: int) -> dict[str, Tensor]:
    """What tells whether a scale trains well; see the docs on training."""
    data, fake, recovered = (unframed(x, border) for x in (ends.data, ends.fake, ends.recovered))
    error = (recovered - data).square().sum(1, keepdim=True)
    weight = torch.ones_like(error) if ends.places is None else ends.places
    return {
        "slope": ends.slope,
        "recovery": (error * weight).sum() / weight.sum().clamp(min=1),
        "contrast": fake.std() / data.std().clamp(min=1e-3),
        "colour": (fake.mean((0, 2, 3)) - data.mean((0, 2, 3))).abs().mean(),
    }


def _shared(*numbers: Tensor) -> list[float]:
    """The means of some numbers over all processes, which must decide alike."""
    values = torch.stack([number.detach().float() for number in numbers])
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(values)
        values /= dist.get_world_size()
    return values.tolist()
