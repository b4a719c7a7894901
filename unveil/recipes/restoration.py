"""What a recipe may say of models that restore: denoisers of photographs and restoration-based generative models."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.spec import Count, Positive, Positives, Row, Share, Spec, Whole


class BiasFreeUNetSpec(Spec):
    """The network of `unveil.networks.bias_free`, for pictures of any size."""

    kind: Literal["bias-free-unet"]
    channels: Count = Field(default=32, description="width of the first scale")
    mult: Row = Field(default=(1, 2, 4), min_length=1, description="width of each scale, in multiples of channels")
    blocks: Count = Field(default=2, description="residual blocks a scale")


class BlindDenoiserSpec(Spec):
    """A denoiser of photographs that is not told how strong the noise is (`unveil.models.denoiser`)."""

    kind: Literal["denoiser"]
    network: BiasFreeUNetSpec = BiasFreeUNetSpec(kind="bias-free-unet")
    sigma_min: Positive = Field(default=0.01, description="weakest noise, for images in [-1, 1]")
    sigma_max: Positive = Field(default=0.5, description="strongest noise")


# --- restoration-based generative models -----------------------------------------------------------------------------


class GeneratorSpec(Spec):
    """The network of `unveil.networks.generator`."""

    kind: Literal["generator"]
    channels: Count = Field(default=128, description="width of the first level")
    mult: Row = Field(default=(1, 2, 2, 2), min_length=1, description="width of each level, in multiples of channels")
    blocks: Count = Field(default=2, description="residual blocks a level")
    attention: Row = Field(default=(1,), description="levels with attention; 0 is full resolution")
    latent: Count = Field(default=100, description="numbers of the latent")
    style: Count = Field(default=256, description="numbers that the latent becomes to steer the blocks")
    style_layers: Count = 4
    dropout: Share = 0.0


class PointGeneratorSpec(Spec):
    """The small network of `unveil.networks.points`, for points in a space of few dimensions."""

    kind: Literal["point-generator"]
    latent: Count = 2
    hidden: Count = 32


class DiscriminatorSpec(Spec):
    """The network of `unveil.networks.discriminator`."""

    kind: Literal["discriminator"]
    channels: Count = 128
    mult: Row = Field(default=(1, 2, 4, 4), min_length=1, description="width of each block, in multiples of channels")
    downs: Whole | None = Field(default=None, description="blocks that halve the sides; all but the first without it")
    time: Count = 256
    group: Count = Field(default=4, description="images over which the spread of features is taken")


class PointDiscriminatorSpec(Spec):
    """The small network of `unveil.networks.points`."""

    kind: Literal["point-discriminator"]
    hidden: Count = 32


CriticSpec = Annotated[DiscriminatorSpec | PointDiscriminatorSpec, Field(discriminator="kind")]


class NoisingSpec(Spec):
    """Levels of more and more noise (RGM-D)."""

    kind: Literal["noising"]
    steps: Count = 4
    spacing: Literal["linear", "square", "geometric"] = "linear"


class NaiveSuperResolutionSpec(Spec):
    """Every level halves the sides and adds noise (RGM-SR naive)."""

    kind: Literal["naive-super-resolution"]
    steps: Count = 3


class SuperResolutionSpec(Spec):
    """Levels that add noise and levels that halve the sides take turns (RGM-SR)."""

    kind: Literal["super-resolution"]
    steps: Count = 7


DegradationSpec = Annotated[NoisingSpec | NaiveSuperResolutionSpec | SuperResolutionSpec, Field(discriminator="kind")]


class KLDSpec(Spec):
    """A discriminator's odds."""

    kind: Literal["kld"]
    discriminator: CriticSpec = DiscriminatorSpec(kind="discriminator")
    r1: float = Field(default=0.02, ge=0, description="penalty on the discriminator's slope at real samples")
    lazy: Count = Field(default=15, description="steps between penalties")
    r1_scale_by_interval: bool = Field(default=False, description="multiply the penalty by the steps between")
    gen_loss: Literal["kl", "nonsaturating"] = "kl"


class MMDSpec(Spec):
    """A maximum mean discrepancy, of the samples themselves without a discriminator."""

    kind: Literal["mmd"]
    discriminator: CriticSpec | None = None
    r1: float = Field(default=0.02, ge=0)
    lazy: Count = 15
    bandwidths: Positives | None = Field(default=None, description="of the kernels; 1 to 16 for features without it")
    unbiased: bool = Field(default=False, description="leave a sample's likeness to itself out")
    pool: bool = Field(default=False, description="average features over space")


class DSWDSpec(Spec):
    """A distributional sliced Wasserstein distance, of the samples themselves without a discriminator."""

    kind: Literal["dswd"]
    discriminator: CriticSpec | None = None
    r1: float = Field(default=0.02, ge=0)
    lazy: Count = 15
    projections: Count = 1000
    inner: Whole = Field(default=10, description="moves of the map of directions in a step")
    spread: float = Field(default=10.0, ge=0, description="how dear directions that are alike are")
    summed: bool = Field(
        default=False, description="add up over the batch instead of averaging, as published code does"
    )
    pool: bool = Field(default=True, description="average features over space")


class MMSESpec(Spec):
    """No prior: the mean of what a sample may have been, as diffusion learns it."""

    kind: Literal["mmse"]


LearnedPriorSpec = Annotated[KLDSpec | MMDSpec | DSWDSpec | MMSESpec, Field(discriminator="kind")]


class RestorationSpec(Spec):
    """A restoration-based generative model (`unveil.models.restoration.Restoration`)."""

    kind: Literal["restoration"]
    network: Annotated[GeneratorSpec | PointGeneratorSpec, Field(discriminator="kind")] = GeneratorSpec(
        kind="generator"
    )
    degradation: DegradationSpec = NoisingSpec(kind="noising")
    prior: LearnedPriorSpec = KLDSpec(kind="kld")
    fidelity_weight: float = Field(default=3.0, ge=0, description="fit to the measurement, beside the prior")
    fidelity_space: Literal["full", "native"] = "full"
    sampling: Literal["prior", "posterior"] = "prior"
    match: Literal["level", "data"] = "level"
    latent: bool = True

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sampling == "posterior" and not isinstance(self.degradation, NoisingSpec):
            raise ValueError(
                "sampling posterior needs a degradation of noise alone; take degradation noising, or prior"
            )
        return self
