"""Move pictures that there are towards what a run knows: hide a part of them in noise, take it away, and refine the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.numbers import check_seed, check_whole
from unveil.models.halving import last_time
from unveil.recipes.diffusion import DiffusionSpec
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.hat import HatSpec
from unveil.recipes.schema import Recipe
from unveil.tasks.batches import batches
from unveil.tasks.pictures import SLACK
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of, shape_of

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.core.random import Streams
    from unveil.mcmc import TruncatedKernel

BATCH = 64
UNTIL = 0.4
"""How far a diffusion hides a picture when nobody says."""


@dataclass(frozen=True)
class Refined:
    """Pictures that were moved.

    Attributes:
        images: (n, C, H, W) in [-1, 1].
        given: the same before, at the run's size, or at their own where they keep it.
    """

    images: "Tensor" = field(repr=False)
    given: "Tensor" = field(repr=False)

    @property
    def rows(self) -> "Tensor":
        """What was given, then what became of it, (2n, C, H, W): two rows of a sheet with n columns."""
        import torch

        return torch.cat([self.given, self.images])


def check_refining(
    recipe: Recipe,
    *,
    until: float | None = None,
    repeats: int = 1,
    steps: int | None = None,
    n: int | None = None,
    seed: int = 0,
    batch: int = BATCH,
    keep_size: bool = False,
) -> None:
    """Refuse what cannot be refined so, before torch is loaded.

    Raises:
        ConfigError: a run that cannot move pictures, or numbers that it does not take.
    """
    spec = recipe.model
    if not isinstance(spec, DiffusionSpec | DistilledSpec | HatSpec):
        raise ConfigError(
            f"The run is a {spec.kind}, and pictures are moved by a diffusion, one that was distilled, or a Hat Diffusion EBM; "
            "give the run of one."
        )
    plain = spec.diffusion if isinstance(spec, DistilledSpec) else spec
    if isinstance(plain, DiffusionSpec) and plain.labels and not plain.label_dropout:
        raise ConfigError(
            "This run has only seen pictures with their labels, and moving pictures tells it none; train one with "
            "model.label_dropout above 0."
        )
    if keep_size and isinstance(spec, HatSpec):
        raise ConfigError(
            "The energy of a Hat Diffusion EBM judges pictures of one size as a whole; leave --keep-size out, or give the run "
            "of a diffusion."
        )
    if recipe.data.dimension is not None:
        raise ConfigError("The run is a model of points, not of pictures; give the run of a model of pictures.")
    for name, value, least in (("repeats", repeats, 0), ("n", 1 if n is None else n, 1), ("batch", batch, 1)):
        check_whole(name, value, least=least)
    check_whole("steps", 1 if steps is None else steps, least=0 if isinstance(spec, HatSpec) else 1)
    check_seed(seed)
    if until is not None and not isinstance(spec, DiffusionSpec):
        raise ConfigError(
            f"This run hides pictures up to t = {spec.last:g}, as it was trained to; leave --until to it, or give the run of a "
            "diffusion."
        )
    if steps is not None and isinstance(spec, DistilledSpec):
        raise ConfigError(
            f"This run was distilled to {spec.steps} of its steps and knows no other way; leave --steps out."
        )
    if isinstance(spec, DiffusionSpec):
        last_time(until, getattr(spec.schedule, "steps", None))


def refine(
    run: Run | str | Path,
    images: "str | Path | Tensor | Sequence[str | Path]",
    *,
    mask: "str | Path | Tensor | None" = None,
    until: float | None = None,
    repeats: int = 1,
    steps: int | None = None,
    n: int | None = None,
    seed: int = 0,
    batch: int = BATCH,
    keep_size: bool = False,
    report: Report | None = None,
) -> Refined:
    """Move pictures towards what a run knows: rough drawings become pictures, samples of other models become better ones.

    A diffusion hides them in noise up to `until` and walks back; one that was distilled does so in its few steps; a Hat
    Diffusion EBM takes some steps of its kernel and then lets its energy refine what came of it.

    Args:
        run: a run, or its folder.
        images: a file, a folder or several files, brought to the run's size; or (n, C, H, W) in [-1, 1] of that size.
        mask: a picture, bright where others may change; elsewhere they stay as they are. It is brought to their size.
        until: of diffusions, how much is hidden: a step of the chain, or a time below 1; 0.4 when None.
        repeats: how often pictures are hidden and brought back; more go farther.
        steps: of the walk back, or of a Hat Diffusion EBM's chains, where 0 leaves them out; the run's own when None.
        n: use the first so many.
        seed: names all that is random.
        batch: pictures at a time; it does not change them.
        keep_size: leave pictures, which must be of one size, at that size: a diffusion then looks at them through
            overlapping windows of its own.
        report: told of progress.

    Raises:
        ConfigError: a run or numbers that cannot be.
        DataError: pictures that are missing or damaged, or tensors of numbers beyond [-1, 1].
        ShapeError: tensors of another size than the run's.

    Source: Meng et al. (2022), arXiv:2108.01073, for the diffusion; the Hat Diffusion EBM's kernel is the same step.
    """
    recipe = recipe_of(run)
    check_refining(recipe, until=until, repeats=repeats, steps=steps, n=n, seed=seed, batch=batch, keep_size=keep_size)

    import torch

    run, report = open_run(run), report or Quiet()
    shape = shape_of(recipe, run.path)
    given = _opened(images, shape, n, keep_size=keep_size)
    shape = tuple(given.shape[1:])
    where = None if mask is None else (_opened(mask, (1, *shape[1:]), 1) > 0).float()
    spec, model = recipe.model, run.model
    device = run.device
    options: dict[str, Any] = {"repeats": repeats, "mask": None if where is None else where.to(device)}
    if isinstance(spec, HatSpec):
        options["steps"] = steps
    done = []
    with report.bar("refining") as progress:
        for rows, streams, _ in batches(range(len(given)), batch, seed, progress):
            part = given[rows.start : rows.stop].to(device)
            if isinstance(spec, HatSpec):
                moved = model.refine(part, generator=streams, **options)
            else:
                moved = _walked(_kernel_for(run, shape, until, steps), part, streams, **options)
            done.append(moved.cpu())
            progress(rows.stop, len(given))
    return Refined(torch.cat(done), given)


def _kernel_for(run: Run, shape: tuple[int, ...], until: float | None, steps: int | None) -> "TruncatedKernel":
    """The kernel of a diffusion, or of one that was distilled, for pictures of a shape."""
    from unveil.covariance import on_plane
    from unveil.inverse import blended
    from unveil.mcmc import TruncatedKernel

    spec, model = run.recipe.model, run.model
    if isinstance(spec, DistilledSpec):
        kernel: TruncatedKernel = model.kernel
    else:
        assert isinstance(spec, DiffusionSpec)
        last = last_time(UNTIL if until is None else until, getattr(spec.schedule, "steps", None))
        walk = steps or max(1, round(run.recipe.sampling.steps * last))
        kernel = TruncatedKernel(model.denoise, model.schedule, last, walk, model.cov)
    own = tuple(model.shape)
    if shape == own:
        return kernel
    size, known = (own[1], own[2]), kernel.denoise

    def denoise(x_t: "Tensor", t: "Tensor") -> "Tensor":
        return blended(lambda cut, _: known(cut, t), x_t, size, overlap=min(size) // 2, batch=BATCH)

    return replace(kernel, denoise=denoise, cov=on_plane(kernel.cov, *shape[1:]))


def _walked(
    kernel: "TruncatedKernel", x: "Tensor", streams: "Streams", *, repeats: int, mask: "Tensor | None"
) -> "Tensor":
    """The step of a kernel, some times over."""
    import torch

    at = x
    with torch.no_grad():
        for _ in range(repeats):
            moved = kernel(at, streams).clamp(-1, 1)
            at = moved if mask is None else torch.where(mask.expand_as(x) > 0, moved, x)
    return at


def _opened(
    images: "str | Path | Tensor | Sequence[str | Path]",
    shape: tuple[int, ...],
    n: int | None,
    *,
    keep_size: bool = False,
) -> "Tensor":
    """Pictures at the size of a run, or at their own, (n, C, H, W)."""
    import torch
    from torch import Tensor

    from unveil.data import open_images

    if isinstance(images, Tensor):
        x = images[None] if images.ndim == 3 else images
        if x.ndim != 4 or x.shape[1] != shape[0] or (x.shape[1:] != shape and not keep_size):
            raise ShapeError(f"The run's pictures are {tuple(shape)}; these are {tuple(x.shape[1:])}.")
        if not x.is_floating_point() or not len(x) or not bool((x.abs() <= 1 + SLACK).all()):
            raise DataError(
                "Pictures are one or more, of floating point numbers in [-1, 1]. Bring 0..255 there with x / 127.5 - 1."
            )
        return x[:n].float().cpu()
    sources = [images] if isinstance(images, str | Path) else list(images)
    size = None if keep_size else (shape[1], shape[2])
    opened = []
    for source in sources:
        found = open_images(source, size=size, channels=shape[0], split="all", crop="center", upsample=True)
        opened.append(found.batch(range(min(len(found), n or len(found))))[0])
    if len({x.shape for x in (batch[0] for batch in opened)}) > 1:
        raise DataError("With --keep-size all pictures have one size; refine those of other sizes by themselves.")
    return torch.cat(opened)[:n]
