"""What a recipe may say of the parts that several families have: networks, schedules and covariances."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.spec import Count, Positive, Row, Share, Spec, Whole


class UNetSpec(Spec):
    """The U-Net of `unveil.networks.unet`."""

    kind: Literal["unet"]
    channels: Count = Field(default=128, description="width of the first level")
    mult: Row = Field(default=(1, 2, 2, 2), min_length=1, description="width of each level, in multiples of channels")
    blocks: Count = Field(default=2, description="residual blocks a level")
    attention: Row = Field(default=(1,), description="levels with attention; 0 is full resolution")
    dropout: Share = 0.0
    style: Literal["ddpm", "adm", "ncsnpp"] = "ddpm"
    head_channels: Count | None = Field(
        default=None, description="channels of an attention head; all in one without it"
    )
    embedding: Literal["sinusoidal", "fourier"] = Field(default="sinusoidal", description="fourier is for ln sigma")


class LinearVPSpec(Spec):
    """Continuous variance-preserving schedule."""

    kind: Literal["linear-vp"]
    beta_min: Positive = 0.1
    beta_max: Positive = 20.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.beta_min >= self.beta_max:
            raise ValueError(f"beta_min must be below beta_max, and {self.beta_min} is not below {self.beta_max}")
        return self


class DiscreteLinearSpec(Spec):
    """DDPM's chain of steps."""

    kind: Literal["discrete-linear"]
    steps: Annotated[Whole, Field(ge=21)] = Field(
        default=1000, description="with fewer than 21 the last step would lose all"
    )
    first_sigma: Positive | None = Field(
        default=None, description="noise at the first step; 0.01 at 1000 steps, and more with fewer, without it"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first_sigma is not None and self.first_sigma**2 > 20 / self.steps:
            raise ValueError(
                f"first_sigma is {self.first_sigma}, which would leave the noise of {self.steps} steps nothing to grow by; "
                f"take {(20 / self.steps) ** 0.5:.2g} or less"
            )
        return self


class DiscreteCosineSpec(Spec):
    """A chain whose signal follows a squared cosine."""

    kind: Literal["discrete-cosine"]
    steps: Annotated[Whole, Field(ge=2)] = 1000


class GeometricVESpec(Spec):
    """Variance-exploding schedule, continuous or with `steps` levels."""

    kind: Literal["geometric-ve"]
    sigma_min: Positive = 0.01
    sigma_max: Positive = 50.0
    steps: Annotated[Whole, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min must be below sigma_max, and {self.sigma_min} is not below {self.sigma_max}")
        return self


ScheduleSpec = Annotated[
    LinearVPSpec | DiscreteLinearSpec | DiscreteCosineSpec | GeometricVESpec, Field(discriminator="kind")
]


class IdentitySpec(Spec):
    """White noise."""

    kind: Literal["identity"] = "identity"


class FreeFieldSpec(Spec):
    """Smooth noise: a Gaussian free field."""

    kind: Literal["free-field"]
    power: float = Field(default=1.0, ge=0, description="decay of the spectrum; 0 is white")


CovarianceSpec = Annotated[IdentitySpec | FreeFieldSpec, Field(discriminator="kind")]
