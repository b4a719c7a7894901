"""A run in hand: its folder, its recipe and its model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import RunError
from unveil.core.files import RECIPE_FILE
from unveil.recipes import Recipe, resolve
from unveil.recipes.pose import POSE, PoseIKSpec
from unveil.training.run_folder import RunFolder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Run:
    """A trained model and where it comes from.

    Attributes:
        path: the run's folder.
        recipe: what was trained, with everything that was found in the data.
        model: with the run's weights (averaged where there is an average), on its device, ready to be sampled.
    """

    path: Path
    recipe: Recipe
    model: Any = field(repr=False)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, recipe {self.recipe.name})"

    @property
    def device(self) -> "torch.device":
        """Where the model is, whether or not it says so itself."""
        device: torch.device = next(self.model.parameters()).device
        return device


def shape_of(recipe: Recipe, path: Path) -> tuple[int, ...]:
    """The shape of one sample of a run, (C, H, W), (d,) where its data are points, or (24, 3, 3) where they are poses.

    Raises:
        RunError: the run's recipe does not say.
    """
    if isinstance(recipe.model, PoseIKSpec):
        return POSE
    if recipe.data.dimension is not None:
        return (recipe.data.dimension,)
    if recipe.data.size is None or recipe.data.channels is None:
        raise RunError(
            f"{path}/recipe.yaml does not say data.size and data.channels, so the model cannot be built again."
        )
    return recipe.data.channels, *recipe.data.size


def read_recipe(path: str | Path, *, trained: bool = True) -> Recipe:
    """Read the recipe of a run, which loads no torch.

    Raises:
        RunError: it is not a run.
    """
    if _is_diffusers(path):
        from unveil.tasks.diffusers import open_diffusers

        return open_diffusers(path, device="cpu").recipe
    return resolve(RunFolder.open(path, trained=trained).path)


def recipe_of(run: Run | str | Path) -> Recipe:
    """The recipe of a run in hand, or of the one in a folder, which loads no torch.

    Raises:
        RunError: it is not a run.
    """
    return run.recipe if isinstance(run, Run) else read_recipe(run)


def open_run(run: Run | str | Path, *, device: "str | torch.device | None" = None) -> Run:
    """A run in hand as it is, or the one in a folder, as `load` opens it.

    Raises:
        RunError: it is not a run, or its weights are damaged or do not fit its recipe.
    """
    return run if isinstance(run, Run) else load(run, device=device)


def load(path: str | Path, *, device: "str | torch.device | None" = None) -> Run:
    """Open a run: rebuild its model from its recipe and give it its weights.

    Args:
        path: the folder of a run, or of a `UNet2DModel` or a pipeline of one that the diffusers library wrote.
        device: where the model goes; the best there is when None.

    Raises:
        RunError: it is not a run, or its weights are damaged or do not fit its recipe.
    """
    if _is_diffusers(path):
        from unveil.tasks.diffusers import open_diffusers

        return open_diffusers(path, device=device)
    folder, recipe = RunFolder(path), read_recipe(path)
    shape = shape_of(recipe, folder.path)

    from unveil.recipes.build import build_model
    from unveil.training.processes import Processes
    from unveil.training.tensor_file import load_weights

    model = build_model(recipe, shape, recipe.data.classes)
    load_weights(model, folder.weights)
    return Run(folder.path, recipe, model.to(Processes.join(device).device).eval().requires_grad_(False))


def _is_diffusers(path: str | Path) -> bool:
    folder = Path(path)
    theirs = ("model_index.json", "unet/config.json", "config.json")
    return not (folder / RECIPE_FILE).exists() and any((folder / name).is_file() for name in theirs)
