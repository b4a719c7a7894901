"""How strange pictures are to an energy: it is low where a run's data are."""

from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError
from unveil.recipes.hat import HatSpec
from unveil.recipes.schema import Recipe
from unveil.tasks.batches import batches
from unveil.tasks.images import open_pictures
from unveil.tasks.likelihood import check_which
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of
from unveil.tasks.sample import BATCH

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.data import Images
    from unveil.data.split import Split


def check_energies(
    recipe: Recipe, n: int | None, batch: int, seed: int = 0, *, split: str = "all", shuffle: int | None = None
) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        ConfigError: a number out of range, or a model that has no energy of pictures.
    """
    if not isinstance(recipe.model, HatSpec) or recipe.model.of_points:
        what = "knows points, not pictures" if isinstance(recipe.model, HatSpec) else f"is a {recipe.model.kind}"
        raise ConfigError(
            f"The run {what}, and an energy of pictures is asked for; give the run of a Hat Diffusion EBM of pictures."
        )
    check_which(n, batch, seed, split=split, shuffle=shuffle)


def energies(
    run: Run | str | Path,
    images: "str | Path | Images",
    *,
    n: int | None = None,
    split: "Split" = "all",
    seed: int = 0,
    batch: int = BATCH,
    shuffle: int | None = None,
    report: Report | None = None,
) -> "Tensor":
    """The energy that a Hat Diffusion EBM gives pictures, (n,): low for what is like its data, as far as it has learned.

    Arguments are those of `unveil.likelihood`; only `shuffle` draws anything.

    Raises:
        ConfigError: a value out of range, or a model that has no energy, or whose energy was not trained yet.
        DataError: the images are missing or damaged.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    check_energies(recipe, n, batch, seed, split=split, shuffle=shuffle)

    import torch

    from unveil.data.shuffling import shuffle_patches

    report = report or Quiet()
    run = open_run(run)
    if isinstance(images, str | Path):
        images = open_pictures(recipe, source=images, split=split, report=report)
    chosen, found = range(len(images) if n is None else min(n, len(images))), []
    with report.bar("energies") as progress, torch.no_grad():
        for rows, streams, _ in batches(chosen, batch, seed, progress):
            pixels = images.batch(rows)[0]
            if shuffle is not None:
                pixels = shuffle_patches(pixels, shuffle, streams.child(1))
            found.append(run.model.judge(pixels.to(run.model.device)).cpu())
            progress(rows.stop, len(chosen))
    return torch.cat(found)
