"""What a recipe may say: plain, frozen values that describe a model, its data, its training and how it is sampled.

A thing of which there are several kinds says so by its `kind`. A new family of models is a new spec here, one more
name in `ModelSpec`, and one more `case` in `build.py`. Nothing here imports torch: a mistake is told at once.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from unveil.recipes.choices import CHAINS, CODE_SAMPLERS, Sampler, either
from unveil.recipes.codec import CodecDiffusionSpec, CodecSpec
from unveil.recipes.diffusion import DiffusionSpec as DiffusionSpec
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.hat import HatSpec
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.pose import PoseIKSpec
from unveil.recipes.restoration import BlindDenoiserSpec, RestorationSpec
from unveil.recipes.single_image import SingleImageSpec
from unveil.recipes.spec import Count, Size, Spec, Whole
from unveil.recipes.video import VideoDiffusionSpec
from unveil.training.options import ClipMode, Decay, Options, Precision

# --- models ----------------------------------------------------------------------------------------------------------


class ClassifierSpec(Spec):
    """A small classifier whose features measure samples (`unveil.models.classifier`)."""

    kind: Literal["classifier"]
    channels: Count = Field(default=32, description="width of the first of three levels")
    features: Count = Field(default=128, description="how many numbers describe a picture")


ModelSpec = Annotated[
    DiffusionSpec
    | DistilledSpec
    | ClassifierSpec
    | BlindDenoiserSpec
    | RestorationSpec
    | VideoDiffusionSpec
    | ODEVideoSpec
    | SingleImageSpec
    | CodecSpec
    | CodecDiffusionSpec
    | MultiResCNFSpec
    | HatSpec
    | PoseIKSpec,
    Field(discriminator="kind"),
]


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
    stride: Count = Field(default=1, description="every how many frames of a video one is taken")
    longest: Count | None = Field(default=None, description="long side to which a single picture is shrunk")
    shortest: Count | None = Field(default=None, description="short side that a very long picture keeps even so")
    hole: str | None = Field(
        default=None, description="a picture of its size, bright where nothing is learned of a single picture"
    )
    digits: Count | None = Field(default=None, description="how many fly in a clip, where the data are moving-digits")
    walls: Literal["chance", "mirror"] | None = Field(
        default=None, description="where moving digits go from a wall: anywhere (chance), or thrown back (mirror)"
    )
    limit: Count | None = Field(default=None, description="use at most so many images")
    classes: Count | None = None
    class_names: tuple[str, ...] | None = Field(default=None, description="what the classes are called, in their order")


def _as_number(value: object) -> object:
    """A number that YAML takes for a word, such as 1e-3, which it wants written as 1.0e-3."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


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
    clip_mode: ClipMode = Field(
        default="together", description="or normalise: each parameter's gradient gets that norm"
    )
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
    players: Mapping[str, Mapping[str, Annotated[Any, BeforeValidator(_as_number)]]] = Field(
        default={}, description="options of single players"
    )

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
        single = [name for name in ("longest", "shortest", "hole") if getattr(self.data, name) is not None]
        if single and not isinstance(self.model, SingleImageSpec):
            raise ValueError(f"data.{single[0]} is for a model of a single picture; leave it out")
        _check_heeded(self.model, self.data, self.sampling)
        if isinstance(self.model, CodecDiffusionSpec) and self.sampling.sampler not in CODE_SAMPLERS:
            raise ValueError(
                f"sampling.sampler is {self.sampling.sampler}, and codes are sampled by {either(CODE_SAMPLERS)}"
            )
        walked = DiffusionSpec | VideoDiffusionSpec | CodecDiffusionSpec
        if isinstance(self.model, walked) and self.sampling.sampler in CHAINS:
            length = getattr(self.model.schedule, "steps", None)
            if length is not None and self.sampling.steps > length:
                raise ValueError(
                    f"sampling.steps is {self.sampling.steps}, and {self.sampling.sampler} walks the schedule's own steps, "
                    f"of which there are {length}; take 1 to {length}"
                )
        if isinstance(self.model, HatSpec) and self.model.bank < self.training.batch_size:
            raise ValueError(
                f"model.bank keeps {self.model.bank} pairs and training.batch_size is {self.training.batch_size}; make the "
                "bank larger, or the batch smaller"
            )
        given: dict[str, object] = {
            "digits": self.data.digits,
            "walls": self.data.walls,
            "stride": self.data.stride > 1 or None,
        }
        filmed = [name for name, value in given.items() if value is not None]
        if filmed and not isinstance(self.model, VideoDiffusionSpec | ODEVideoSpec):
            raise ValueError(
                f"data.{filmed[0]} is for videos, and a {self.model.kind} learns from single pictures; leave it out"
            )
        if self.data.stride > 1 and isinstance(self.model, VideoDiffusionSpec | ODEVideoSpec) and self.model.levels:
            raise ValueError(
                "model.levels takes frames at several spacings, the first of which is 1; leave data.stride out"
            )
        return self


def _check_heeded(model: Any, data: DataSpec, sampling: SamplingSpec) -> None:
    """Refuse values that would be taken and never read; those that are as usual are what runs write of themselves."""
    usual = SamplingSpec()
    if not isinstance(model, DiffusionSpec | VideoDiffusionSpec | CodecDiffusionSpec | DistilledSpec):
        for name in type(sampling).model_fields:
            if getattr(sampling, name) != getattr(usual, name):
                raise ValueError(f"sampling.{name} is for diffusions, and a {model.kind} takes none; leave it out")
    elif sampling.guidance != usual.guidance and not getattr(model, "labels", False):
        raise ValueError(
            f"sampling.guidance is {sampling.guidance:g}, and this model knows no labels that it could follow; leave it out"
            + (", or train with model.labels=true" if hasattr(model, "labels") else "")
        )
    if isinstance(model, SingleImageSpec):
        plain = DataSpec()
        for name in ("crop", "resize", "upsample", "flip", "limit"):
            if getattr(data, name) != getattr(plain, name):
                raise ValueError(f"data.{name} is for sets of pictures, and this model learns from one; leave it out")
