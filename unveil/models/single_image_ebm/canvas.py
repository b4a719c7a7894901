"""The canvas of a scale: an image in a grey frame, on which chains run, so that the energy knows where an image ends."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from unveil.core.protocols import Randomness
from unveil.mcmc import Trace, langevin
from unveil.models.single_image_ebm.tiles import gradient_of
from unveil.networks.patch_energy import PatchEnergy, Weights


@dataclass(frozen=True)
class Walk:
    """How chains run at a scale: x <- clip(x - step_size/2 grad U(x) + noise e, -1, 1).

    Attributes:
        steps: of a chain.
        step_size: in front of the gradient.
        noise: standard deviation of what a step adds: one number, or one a sample (B,).
        tile: side of the tiles of a large image; None chooses by the memory it takes.
    """

    steps: int
    step_size: float
    noise: float | Tensor = 0.0
    tile: int | None = None


def framed(x: Tensor, border: int) -> Tensor:
    """Put images (B, C, H, W) into a frame of mid grey, so many pixels wide."""
    return functional.pad(x, (border,) * 4)


def unframed(x: Tensor, border: int) -> Tensor:
    """Take the frame away."""
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


def run_canvas(
    network: PatchEnergy,
    canvas: Tensor,
    walk: Walk,
    *,
    weights: Weights | None = None,
    generator: Randomness = None,
    project: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[int, int], None] | None = None,
    trace: Trace | None = None,
) -> Tensor:
    """Run chains on canvases, frames and all. The energy is the sum of the map, which has the size of the image.

    Args:
        network: the energy of this scale.
        canvas: where chains start, (B, C, H + 2n, W + 2n).
        walk: how.
        weights: the network's, found before; its own when None.
        generator: of the noise.
        project: applied to the canvas after each step.
        watch: told (steps done, steps in all).
        trace: filled with what the chains felt.
    """
    found = network.weights() if weights is None else weights
    return langevin(
        None,
        canvas,
        steps=walk.steps,
        step_size=walk.step_size,
        noise=walk.noise,
        bounds=(-1.0, 1.0),
        gradient=gradient_of(network, found, tile=walk.tile),
        project=project,
        generator=generator,
        watch=None if watch is None else lambda step, steps, _: watch(step, steps),
        trace=trace,
    )


def run(
    network: PatchEnergy,
    x: Tensor,
    walk: Walk,
    *,
    generator: Randomness = None,
    known: tuple[Tensor, Tensor] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Run chains from images (B, C, H, W) and give where they end, without frames.

    Args:
        network: the energy of this scale, in evaluation mode.
        x: where chains start.
        walk: how.
        generator: of the noise.
        known: values and a mask of pixels, 1 where they are known; they are put back after each step.
        watch: told (steps done, steps in all).
    """
    border = network.border
    project = None
    if known is not None:
        value, mask = (framed(part, border) for part in known)

        def project(canvas: Tensor) -> Tensor:
            return value.where(mask.bool(), canvas)

        x = known[0].where(known[1].bool(), x)
    ends = run_canvas(network, framed(x, border), walk, generator=generator, project=project, watch=watch)
    return unframed(ends, border)
