"""What a recipe may say of flows: multi-resolution continuous normalizing flows, and how their ODEs are solved."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.spec import Count, Positive, Row, Share, Spec


class SolverSpec(Spec):
    """How an ODE is solved (`unveil.ode.Solver`)."""

    method: Literal["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"] = "dopri5"
    steps: Count = Field(default=4, description="of euler, midpoint, heun and rk4, from the beginning to the end")
    rtol: Positive = Field(default=1e-5, description="relative tolerance of bosh3 and dopri5")
    atol: Positive = Field(default=1e-5, description="absolute tolerance of bosh3 and dopri5")
    max_evaluations: Count = Field(default=10_000, description="after which bosh3 and dopri5 give up")


class MultiResCNFSpec(Spec):
    """A continuous flow for every resolution (`unveil.models.multires_cnf.MultiResolutionCNF`)."""

    kind: Literal["multires-cnf"]
    resolutions: Count = Field(default=2, description="1 is a flow of whole pictures; each more halves the sides")
    blocks: Count = Field(default=1, description="flows in sequence at every resolution")
    hidden: Row = Field(default=(64, 64, 64), min_length=1, description="widths between the layers of a block")
    activation: Literal["softplus", "swish", "tanh"] = "softplus"
    transform: Literal["unimodular", "haar", "orthonormal"] = "unimodular"
    logit: Literal["coarsest", "finest", "none"] = Field(
        default="coarsest", description="finest for drawings and digits, coarsest for photographs"
    )
    logit_alpha: Annotated[float, Field(gt=0, lt=0.5)] = Field(default=0.05, description="margin of the logit")
    standardise: bool = Field(default=True, description="scale every channel by what it is in the first batch")
    levels: Annotated[Count, Field(ge=2)] = Field(default=256, description="values that a pixel of the data takes")
    bits: Annotated[Count, Field(le=8)] | None = Field(default=None, description="of every pixel that are kept")
    noise: Literal["multi-resolution", "unit"] = "multi-resolution"
    objective: Literal["likelihood", "flow-matching"] = "likelihood"
    solver: SolverSpec = Field(default=SolverSpec(method="rk4"), description="in training")
    test_solver: SolverSpec = Field(default=SolverSpec(), description="for likelihoods and samples")
    backward: Literal["backprop", "checkpoint", "adjoint"] = "backprop"
    probe: Literal["rademacher", "gaussian", "exact"] = "rademacher"
    kinetic: float = Field(default=0.01, ge=0, description="weight of the squared speed")
    jacobian: float = Field(default=0.01, ge=0, description="weight of the squares of the Jacobian")
    steer: Share = Field(default=0.0, description="b, where the end of time is drawn from 1 - b to 1 + b")
    adversarial: float = Field(default=0.0, ge=0, description="weight of a critic of drawn details")
    together: bool = Field(default=False, description="train all resolutions at once, not one after another")
    only: Count | None = Field(default=None, description="train this resolution alone; 1 is the finest")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bits is not None and 2**self.bits > self.levels:
            raise ValueError(f"bits {self.bits} are more than {self.levels} levels have; leave bits out")
        if self.only is not None and self.only > self.resolutions:
            raise ValueError(f"only is {self.only}, and there are {self.resolutions} resolutions, 1 the finest")
        if self.objective == "flow-matching" and self.blocks > 1:
            raise ValueError("flow-matching trains one block a resolution; set blocks to 1, or objective to likelihood")
        if self.objective == "flow-matching" and self.adversarial:
            raise ValueError("flow-matching draws no pictures for a critic; set adversarial to 0")
        return self
