"""What a recipe may say of Hat Diffusion EBMs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.models.halving import check_rounds, last_time
from unveil.recipes.parts import GeometricVESpec, ScheduleSpec, UNetSpec
from unveil.recipes.spec import Count, Positive, Row, Spec, Whole

Weight = Annotated[float, Field(ge=0)]


class ProposalSpec(Spec):
    """The generator of `unveil.networks.proposal`."""

    kind: Literal["proposal"]
    latent: Count = Field(default=128, description="numbers of a latent")
    widths: Row = Field(
        default=(256, 256, 256, 256),
        min_length=1,
        description="channels of the smallest picture, then of each doubling",
    )


class ImageEnergySpec(Spec):
    """The energy of `unveil.networks.energy`."""

    kind: Literal["image-energy"]
    widths: Row = Field(default=(256, 256, 256, 256), min_length=1, description="channels of each block")
    downs: Whole = Field(default=2, description="blocks that halve the sides, the first ones")
    activation: Literal["silu", "relu", "leaky", "elu"] = "silu"
    spectral_norm: bool = False


class PointDenoiserSpec(Spec):
    """The denoiser of points of `unveil.networks.plane`."""

    kind: Literal["point-denoiser"]
    hidden: Count = 128


class PointProposalSpec(Spec):
    """The generator of points of `unveil.networks.plane`."""

    kind: Literal["point-proposal"]
    latent: Count = 2
    hidden: Count = 128


class PointEnergySpec(Spec):
    """The energy of points of `unveil.networks.plane`."""

    kind: Literal["point-energy"]
    hidden: Count = 128
    zoom: Positive = Field(default=1.0, description="what points are multiplied by first, to see finer")


class ChainSpec(Spec):
    """Langevin chains: x <- x - c grad U + eps e with c = eps^2 / (2 tau)."""

    steps: Count = Field(default=50, description="in training")
    test_steps: Count = Field(default=125, description="of samples")
    eps: Positive = Field(default=5e-4, description="noise of a step")
    tau: Positive = Field(default=1e-8, description="temperature")
    longest: Positive | None = Field(default=2.5, description="drifts are shortened to this length")


class LatentMoveSpec(Spec):
    """How latents move in stage two."""

    eps: Positive = Field(default=5e-3, description="noise of a step")
    tau: Positive = Field(default=1e-6, description="temperature")
    prior: bool = Field(default=False, description="draw latents towards N(0, 1)")


class ObjectiveSpec(Spec):
    """What the players are asked for."""

    moved: Positive = Field(
        default=1.0, description="distance from a kept sample to what the kernel makes of its latents"
    )
    proposed: Weight = Field(default=0.02, description="distance to the proposal itself")
    data_noise: Weight = Field(default=1e-2, description="added to data")
    penalty: Weight = Field(default=0.0, description="on the squared energy")
    settles: Weight = Field(default=0.75, description="share of stage one after which rates are a tenth")


class LengthsSpec(Spec):
    """How long stages are, as shares of stage one, which is training.steps."""

    diffusion: Positive = 1.0
    distil: Positive = Field(default=0.2, description="of each round; the last two are twice as long")
    two: Weight = Field(default=0.1, description="of stage two; 0 leaves it out")


class HatSpec(Spec):
    """A Hat Diffusion EBM (`unveil.models.hat_ebm`)."""

    kind: Literal["hat-ebm"]
    network: Annotated[UNetSpec | PointDenoiserSpec, Field(discriminator="kind")] = UNetSpec(kind="unet")
    generator: Annotated[ProposalSpec | PointProposalSpec, Field(discriminator="kind")] = ProposalSpec(kind="proposal")
    energy: Annotated[ImageEnergySpec | PointEnergySpec, Field(discriminator="kind")] = ImageEnergySpec(
        kind="image-energy"
    )
    schedule: ScheduleSpec
    until: Positive = Field(default=256, description="latest step of the chain that the kernel hides a picture by")
    predict: Literal["eps", "x", "v"] = "v"
    first_steps: Count = Field(default=8, description="of the kernel's diffusion before it is distilled to one")
    one: ChainSpec = ChainSpec()
    two: ChainSpec | None = Field(default=None, description="chains of stage two; those of stage one without it")
    latent_move: LatentMoveSpec = LatentMoveSpec()
    bank: Count = Field(default=10000, description="pairs that are kept for the generator")
    objective: ObjectiveSpec = ObjectiveSpec()
    lengths: LengthsSpec = LengthsSpec()

    @property
    def last(self) -> float:
        """The time up to which the kernel hides a picture."""
        return last_time(self.until, getattr(self.schedule, "steps", None))

    @property
    def of_points(self) -> bool:
        """Whether it is for points rather than pictures."""
        return isinstance(self.network, PointDenoiserSpec)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.schedule, GeometricVESpec):
            raise ValueError("the kernel needs a variance-preserving schedule; take discrete-cosine")
        check_rounds(self.first_steps, 1)
        assert self.last
        kinds = (self.network.kind, self.generator.kind, self.energy.kind)
        if len({kind.startswith("point-") for kind in kinds}) > 1:
            raise ValueError(
                f"its networks are {', '.join(kinds)}; take all three for points, or all three for pictures"
            )
        return self
