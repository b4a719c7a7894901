"""What a recipe may say of models of video."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.codec import CodecSpec
from unveil.recipes.parts import CovarianceSpec, GeometricVESpec, IdentitySpec, ScheduleSpec
from unveil.recipes.spec import Count, Positive, Row, Share, Spec, Whole

Chance = Annotated[float, Field(ge=0, le=1)]


class VideoUNetSpec(Spec):
    """The network of `unveil.networks.video_unet`."""

    kind: Literal["video-unet"]
    channels: Count = Field(default=64, description="width of the first level")
    mult: Row = Field(default=(1, 2, 3, 4), min_length=1, description="width of each level, in multiples of channels")
    blocks: Count = Field(default=2, description="residual blocks a level")
    attention: Row = Field(default=(1, 2, 3), description="levels with attention; 0 is full resolution")
    head_channels: Count | None = Field(
        default=None, description="channels of an attention head; all in one without it"
    )
    dropout: Share = 0.0
    conditioning: Literal["concat", "spatin"] = Field(
        default="concat", description="known frames as more channels, or as maps that steer every normalization"
    )
    spatin_channels: Count = Field(default=128, description="channels between the convolutions that make a map")


class VideoDiffusionSpec(Spec):
    """Masked conditional video diffusion (`unveil.models.video_diffusion`)."""

    kind: Literal["video-diffusion"]
    network: VideoUNetSpec = VideoUNetSpec(kind="video-unet")
    past: Whole = Field(ge=0, description="known frames before a block")
    frames: Count = Field(description="frames of a block, which are made together")
    future: Whole = Field(ge=0, description="known frames after a block")
    mask_past: Chance = Field(default=0.5, description="share of the clips trained without their past")
    mask_future: Chance = Field(default=0.5, description="share of the clips trained without their future")
    per_frame: Chance = Field(default=0.0, description="share of the clips whose known frames are masked one by one")
    levels: Whole = Field(
        default=0, ge=0, description="frames are also trained (frames + 1), (frames + 1)^2, ... apart, so often"
    )
    schedule: ScheduleSpec
    covariance: CovarianceSpec = IdentitySpec()
    codec: CodecSpec | None = Field(default=None, description="diffuse the codes of frames, as numbers on a line")
    predict: Literal["eps", "n", "x", "v"] = Field(
        default="eps", description="white noise, coloured noise, data or velocity"
    )
    space: Literal["white", "score", "pixel"] | None = Field(default=None, description="where the error is measured")
    min_snr: Positive | None = Field(default=None, description="cap of the signal-to-noise weight; 5 is usual")
    reduction: Literal["mean", "half-sum"] = Field(
        default="mean", description="of the loss of a clip; half the sum is what published code took"
    )
    stratified: bool = Field(default=False, description="spread the times of a batch evenly")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.predict == "v" and isinstance(self.schedule, GeometricVESpec):
            raise ValueError("predict v needs a variance-preserving schedule; take predict eps with geometric-ve")
        if self.codec is not None and not self.codec.ordered:
            raise ValueError(
                "codes of frames are numbers on a line, so the codec has to sort them; take codec.ordered=true"
            )
        return self

    @property
    def window(self) -> int:
        """Frames of a training clip."""
        return self.past + self.frames + self.future

    @property
    def strides(self) -> tuple[int, ...]:
        """How far apart the frames of training clips are."""
        return tuple((self.frames + 1) ** level for level in range(self.levels + 1))

    @property
    def tasks(self) -> tuple[str, ...]:
        """What a model trained so can do; `unveil.models.video_diffusion.Layout.tasks` is the same."""
        some = self.per_frame > 0 and self.past + self.future > 0
        hides_past = self.past == 0 or self.mask_past > 0 or some
        hides_future = self.future == 0 or self.mask_future > 0 or some
        shows_past = self.past > 0 and (self.mask_past < 1 or some)
        shows_future = self.future > 0 and (self.mask_future < 1 or some)
        able = {
            "predict": shows_past and hides_future,
            "past": hides_past and shows_future,
            "interpolate": shows_past and shows_future,
            "generate": hides_past and hides_future,
        }
        return tuple(task for task, can in able.items() if can)
