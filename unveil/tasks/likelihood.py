"""How likely images are under a run, in bits per dimension."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError, DataError
from unveil.core.numbers import check_seed, check_whole
from unveil.data.sources import check_source
from unveil.recipes.schema import DiffusionSpec, Recipe
from unveil.tasks.images import open_pictures
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, load, read_recipe
from unveil.tasks.sample import BATCH

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.data import Images
    from unveil.data.found import Split
    from unveil.metrics import Measure


@dataclass(frozen=True)
class Bits:
    """The likelihood of some images.

    Attributes:
        each: bits per dimension of every image, (n,).
        measure: their mean, with all that a number needs.
    """

    each: "Tensor" = field(repr=False)
    measure: "Measure"


def check_likelihood(recipe: Recipe, n: int | None, batch: int, probes: int, seed: int = 0) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        ConfigError: a number out of range, or a model that has no likelihood.
    """
    if not isinstance(recipe.model, DiffusionSpec):
        raise ConfigError(f"The run is a {recipe.model.kind}, which gives no likelihood; give the run of a diffusion.")
    for name, value in (("n", 1 if n is None else n), ("batch", batch), ("probes", probes)):
        check_whole(name, value)
    check_seed(seed)


def likelihood(
    run: Run | str | Path,
    images: "str | Path | Images",
    *,
    n: int | None = None,
    split: "Split" = "all",
    seed: int = 0,
    batch: int = BATCH,
    probes: int = 1,
    exact: bool = False,
    report: Report | None = None,
) -> Bits:
    """Measure bits per dimension: few for images that the model expects, many for others.

    Images are brought to the model's size, as in training, and dequantised: uniform noise one level wide is added.

    Args:
        run: a run, or its folder.
        images: a source of images, or opened ones.
        n: use the first so many; all when None.
        split: which part of a source.
        seed: names the dequantisation and the probes of the divergence, 0 to 2^63 - 1.
        batch: images at a time. The solver's steps suit a whole batch, so it moves results within their tolerance.
        probes: random directions in which the divergence is looked at; more take longer and scatter less.
        exact: look in every direction instead: no scatter, and as many backward passes as an image has numbers.
        report: told of progress.

    Raises:
        ConfigError: a value out of range, or a model that has no likelihood.
        DataError: the images are missing or damaged, or are no pixels of 256 levels.
        RunError: it is not a run.
    """
    recipe = run.recipe if isinstance(run, Run) else read_recipe(run)
    check_likelihood(recipe, n, batch, probes, seed)
    if isinstance(images, str | Path):
        check_source(images)

    import torch

    from unveil.core.random import Streams
    from unveil.data import dequantise
    from unveil.metrics import bits_per_dim, measure_bits_per_dim

    report = report or Quiet()
    run = run if isinstance(run, Run) else load(run)
    if isinstance(images, str | Path):
        images = open_pictures(recipe, source=images, split=split, report=report)
    if images.levels is None:
        raise DataError(f"{images.name} holds real numbers; only pixels of whole levels, such as 0 .. 255, cost bits.")
    chosen = range(len(images) if n is None else min(n, len(images)))
    device = next(run.model.parameters()).device
    nats, trace = [], "exact" if exact else "hutchinson"
    with report.bar("likelihoods") as progress:
        for start in range(0, len(chosen), batch):
            index = chosen[start : start + batch]
            streams = Streams(seed, index)
            x = dequantise(images.batch(index)[0], streams, levels=images.levels).to(device)
            nats.append(run.model.log_likelihood(x, generator=streams, probes=probes, trace=trace).nats.cpu())
            progress(index.stop, len(chosen))
    found, shape = torch.cat(nats), images.shape
    size = "x".join(str(side) for side in shape)
    return Bits(
        bits_per_dim(found, shape, levels=images.levels),
        measure_bits_per_dim(
            found, shape, levels=images.levels, split=split, preprocessing=f"{size}, dequantised uniformly"
        ),
    )
