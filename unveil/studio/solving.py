"""From what holds a body to its pose."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from unveil.body.effector_lists import POSITION
from unveil.body.effectors import Pose, PoseSolver
from unveil.body.parametric import Body
from unveil.body.pose_json import effectors_of
from unveil.body.refinement import refine
from unveil.studio.actors import Actor
from unveil.studio.grip import Grip

DRAGGING, KEEPING = 3, 10
"""Steps of refinement while something is dragged, and for a result to keep."""

Follow = Literal["learned", "near"]
"""How the body follows: as the trained run has learned, or staying as near to its pose as it can."""


@dataclass(frozen=True, eq=False)
class Solving:
    """Finds poses.

    Args:
        body: whose joints they are.
        solver: proposes a pose for effectors.
    """

    body: Body
    solver: PoseSolver

    def __call__(self, actor: Actor, steps: int = KEEPING, follow: Follow = "learned") -> Actor:
        """The body in the pose that its effectors ask, nearly or, with enough steps, exactly.

        What cannot be reached is approached, and the residuals tell how nearly; bones keep their lengths.

        Args:
            actor: the body and what holds it.
            steps: of refinement.
            follow: see `Follow`.

        Raises:
            UnveilError: the effectors cannot be.
        """
        grips = tuple(grip for grip in actor.grips if grip.weight > 0)
        if not grips:
            return replace(actor, residuals=(0.0,) * len(actor.grips))
        effectors = effectors_of([grip.row() for grip in self._placed(actor, grips)], actor.scale)
        start = actor.pose if follow == "near" else self.solver.solve(effectors, actor.pose.betas, actor.pose.gender)
        with torch.inference_mode():
            start = Pose(start.rotations.float(), start.pelvis.float(), actor.pose.betas, actor.pose.gender)
            found = refine(self.body, start, effectors, steps)
        left = iter(found.residuals[0].tolist())
        residuals = []
        for grip in actor.grips:
            value = next(left) if grip.weight > 0 else 0.0
            residuals.append(value * actor.scale if grip.kind == POSITION else value)
        # What was made in inference mode could not be differentiated through by whoever gets it.
        pose = replace(found.pose, rotations=found.pose.rotations.clone(), pelvis=found.pose.pelvis.clone())
        return replace(actor, pose=pose, residuals=tuple(residuals))

    def _placed(self, actor: Actor, grips: tuple[Grip, ...]) -> tuple[Grip, ...]:
        """With the pelvis held where it is if nothing else says where the body is."""
        if any(grip.kind == POSITION for grip in grips):
            return grips
        pelvis = (actor.scale * actor.pose.pelvis[0]).tolist()
        return (*grips, Grip(POSITION, 0, (*pelvis, 0.0, 0.0, 0.0)))
