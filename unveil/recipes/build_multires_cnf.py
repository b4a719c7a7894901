"""From a recipe to objects: multi-resolution continuous normalizing flows."""

from collections.abc import Sequence

from unveil.models.multires_cnf import Levels, MultiResolutionCNF, Pyramid, ResolutionFlow, Training
from unveil.networks.dynamics import ConvDynamics
from unveil.ode import Solver
from unveil.pyramids import PatchTransform
from unveil.recipes.multires_cnf import MultiResCNFSpec, SolverSpec


def build_solver(spec: SolverSpec) -> Solver:
    """Make the solver of an ODE."""
    return Solver(**spec.model_dump())


def build_multires_cnf(spec: MultiResCNFSpec, shape: Sequence[int]) -> MultiResolutionCNF:
    """Make a multi-resolution flow of pictures of a shape, (C, H, W).

    Raises:
        ConfigError: the sides do not divide as often as the recipe says.
    """
    channels, height, width = shape
    transform = PatchTransform(spec.transform)
    pyramid = Pyramid((channels, height, width), spec.resolutions, transform, spec.logit, spec.logit_alpha)
    flows = []
    for resolution in range(1, spec.resolutions + 1):
        state = pyramid.state_shape(resolution)[0]
        told = 0 if resolution == spec.resolutions else channels
        blocks = [ConvDynamics(state, told, hidden=spec.hidden, activation=spec.activation) for _ in range(spec.blocks)]
        scaled = spec.standardise and spec.logit == "finest"
        flows.append(ResolutionFlow(blocks, state, told, standardise=spec.standardise, scale_condition=scaled))
    return MultiResolutionCNF(
        pyramid,
        flows,
        levels=Levels(spec.levels, spec.bits),
        training=Training(
            objective=spec.objective,
            solver=build_solver(spec.solver),
            backward=spec.backward,
            probe=spec.probe,
            kinetic=spec.kinetic,
            jacobian=spec.jacobian,
            steer=spec.steer,
            adversarial=spec.adversarial,
            together=spec.together,
            only=spec.only,
        ),
        solver=build_solver(spec.test_solver),
        noise=spec.noise,
    )
