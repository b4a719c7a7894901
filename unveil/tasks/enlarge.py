"""Enlarge a picture by the flow of a run, which draws the details itself instead of asking a solver."""

from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, ShapeError
from unveil.recipes.choices import either
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.tasks.flow_parts import tell_untrained
from unveil.tasks.measurements import Measurement
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS = ("temperature",)


def check_enlarging(
    spec: MultiResCNFSpec,
    measurement: Measurement,
    solver: str | None,
    *,
    window: int | None = None,
    steps: int | None = None,
) -> None:
    """Refuse what a flow cannot bring back, before torch is loaded.

    Raises:
        ConfigError: another operator than a downsampling that the flow's resolutions undo, or what is for solvers.
    """
    known = [f"downsample:{2**k}" for k in range(1, spec.resolutions)]
    if [part.kind for part in measurement.parts] != ["downsample"] or measurement.noise:
        raise ConfigError(
            f"The run is a flow, which gives a small picture its details back and restores nothing else; {measurement.text!r} "
            "wants the run of a diffusion, a denoiser or a restoration model."
        )
    if f"downsample:{measurement.factor}" not in known:
        does = f"by {either(known)}" if known else "in no way, having one resolution"
        raise ConfigError(
            f"This flow of {spec.resolutions} resolutions enlarges {does}; {measurement.text!r} is beyond it."
        )
    for name, given, them in (("solver", solver, "it"), ("window", window, "it"), ("steps", steps, "them")):
        if given is not None:
            raise ConfigError(
                f"A flow draws the details of a whole picture by itself and takes no {name}; leave {them} out."
            )


def enlarge(
    run: Run, y: "Tensor", measurement: Measurement, *, seed: int = 0, report: Report | None = None, **options: Any
) -> "Tensor":
    """Draw the details of small pictures, (B, C, h, w) in [-1, 1].

    Raises:
        ConfigError: an option that a flow does not take.
        ShapeError: pictures of other channels than the run's.
    """
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise ConfigError(f"A flow takes no {unknown[0]} when it enlarges; it takes {either(OPTIONS)}.")
    known = run.model.shape[0]
    if y.shape[1] != known:
        kinds = {1: "grey", 3: "in colour"}
        raise ShapeError(
            f"The run's flow draws details of pictures that are {kinds.get(known, f'of {known} channels')}, and this one is "
            f"{kinds.get(y.shape[1], f'of {y.shape[1]} channels')}; convert it, or take the run of another flow."
        )
    tell_untrained(run, report or Quiet(), finest=measurement.factor.bit_length() - 1)
    from unveil.core.random import Streams

    with (report or Quiet()).bar("enlarging") as progress:
        found: Tensor = run.model.super_resolve(
            y, measurement.factor, generator=Streams(seed, len(y)), progress=progress, **options
        )
    return found
