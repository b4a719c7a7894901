"""Pictures of every resolution from its noise, and small pictures with details drawn for them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress
from unveil.core.random import Streams, randn
from unveil.models.multires_cnf.preprocessing import unlogit
from unveil.models.still import evaluating
from unveil.ode import Solver

if TYPE_CHECKING:
    from unveil.models.multires_cnf.model import MultiResolutionCNF

ROUNDS = 3
"""Of details and the small picture they are drawn for, where the logit is of the finest pixels."""


def images(
    model: "MultiResolutionCNF",
    noise: Sequence[Tensor],
    image: Tensor | None,
    solver: Solver | None,
    progress: Progress | None = None,
) -> list[tuple[int, Tensor]]:
    """The images of those resolutions that noise of variance 1 is given for, finest first, each after its resolution.

    Args:
        noise: of some resolutions, finest first; the last is the coarsest, or that above `image`.
        image: of the resolution below the last, as `Pyramid.levels` splits them.
    """
    solver, found = solver or model.solver, []
    last = model.resolutions if image is None else first_of(model, noise, image)
    with evaluating(model):
        for done, (resolution, z) in enumerate(
            zip(range(last, last - len(noise), -1), reversed(noise), strict=True), start=1
        ):
            flow = model.flow(resolution)
            if image is None:
                image = model.pyramid.coarse(flow.decode(z, solver=solver))
            else:
                told = model.pyramid.condition(image, resolution)
                image = model.pyramid.transform.merge(flow.decode(z, told, solver=solver), image)
            found.append((resolution, image))
            if progress is not None:
                progress(done, len(noise))
    if image is not None and not bool(image.isfinite().all()):  # solvers of fixed steps do not look
        raise not_finite(solver, "A picture")
    return found[::-1]


def not_finite(solver: Solver, what: str) -> DivergenceError:
    """What is said where a solution overflowed and its solver did not notice."""
    return DivergenceError(
        f"{what} is not finite: {solver.method} lost the way. Take more steps than {solver.steps}, or a solver that keeps to a "
        "tolerance, dopri5."
    )


def first_of(model: "MultiResolutionCNF", noise: Sequence[Tensor], image: Tensor) -> int:
    """The resolution of the first details that a given image is given: by its size, else so that the last are the finest."""
    sizes = {model.pyramid.size(resolution + 1): resolution for resolution in range(1, model.resolutions)}
    found = sizes.get((image.shape[2], image.shape[3]), len(noise))
    return max(found, len(noise))


def grown(
    model: "MultiResolutionCNF", noise: Sequence[Tensor], solver: Solver | None, progress: Progress | None
) -> list[Tensor]:
    """Pixels in [0, 1] of all resolutions, finest first; those above the first that was never trained have no details."""
    known = 0
    while known < model.resolutions and bool(model.flow(model.resolutions - known).settled):
        known += 1
    found = images(model, noise[-known:], None, solver, progress)  # with none trained, all of them
    pictures = [model.pyramid.pixels(image, place) for place, image in found]
    while len(pictures) < model.resolutions:
        pictures.insert(0, pictures[0].repeat_interleave(2, -1).repeat_interleave(2, -2))
    return pictures


def steps_of(factor: int, resolutions: int) -> int:
    """How many resolutions a factor of the sides goes up.

    Raises:
        ConfigError: it is no power of 2, or more than the pyramid has.
    """
    check_whole("factor", factor)
    steps = factor.bit_length() - 1
    if factor < 2 or factor != 1 << steps or steps > resolutions - 1:
        known = [str(2**k) for k in range(1, resolutions)]
        has = f"by {' or '.join(known)}" if known else "by nothing, having one resolution"
        raise ConfigError(f"This model enlarges pictures {has}; it was asked for {factor}.")
    return steps


def enlarged(
    model: "MultiResolutionCNF",
    low: Tensor,
    factor: int,
    steps: int,
    temperature: float,
    streams: Streams,
    solver: Solver | None,
    progress: Progress | None,
) -> Tensor:
    """Small pictures with details of some resolutions, as numbers in [0, 1]; see `MultiResolutionCNF.super_resolve`."""
    # The mean of a block of dequantised pixels: their levels' mean, and that of as many uniform numbers.
    within = (sum((streams.rand(low.shape) for _ in range(factor**2)), torch.zeros(low.shape)) / factor**2).to(low)
    u = (((low.clamp(-1, 1) + 1) / 2) * (model.levels.count - 1) + within) / model.levels.count
    size = (low.shape[2], low.shape[3])
    sizes = {model.pyramid.size(resolution + 1): resolution for resolution in range(1, model.resolutions)}
    first = max(sizes.get(size, steps), steps)
    noise: list[Tensor] = []
    side = size
    for _ in range(steps):
        z = randn((len(low), 3 * model.shape[0], *side), streams, dtype=model.dtype)
        noise.insert(0, temperature * z)
        side = (2 * side[0], 2 * side[1])
    noise, u = [z.to(model.device) for z in noise], u.to(model.device, model.dtype)
    image = model.pyramid.given(u, first + 1)
    rounds = ROUNDS if model.pyramid.logit == "finest" else 0
    for done in range(rounds):
        place, large = images(model, noise, image, solver)[0]
        large = large / model.pyramid.unit(place)
        shift = model.pyramid.shifted(large, u, factor)
        image = image + shift * model.pyramid.unit(first + 1)
        if done == rounds - 1:  # details as they are, over the picture that they fit
            spread = shift.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
            return unlogit(large + spread, model.pyramid.alpha)
        if progress is not None:
            progress(done + 1, rounds)
    place, large = images(model, noise, image, solver, progress)[0]
    return model.pyramid.pixels(large, place)
