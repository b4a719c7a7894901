"""What a recipe may say of classical codecs, and of diffusion on their codes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.codecs.names import Layout, parse_name
from unveil.core.errors import ConfigError
from unveil.recipes.parts import DiscreteCosineSpec, DiscreteLinearSpec, LinearVPSpec, UNetSpec
from unveil.recipes.spec import Count, Positive, Spec


class CodecSpec(Spec):
    """A classical codec (`unveil.codecs`): VQ, PQ, OPQ or RQ, fitted to the data before anything else."""

    kind: Literal["codec"] = "codec"
    name: str = Field(default="OPQ-32-8-8", description="kind, and the bits of a patch in Y, Cb and Cr, or in grey")
    patch: Count = Field(default=8, description="side of the patches in pixels")
    bits: Count = Field(default=8, description="of one code, 1 to 8")
    ordered: bool = Field(
        default=True, description="sort the codebooks, so that neighbouring codes mean similar things"
    )
    flat: bool = Field(default=True, description="keep entries for patches of one level")
    patches: Count = Field(default=200_000, description="patches that it is fitted to")
    pictures: Count = Field(default=4_000, description="pictures that they are taken from, at most")
    file: str | None = Field(default=None, description="a codec that is fitted already, as `unveil codec fit` saves it")

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.layout()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def layout(self) -> Layout:
        """What such a codec looks like."""
        return parse_name(self.name, patch=self.patch, bits=self.bits)


class RefinerSpec(Spec):
    """A network that mends pictures whose codes were a little wrong."""

    network: UNetSpec = UNetSpec(kind="unet", channels=20, mult=(1, 2, 4, 4), blocks=1, attention=())
    noise: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = Field(
        default=(0.5, 8.0), description="least and largest standard deviation of the noise on codes, in codes"
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.2, description="training steps, as a share of training.steps, those of the generator"
    )


class CodecDiffusionSpec(Spec):
    """Diffusion on the codes of a codec (`unveil.models.codec_diffusion`)."""

    kind: Literal["codec-diffusion"]
    codes: Literal["continuous", "categorical"] = Field(
        description="codes as numbers on a line, which the codec has to sort, or as names"
    )
    codec: CodecSpec = CodecSpec()
    network: UNetSpec
    schedule: Annotated[LinearVPSpec | DiscreteLinearSpec | DiscreteCosineSpec, Field(discriminator="kind")]
    min_snr: Positive | None = Field(default=5.0, description="cap of the signal-to-noise weight")
    self_condition: bool = Field(default=True, description="show the network its estimate of the step before")
    relaxation: Positive = Field(default=1.0, description="temperature of the soft draws in training; categorical")
    straight_through: bool = Field(default=False, description="decode the likeliest code of a soft draw; categorical")
    image_weight: float = Field(default=1.0, ge=0, description="of the error of the picture; categorical")
    cross_entropy: float = Field(
        default=0.0, ge=0, description="of the odds of the true codes, which hastens short trainings; categorical"
    )
    refiner: RefinerSpec | None = Field(default=None, description="mends pictures after sampling; continuous")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.codes == "continuous" and not self.codec.ordered:
            raise ValueError(
                "continuous codes need a codec that is ordered: without an order a code that is off by one decodes to a patch "
                "that is nothing alike; take codec.ordered=true, or codes=categorical"
            )
        if self.codes == "categorical" and self.refiner is not None:
            raise ValueError(
                "categorical codes are decoded exactly, so there is nothing for a refiner to mend; leave refiner out"
            )
        if self.network.embedding != "sinusoidal":
            raise ValueError("the network is told the time itself, so network.embedding is sinusoidal")
        return self
