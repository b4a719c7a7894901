"""Folders of the diffusers library as runs, and the other way round."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError
from unveil.recipes.parts import DiscreteLinearSpec, IdentitySpec, UNetSpec
from unveil.recipes.schema import DataSpec, DiffusionSpec, Recipe, SamplingSpec, TrainingSpec
from unveil.tasks.run import Run, open_run, recipe_of

if TYPE_CHECKING:
    import torch

    from unveil.models.diffusers_format import DiffusersUNet


def open_diffusers(folder: str | Path, *, device: "str | torch.device | None" = None) -> Run:
    """Open a folder that diffusers wrote, of a `UNet2DModel` or a pipeline of one, as a run.

    Its recipe is what ours would say of such a model; what diffusers alone can say is in the model only.

    Raises:
        DataError: the folder is damaged or holds something else.
        ConfigError: the network or its chain has no counterpart here.
    """
    from unveil.models.diffusers_format import read_diffusers
    from unveil.models.diffusion import Diffusion
    from unveil.schedules import Discrete
    from unveil.training.processes import Processes

    found = read_diffusers(folder)
    if found.image_size is None:
        raise ConfigError(f"{folder}/config.json does not say sample_size, so nobody knows how large its pictures are.")
    if found.betas is None:
        warnings.warn(f"{folder} holds no scheduler; DDPM's linear chain of 1,000 steps is taken.", stacklevel=2)
    chain = Discrete.linear(1000) if found.betas is None else Discrete(found.betas)
    recipe = _recipe_of(found, Path(folder), chain.steps)
    shape = (found.options["in_channels"], *found.image_size)
    model = Diffusion(found.unet(), chain, shape, predict=found.predict, classes=found.options["classes"])
    return Run(Path(folder), recipe, model.to(Processes.join(device).device).eval().requires_grad_(False))


def _recipe_of(found: "DiffusersUNet", folder: Path, steps: int) -> Recipe:
    options = found.options
    network = UNetSpec(kind="unet", **{name: options[name] for name in UNetSpec.model_fields if name in options})
    return Recipe(
        name=folder.resolve().name,
        model=DiffusionSpec(
            kind="diffusion",
            network=network,
            schedule=DiscreteLinearSpec(kind="discrete-linear", steps=steps),
            predict=found.predict,
            labels=options["classes"] is not None,
            label_dropout=0.0,
        ),
        data=DataSpec(size=found.image_size, channels=options["in_channels"], classes=options["classes"]),
        training=TrainingSpec(steps=1),
        sampling=SamplingSpec(sampler="ddim", steps=min(50, steps)),
    )


def export(run: Run | str | Path, folder: str | Path, *, label: int | None = None, force: bool = False) -> Path:
    """Write a run as a folder that `diffusers.DDPMPipeline.from_pretrained` opens.

    Args:
        run: a run, or its folder.
        folder: where to.
        label: what a model with labels always draws there; none when None.
        force: write over what is there.

    Returns:
        The folder.

    Raises:
        ConfigError: the model cannot be said in the words of diffusers, and why.
        ExistsError: something is there, and `force` is not given.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    spec = check_export(recipe, run.path if isinstance(run, Run) else run)

    from unveil.models.diffusers_format import write_diffusers

    run = open_run(run)
    assert recipe.data.size is not None
    return write_diffusers(
        folder,
        run.model.net,
        run.model.schedule.betas,
        recipe.data.size,
        predict="eps" if spec.predict == "n" else spec.predict,
        label=label,
        force=force,
    )


def check_export(recipe: Recipe, run: str | Path) -> DiffusionSpec:
    """Refuse what diffusers' DDPM has no word for, before anything is loaded.

    Args:
        recipe: of the run.
        run: what to call it.

    Returns:
        The model of the recipe.

    Raises:
        ConfigError: the model cannot be said in the words of diffusers, and why.
    """
    spec = recipe.model
    if not isinstance(spec, DiffusionSpec):
        raise ConfigError(f"{run} is a {spec.kind}; only diffusions have a counterpart in diffusers.")
    for fits, what in (
        (
            isinstance(spec.covariance, IdentitySpec),
            f"noise of covariance {spec.covariance.kind}; it knows white noise",
        ),
        (
            hasattr(spec.schedule, "steps") and not spec.schedule.kind.endswith("-ve"),
            f"the schedule {spec.schedule.kind}",
        ),
        (spec.sigma_data is None, "a scaled input (sigma_data)"),
        (spec.condition == "time", f"condition {spec.condition}"),
    ):
        if not fits:
            raise ConfigError(f"This model cannot be exported: diffusers' DDPMPipeline has no word for {what}.")
    return spec
