"""What a recipe may say of diffusions."""

from typing import Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.parts import CovarianceSpec, GeometricVESpec, IdentitySpec, ScheduleSpec, UNetSpec
from unveil.recipes.spec import Positive, Share, Spec


class DiffusionSpec(Spec):
    """Gaussian diffusion: DDPM, SMLD and their non-isotropic forms (`unveil.models.diffusion`)."""

    kind: Literal["diffusion"]
    network: UNetSpec
    schedule: ScheduleSpec
    covariance: CovarianceSpec = IdentitySpec()
    predict: Literal["eps", "n", "x", "v"] = Field(
        default="eps", description="white noise, coloured noise, data or velocity"
    )
    space: Literal["white", "score", "pixel"] | None = Field(default=None, description="where the error is measured")
    min_snr: Positive | None = Field(default=None, description="cap of the signal-to-noise weight; 5 is usual")
    condition: Literal["time", "log-sigma", "none"] = Field(
        default="time", description="what the network is told of time"
    )
    sigma_data: Positive | None = Field(default=None, description="spread of the data, by which the input is scaled")
    stratified: bool = Field(default=False, description="spread the times of a batch evenly")
    labels: bool = Field(default=False, description="learn to be told a class; needs data with classes")
    label_dropout: Share = Field(
        default=0.1, description="share of the samples trained without their class, for guidance"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.predict == "v" and isinstance(self.schedule, GeometricVESpec):
            raise ValueError("predict v needs a variance-preserving schedule; take predict eps with geometric-ve")
        if (self.network.embedding == "fourier") != (self.condition == "log-sigma"):
            raise ValueError("the fourier embedding and the log-sigma condition belong together; take both or neither")
        return self
