"""Bring a spoilt picture back: what was done to it is known, and a run knows what pictures look like."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from unveil.core.errors import ConfigError, ShapeError
from unveil.recipes.choices import Solver, either, near
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.hat import HatSpec
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.recipes.schema import BlindDenoiserSpec, DiffusionSpec, Recipe, RestorationSpec
from unveil.tasks.enlarge import check_enlarging, enlarge
from unveil.tasks.measurements import Measurement, before, build, kernel, parse
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.core.protocols import Operator, Prior, Randomness

QUANTISED = 2 / 255 / 12**0.5
"""Standard deviation of the rounding to 256 grey levels, for images in [-1, 1]."""
FEW_LEVELS = 16
"""A prior with more levels than this is told which one to use where one is enough."""
PUSHED = 0.1
"""The noise that Douglas-Rachford splitting then works with, for images in [-1, 1]."""
ROUGH = 0.01
"""What a real blur differs by from the one that was named, taken for noise: at least, for images in [-1, 1]."""
PRIORS = DiffusionSpec | BlindDenoiserSpec | RestorationSpec | HatSpec
KINDS = {1: "a grey picture", 3: "a colour picture"}
LEAST_WINDOW = 32
ALIGN = 16
"""Pixels of which the sides of windows are multiples, more than any denoiser's strides ask for."""
WINDOW = 768
"""Side of the pieces in which a large picture is worked on, where the network takes any."""


