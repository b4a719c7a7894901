"""How likely images are under a run, in bits per dimension, and how strange they are to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, DataError
from unveil.core.numbers import check_seed, check_whole
from unveil.data.sources import check_source
from unveil.data.split import Split, check_split
from unveil.recipes.hat import HatSpec
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.recipes.schema import DiffusionSpec, Recipe
from unveil.tasks.batches import batches
from unveil.tasks.flow_parts import tell_untrained
from unveil.tasks.images import open_pictures
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of
from unveil.tasks.sample import BATCH

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.data import Images
    from unveil.metrics import Measure


@dataclass(frozen=True)
class Bits:
    """The likelihood of some images.

    Attributes:
        each: bits per dimension of every image, (n,).
        measure: their mean, with all that a number needs.
        complexity: bits per dimension of lossless files of the same pictures, (n,), where they were asked for.
    """

    each: "Tensor" = field(repr=False)
    measure: "Measure"
    complexity: "Tensor | None" = field(default=None, repr=False)

    @property
    def strangeness(self) -> "Tensor":
        """Bits per dimension beyond those that a lossless file of the same picture takes, (n,): high for what is unlike
        the training data, simple or not.

        Raises:
            ConfigError: the files were not asked for.

        Source: Serra et al. (2020), arXiv:1909.11480, eq. 2.
        """
        if self.complexity is None:
            raise ConfigError(
                "How large the pictures' files are was not asked for; call likelihood with formats=('png', 'webp')."
            )
        return self.each - self.complexity


def check_likelihood(
    recipe: Recipe,
    n: int | None,
    batch: int,
    probes: int,
    seed: int = 0,
    draws: int = 1,
    *,
    split: str = "all",
    shuffle: int | None = None,
) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        ConfigError: a number out of range, or a model that has no likelihood.
    """
    if isinstance(recipe.model, HatSpec):
        raise ConfigError(
            "The run is a hat-ebm: it gives an energy, and no likelihood; with --ood it says how strange pictures are to that."
        )
    if not isinstance(recipe.model, DiffusionSpec | MultiResCNFSpec):
        raise ConfigError(
            f"The run is a {recipe.model.kind}, which gives no likelihood; give the run of a diffusion or of a flow."
        )
    check_whole("probes", probes)
    check_whole("draws", draws)
    check_which(n, batch, seed, split=split, shuffle=shuffle)


def check_which(n: int | None, batch: int, seed: int, *, split: str, shuffle: int | None) -> None:
    """Refuse a choice of pictures that cannot be.

    Raises:
        ConfigError: a number out of range, or a split that is none.
    """
    check_whole("n", 1 if n is None else n)
    check_whole("batch", batch)
    check_seed(seed)
    check_split(split)
    if shuffle is not None:
        check_whole("shuffle", shuffle)


def likelihood(
    run: Run | str | Path,
    images: "str | Path | Images",
    *,
    n: int | None = None,
    split: Split = "all",
    seed: int = 0,
    batch: int = BATCH,
    probes: int = 1,
    exact: bool = False,
    draws: int = 1,
    formats: Sequence[str] = (),
    shuffle: int | None = None,
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
        draws: of the dequantisation, and of the probes with it, to average over.
        formats: of lossless files to measure each picture with, of "png", "webp", "jxl" and "lzma"; the smallest counts.
        shuffle: cut every picture into squares of so many pixels a side first, and let them change places.
        report: told of progress.

    Raises:
        ConfigError: a value out of range, or a model that has no likelihood.
        DataError: the images are missing or damaged, or are no pixels of 256 levels.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    check_likelihood(recipe, n, batch, probes, seed, draws, split=split, shuffle=shuffle)
    if isinstance(images, str | Path):
        check_source(images)

    import torch

    from unveil.data import dequantise
    from unveil.data.shuffling import shuffle_patches
    from unveil.metrics import bits_per_dim, lossless_bits, measure_bits_per_dim

    report = report or Quiet()
    run = open_run(run)
    tell_untrained(run, report)
    if isinstance(images, str | Path):
        images = open_pictures(recipe, source=images, split=split, report=report)
    if images.levels is None:
        raise DataError(f"{images.name} holds real numbers; only pixels of whole levels, such as 0 .. 255, cost bits.")
    chosen = range(len(images) if n is None else min(n, len(images)))
    device = run.device
    nats, sizes, trace = [], [], "exact" if exact else "hutchinson"
    levels: Any = getattr(run.model, "levels", None)  # a flow knows those of its pixels, and may keep some bits alone
    count = images.levels if levels is None else levels.count
    rounded = levels is not None and images.levels != levels.data
    if rounded:
        report.say(
            f"The pixels of {images.name} have {images.levels} levels, and each was brought to the nearest of the "
            f"{levels.data} that the run knows."
        )
    with report.bar("likelihoods") as progress:
        for rows, streams, _ in batches(chosen, batch, seed, progress):
            pixels = images.batch(rows)[0]
            if rounded:
                pixels = ((pixels + 1) * ((levels.data - 1) / 2)).round() * (2 / (levels.data - 1)) - 1
            if shuffle is not None:
                pixels = shuffle_patches(pixels, shuffle, streams.child(1))  # the noise stays as it is
            found = torch.zeros(len(rows), dtype=torch.float64)
            for _ in range(draws):
                x = (
                    dequantise(pixels, streams, levels=count)
                    if levels is None
                    else run.model.dequantise(pixels, streams)
                )
                options = {"generator": streams, "probes": probes, "trace": trace}
                found += run.model.log_likelihood(x.to(device), **options).nats.cpu() / draws
            nats.append(found)
            if formats:
                whole = levels.numbers(pixels) if levels is not None else (pixels + 1) / 2 * (count - 1)
                sizes.append(lossless_bits(whole.round().to(torch.uint8), formats))
            progress(rows.stop, len(chosen))
    all_nats, shape = torch.cat(nats), images.shape
    size = "x".join(str(side) for side in shape) + (f", squares of {shuffle} shuffled" if shuffle is not None else "")
    return Bits(
        bits_per_dim(all_nats, shape, levels=count),
        measure_bits_per_dim(
            all_nats, shape, levels=count, split=split, preprocessing=f"{size}, dequantised uniformly"
        ),
        torch.cat(sizes) if sizes else None,
    )
