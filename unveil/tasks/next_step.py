"""What a run that was trained can be used for: the command to go on with."""

import shlex
from pathlib import Path

from unveil.core.errors import ConfigError
from unveil.recipes import Recipe
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.video import VideoDiffusionSpec
from unveil.tasks.sample import check_sampling


def next_step(recipe: Recipe, path: str | Path) -> str:
    """A sentence with a command that works with the run at a path, or nothing where none is known."""
    spec, run = recipe.model, shlex.quote(str(path))
    match spec.kind:
        case "classifier":
            return f"Measure with it: unveil evaluate RUN --features {run}"
        case "codec":
            return f"Use it: unveil codec encode PICTURE --codec {run} --out small.uvc"
        case "denoiser":
            return f"Use it: unveil restore {run} PICTURE --operator noise:0.1 --out restored.png"
        case "pose-ik":
            return f"Use it: unveil pose solve --run {run} --effectors wishes.json --out pose.glb"
    try:
        check_sampling(recipe, 1)
    except ConfigError:
        pass
    else:
        return f"Look at it: unveil sample {run} --out samples.png"
    if isinstance(spec, DistilledSpec):
        return f"Use it: unveil refine {run} PICTURES --out moved.png"
    if isinstance(spec, VideoDiffusionSpec | ODEVideoSpec) and spec.tasks:
        return f"Look at it: unveil video {spec.tasks[0]} {run} CLIP --out made.gif"
    return ""