@dataclass(frozen=True)
class Restored:
    """A picture that was brought back.

    Attributes:
        image: (C, H, W) in [-1, 1].
        measured: what it was made from, as `Operator.forward` gives it, (1, ...).
        canvas: the shape (C, H', W') to which the picture was continued for that.
        simple: the measurement where it is a picture of the same size, else what the pseudo-inverse makes of it, (C, H, W).
        truth: the clean picture, where it is known.
        psnr: in dB against the truth: of the image, and of `simple`.
        ssim: the same.
        notes: what else a user should know.
    """

    image: "Tensor" = field(repr=False)
    measured: "Tensor" = field(repr=False)
    canvas: tuple[int, ...]
    simple: "Tensor" = field(repr=False)
    truth: "Tensor | None" = field(default=None, repr=False)
    psnr: tuple[float, float] | None = None
    ssim: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def panels(self) -> "list[Tensor]":
        """What was measured, as a picture, then the restored one, then the truth if it is known; each (C, H, W)."""
        looks = self.measured[0] if self.measured.ndim == 4 else self.simple
        height, width = (max(1, self.image.shape[i] * looks.shape[i] // self.canvas[i]) for i in (1, 2))
        looks = looks[:, :height, :width] if self.measured.ndim == 4 else looks
        return [looks.clamp(-1, 1), self.image, *([] if self.truth is None else [self.truth])]


def check_restoring(
    recipe: Recipe,
    measurement: Measurement,
    solver: str | None,
    *,
    degrade: bool,
    window: int | None = None,
    steps: int | None = None,
) -> None:
    """Refuse what cannot be restored, before torch is loaded.

    Raises:
        ConfigError: a run that is no prior, an unknown solver, a measurement that only a clean picture can give, or steps
            of what takes none.
    """
    if isinstance(recipe.model, MultiResCNFSpec):
        check_enlarging(recipe.model, measurement, solver, window=window, steps=steps)
    elif isinstance(recipe.model, DistilledSpec):
        raise ConfigError(
            f"The run was distilled to {recipe.model.steps} of its steps and knows no other noise; give the run that it was "
            "distilled from."
        )
    elif not isinstance(recipe.model, PRIORS):
        raise ConfigError(
            f"The run is a {recipe.model.kind}, which restores nothing; give the run of a diffusion, a denoiser, a "
            "restoration model or a Hat Diffusion EBM, such as one of photos-denoiser."
        )
    if getattr(recipe.model, "labels", False) and not getattr(recipe.model, "label_dropout", 0):
        raise ConfigError(
            "This run has only seen pictures with their labels, and restoring tells it none; train one with "
            "model.label_dropout above 0."
        )
    if recipe.data.dimension is not None:
        raise ConfigError("The run is a model of points, not of pictures; give the run of a model of pictures.")
    if solver is not None and solver not in get_args(Solver):
        raise ConfigError(
            f"There is no solver {solver!r}{near(solver, get_args(Solver), 1)} Known are {either(get_args(Solver))}."
        )
    alone = not measurement.parts and solver is None and not isinstance(recipe.model, RestorationSpec)
    if steps is not None and (solver == "denoise" or alone):
        raise ConfigError(
            "Noise alone is taken away by the solver denoise, which asks the run once and takes no steps; leave them out, or "
            "take --solver half-quadratic."
        )
    if window is not None and window < LEAST_WINDOW:
        raise ConfigError(f"Pieces of {window} pixels a side are too small to work on; take {LEAST_WINDOW} or more.")
    if measurement.needs_truth and not degrade:
        hole = " To fill a hole in a picture of your own, give the hole as a picture: mask:FILE, white where it is."
        raise ConfigError(
            f"{measurement.text!r} draws at random what is measured, so it needs a clean picture to measure: add --degrade."
            + (hole if measurement.has("mask") else "")
        )


def restore(
    run: Run | str | Path,
    image: "str | Path | Tensor",
    operator: "str | Measurement",
    *,
    degrade: bool = False,
    truth: "str | Path | Tensor | None" = None,
    solver: str | None = None,
    seed: int = 0,
    window: int | None = None,
    report: Report | None = None,
    **options: Any,
) -> Restored:
    """Restore a picture of any size.

    A network that knows one size is applied on overlapping windows, and pictures whose sides do not fit the operator are
    continued by their mirror image and cut back.

    Args:
        run: a run whose model is a prior of pictures: a diffusion, of any noise, a denoiser, a restoration model or a Hat
            Diffusion EBM, of which it is the truncated diffusion; or a flow, which draws the details of what was
            downsampled by itself.
        image: the measured picture, a file or (C, H, W) in [-1, 1].
        operator: what was done to it, see `unveil.tasks.measurements.GRAMMAR`.
        degrade: take `image` for the clean picture: measure it first, then restore that.
        truth: the clean picture, to compare with.
        solver: "half-quadratic", "douglas-rachford", "ddrm", "posterior" or "denoise"; without one "douglas-rachford" for
            restoration models, and for others "denoise" where there is noise alone, else "half-quadratic".
        seed: names all that is random.
        window: side of the pieces in which the picture is worked on; without one the run's own size.
        report: told of progress.
        options: what else the solver takes, such as steps.

    Raises:
        ConfigError: a value out of range, an operator that cannot be read, or a run that is no prior.
        DataError: the picture is missing or damaged.
        ShapeError: a mask or a truth of another size.
    """
    measurement = operator if isinstance(operator, Measurement) else parse(operator)
    recipe = recipe_of(run)
    check_restoring(recipe, measurement, solver, degrade=degrade, window=window, steps=options.get("steps"))

    import torch

    from unveil.core.random import Streams
    from unveil.inverse import Bordered
    from unveil.tasks.pictures import read_picture

    report = report or Quiet()
    given, notes = read_picture(image)
    run = open_run(run)
    device = run.device
    shape = tuple(given.shape) if degrade else before(measurement, given.shape)
    clean = given if degrade else None if truth is None else read_picture(truth)[0]
    if clean is not None and tuple(clean.shape) != shape:
        raise ShapeError(
            f"The true picture is {KINDS[clean.shape[0]]} of {_size(clean.shape)} pixels; what is restored is "
            f"{KINDS[shape[0]]} of {_size(shape)}. They must be the same."
        )
    canvas, more = _canvas(measurement, shape, degrade=degrade)
    notes += more
    if isinstance(recipe.model, BlindDenoiserSpec) and solver in ("ddrm", "posterior"):
        notes.append(
            f"The solver {solver} walks down from noise alone, of which a denoiser of photographs knows little; take the run "
            "of a diffusion, or another solver."
        )
    a = build(measurement, shape, canvas=canvas, seed=seed)
    with torch.no_grad():
        if degrade:
            y = a.forward(_continued(given[None].to(device), canvas[1:], wrap=False))
            noise = Streams(seed, 1).child(2).randn(y.shape).to(y)
            y = y + measurement.sigma * noise
        else:
            seen = canvas[1] // measurement.factor, canvas[2] // measurement.factor
            y = _continued(given[None].to(device), seen, wrap=measurement.has("blur"))
            if measurement.has("blur"):
                keep = torch.zeros(seen, device=device)
                keep[: given.shape[1], : given.shape[2]] = 1
                a = Bordered(a, keep)
        if isinstance(recipe.model, MultiResCNFSpec):
            restored = enlarge(run, y, measurement, seed=seed, report=report, **options)
        else:
            prior = prior_of(run, canvas, window=window)
            rough = measurement.has("blur") and not degrade
            sigma = max(measurement.sigma, ROUGH if rough else QUANTISED)
            if solver is None and isinstance(recipe.model, RestorationSpec):
                solver = "douglas-rachford"  # the others ask for many levels, or for a mean
            restored = solve(
                prior, y, a, sigma_y=sigma, solver=solver, report=report, generator=Streams(seed, 1), **options
            )
        simple = y if y.shape[1:] == canvas else a.pinv(y)
    cut = (..., slice(shape[1]), slice(shape[2]))
    found, plain = restored[0][cut].clamp(-1, 1).cpu(), simple[0][cut].clamp(-1, 1).cpu()
    psnr, ssim = _compared((found, plain), clean) if clean is not None else (None, None)
    return Restored(found, y.cpu(), canvas, plain, clean, psnr, ssim, tuple(notes))


def prior_of(run: Run, shape: tuple[int, ...], *, window: int | None = None) -> "Prior":
    """What a run knows of pictures, for pictures of a shape (C, H, W), whatever it is."""
    from unveil.inverse.windows import Windows

    spec, data = run.recipe.model, run.recipe.data
    known = data.channels or shape[0]
    if isinstance(spec, BlindDenoiserSpec):
        most = (window or WINDOW) // ALIGN * ALIGN
        tall, wide = (min(most, -(-side // ALIGN) * ALIGN) for side in shape[1:])
        overlap = min(64, *(min(side // 2, side - ALIGN) for side in (tall, wide)))
        return Windows(run.model, (tall, wide), overlap=overlap, align=ALIGN, batch=1, channels=known)
    prior: Prior = run.model.prior()
    size = data.size or (WINDOW, WINDOW)
    if window is not None and window not in size:
        raise ConfigError(f"This run's network knows pieces of {size[1]} x {size[0]}; leave --window to it.")
    return Windows(prior, size, overlap=min(size) // 2, batch=64, channels=known)


def solve(
    prior: "Prior",
    y: "Tensor",
    operator: "Operator",
    *,
    sigma_y: float = 0.0,
    solver: str | None = None,
    report: Report | None = None,
    generator: "Randomness" = None,
    **options: Any,
) -> "Tensor":
    """Restore measurements y, (B, ...), of an operator by a solver's name, with what suits the prior; see `restore`.

    Raises:
        ConfigError: an option that the solver does not take.
    """
    from unveil import inverse
    from unveil.inverse.search import nearest_level
    from unveil.operators import Identity

    alone = isinstance(operator, Identity)
    name = solver or ("denoise" if alone else "half-quadratic")
    with (report or Quiet()).bar("restoring") as progress:
        if name == "denoise":
            if not alone:
                raise ConfigError("The solver denoise takes away noise alone; take half-quadratic for this operator.")
            if options:
                raise ConfigError(
                    f"The solver denoise asks the prior once and takes no {', '.join(options)}; take half-quadratic for that."
                )
            clean = prior.restore(y, nearest_level(prior, sigma_y), generator)
            progress(1, 1)
            return clean
        solvers: dict[str, Callable[..., Tensor]] = {
            "half-quadratic": inverse.half_quadratic,
            "douglas-rachford": inverse.douglas_rachford,
            "ddrm": inverse.ddrm,
            "posterior": inverse.posterior_sampling,
        }
        if name == "douglas-rachford":
            trust = min(5.0, 0.03 / sigma_y**2) if sigma_y > 0 else 5.0
            options = {"start": inverse.smoothest(operator, y, sigma_y=sigma_y), "lam": trust} | options
            if len(prior.sigmas) > FEW_LEVELS:
                options = {"levels": [nearest_level(prior, PUSHED)], "alpha": 0.5} | options
        try:
            return solvers[name](prior, y, operator, sigma_y=sigma_y, generator=generator, progress=progress, **options)
        except TypeError as error:
            if "unexpected keyword" in str(error):
                unknown = str(error).rsplit("argument", 1)[-1].strip()
                raise ConfigError(f"The solver {name} takes no {unknown}.") from None
            raise


def _canvas(measurement: Measurement, shape: tuple[int, ...], *, degrade: bool) -> tuple[tuple[int, ...], list[str]]:
    """The size that a picture is continued to, and what is to be said of it."""
    channels, height, width = shape
    factor, notes = measurement.factor, []
    tall, wide = (side + -side % factor for side in (height, width))
    if (tall, wide) != (height, width):
        notes.append(
            f"{width} x {height} pixels do not divide by {factor}: the picture was continued to {wide} x {tall}, and cut back."
        )
    reach, before = [0, 0], 1  # of all blurs, in pixels of the whole picture
    for part in measurement.parts:
        if part.kind == "downsample":
            before *= int(part.numbers[0])
        elif part.kind == "blur":
            reach = [max(had, before * side) for had, side in zip(reach, kernel(part).shape, strict=True)]
    if any(reach) and not degrade:
        # A blur that wraps round would mix opposite borders: between them a strip is laid that leads from one to the other.
        tall, wide = (side + -(-2 * more // factor) * factor for side, more in zip((tall, wide), reach, strict=True))
    return (channels, tall, wide), notes


def _continued(x: "Tensor", size: tuple[int, ...], *, wrap: bool) -> "Tensor":
    """x continued below and to the right by its mirror image, which with `wrap` fades into that of the other border."""
    import torch

    for axis, side in ((-2, size[0]), (-1, size[1])):
        length = x.shape[axis]
        more = side - length
        if more <= 0:
            continue
        if more > length:
            raise ShapeError(
                f"A picture of {_size(x.shape)} pixels is too small for this operator, which reaches as far as it is wide."
            )
        strip = x.flip(axis).narrow(axis, 0, more)
        if wrap:
            shape = [1] * x.ndim
            shape[axis] = more
            fade = (torch.arange(more, device=x.device, dtype=x.dtype) + 0.5).div(more).reshape(shape)
            strip = torch.lerp(strip, x.flip(axis).narrow(axis, length - more, more), fade)
        x = torch.cat([x, strip], axis)
    return x


def _compared(
    found: tuple["Tensor", "Tensor"], clean: "Tensor"
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    from unveil.metrics import psnr, ssim

    quality = [float(psnr(x[None], clean[None])[0]) for x in found]
    if min(clean.shape[1:]) < 11:  # the window of SSIM
        return (quality[0], quality[1]), None
    likeness = [float(ssim(x[None], clean[None])[0]) for x in found]
    return (quality[0], quality[1]), (likeness[0], likeness[1])


def _size(shape: Any) -> str:
    return f"{shape[-1]} x {shape[-2]}"
