"""How well a run finds poses again, beside its refined answers, optimisation alone, and no answer at all."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from unveil.core.numbers import check_whole
from unveil.recipes import Recipe
from unveil.tasks.images import absolute, known_source, open_data
from unveil.tasks.pose_quality import PoseQuality, check_measuring, measure_poses
from unveil.tasks.pose_run import check_poser
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Effectors, Pose
    from unveil.models.pose_ik import Protocol

ALONE = 50
"""Steps of refinement from the rest pose."""


def check_pose_evaluation(
    recipe: Recipe,
    data: str | Path | None = None,
    *,
    protocol: str = "release",
    poses: int = 200,
    draws: int = 5,
    refine: int = 10,
    seed: int = 0,
) -> str:
    """Refuse what cannot be measured, before anything is loaded. Arguments and errors are those of `evaluate`.

    Returns:
        The source of the motions.
    """
    check_whole("refine", refine, 0)
    check_measuring(protocol, poses=poses, draws=draws, seed=seed)
    return known_source(recipe) if data is None else absolute(data)


def evaluate(
    run: Run | str | Path,
    data: str | Path | None = None,
    *,
    protocol: str = "release",
    poses: int = 200,
    draws: int = 5,
    refine: int = 10,
    seed: int = 0,
    report: Report | None = None,
) -> dict[str, PoseQuality]:
    """Measure a run on held-out poses.

    Args:
        run: of inverse kinematics, or its folder.
        data: motions; those of the run's recipe when None.
        protocol: how effectors are drawn; see `unveil.models.pose_ik.draw_effectors`.
        poses: how many.
        draws: of effectors of each.
        refine: steps of refinement after the network.
        seed: names the effectors.
        report: told how far it is.

    Returns:
        By name: the network alone, refined, refinement from the rest pose without a network, and the rest pose.

    Raises:
        ConfigError, DataError, RunError: a number, the data or the run cannot be used.
    """
    recipe = recipe_of(run)
    check_poser(run)
    source = check_pose_evaluation(recipe, data, protocol=protocol, poses=poses, draws=draws, refine=refine, seed=seed)

    from unveil.body import Pose
    from unveil.body.refining_solver import RefiningSolver

    model, report = open_run(run, device="cpu").model, report or Quiet()
    body = model.body
    opened = open_data(recipe, source=source, split="test", report=report)

    def rest(asked: "Effectors", betas: "Tensor", gender: "Tensor") -> "Pose":
        still = Pose.rest(body, betas, gender)
        return Pose(still.rotations, asked.centre(), betas, gender)

    solvers = {
        "network": model.solve,
        f"network, {refine} steps": RefiningSolver(body, model, steps=refine).solve,
        f"no network, {ALONE} steps": RefiningSolver(body, steps=ALONE).solve,
        "rest pose": rest,
    }
    found: dict[str, PoseQuality] = {}
    for name, solver in solvers.items():
        with report.bar(name) as bar:
            found[name] = measure_poses(
                solver, opened, body, cast("Protocol", protocol), poses=poses, draws=draws, seed=seed, progress=bar
            )
    return found
