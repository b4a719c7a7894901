"""What a recipe may say: plain, frozen values that describe a model, its data, its training and how it is sampled.

A thing of which there are several kinds says so by its `kind`. A new family of models is a new spec here, one more
name in `ModelSpec`, and one more `case` in `build.py`. Nothing here imports torch: a mistake is told at once.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.choices import CHAINS, Sampler
from unveil.recipes.restoration import BlindDenoiserSpec, RestorationSpec
from unveil.recipes.spec import Count, Positive, Row, Share, Size, Spec, Whole
from unveil.training.options import Decay, Options, Precision

# --- parts -----------------------------------------------------------------------------------------------------------


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


# --- models ----------------------------------------------------------------------------------------------------------


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


class ClassifierSpec(Spec):
    """A small classifier whose features measure samples (`unveil.models.classifier`)."""

    kind: Literal["classifier"]
    channels: Count = Field(default=32, description="width of the first of three levels")
    features: Count = Field(default=128, description="how many numbers describe a picture")


ModelSpec = Annotated[DiffusionSpec | ClassifierSpec | BlindDenoiserSpec | RestorationSpec, Field(discriminator="kind")]


# --- data, training, sampling ----------------------------------------------------------------------------------------


class DataSpec(Spec):
    """Where the images are, and how they come to one size: see `unveil.data.open_images`.

    The size, channels and classes that are not given, and what the classes are called, are found in the data when
    training starts, and are written into the run's own recipe. Of data that are points it is the dimension.
    """

    source: str | None = Field(default=None, description="a folder, a file, or the name of an embedded source")
    needs: str | None = Field(default=None, description="what --data has to name, where the recipe brings no data")
    split: Literal["train", "test", "all"] = "train"
    size: Size | None = Field(default=None, description="height and width; one number for a square")
    channels: Literal[1, 3] | None = None
    dimension: Count | None = Field(default=None, description="numbers of a point, where the data are points")
    crop: Literal["center", "random", "none"] | None = None
    resize: Count | bool | None = Field(
        default=None, description="short side before a crop; true just covers, false keeps"
    )
    upsample: bool | None = Field(default=None, description="whether smaller images may be enlarged")
    flip: bool = Field(default=False, description="mirror images at random")
    limit: Count | None = Field(default=None, description="use at most so many images")
    classes: Count | None = None
    class_names: tuple[str, ...] | None = Field(default=None, description="what the classes are called, in their order")


class TrainingSpec(Spec):
    """How long and how to train: a number of steps, and `unveil.training.options.Options`, which checks the values."""

    steps: Count
    batch_size: Whole = 64
    lr: float = 2e-4
    warmup: Whole = Field(default=0, description="steps in which the learning rate rises from 0")
    decay: Decay = "constant"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip: float = Field(default=1.0, description="largest norm of the gradient; 0 leaves it alone")
    ema: float = Field(default=0.9999, description="weight of the past in the average of the weights; 0 keeps none")
    precision: Precision = "fp32"
    compile: bool = False
    channels_last: bool = False
    accumulate: Whole = Field(default=1, description="parts in which a batch is computed, to save memory")
    seed: Whole = 0
    log_every: Whole = 50
    save_every: Whole = 1000
    sample_every: Whole = Field(default=1000, description="steps between grids of samples; 0 makes none")
    keep: Whole = Field(default=2, description="checkpoints that stay on disk")
    players: Mapping[str, Mapping[str, Any]] = Field(default={}, description="options of single players")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.options()
        return self

    def options(self) -> Options:
        """These values as the trainer takes them."""
        return Options(**self.model_dump(exclude={"steps"}))


class SamplingSpec(Spec):
    """How the model is sampled when nobody says otherwise."""

    sampler: Sampler = "ddim"
    steps: Count = 50
    guidance: float = Field(default=1.0, ge=0, description="above 1 follows the label more closely")


class Recipe(Spec):
    """All that is needed to train a model, to build it again, and to sample it."""

    name: str = Field(default="custom", pattern=r"^[^/\\]*[^/\\.][^/\\]*$", description="of runs that it begins")
    model: ModelSpec
    data: DataSpec = DataSpec()
    training: TrainingSpec
    sampling: SamplingSpec = SamplingSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.model, DiffusionSpec) and self.sampling.sampler in CHAINS:
            length = getattr(self.model.schedule, "steps", None)
            if length is not None and self.sampling.steps > length:
                raise ValueError(
                    f"sampling.steps is {self.sampling.steps}, and {self.sampling.sampler} walks the schedule's own steps, "
                    f"of which there are {length}; take 1 to {length}"
                )
        return self
