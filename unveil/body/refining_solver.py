"""Poses by optimisation: alone from rest, or after a solver that is quick and not exact."""

from torch import Tensor

from unveil.body.effectors import Effectors, Pose, PoseSolver
from unveil.body.parametric import Body
from unveil.body.refinement import refine


class RefiningSolver:
    """Starts from another solver's answer, or from rest, and refines it until the effectors are met.

    Args:
        body: whose poses they are.
        solver: what gives the start; without it the body at rest.
        steps: of the refinement.
        limits: whether joints keep within the limits of a human's.
    """

    def __init__(self, body: Body, solver: PoseSolver | None = None, *, steps: int = 10, limits: bool = True) -> None:
        self.body, self.solver, self.steps, self.limits = body, solver, steps, limits

    def solve(self, effectors: Effectors, betas: Tensor, gender: Tensor) -> Pose:
        """See `PoseSolver`."""
        start = (
            Pose.rest(self.body, betas, gender) if self.solver is None else self.solver.solve(effectors, betas, gender)
        )
        return refine(self.body, start, effectors, self.steps, limits=self.limits).pose
