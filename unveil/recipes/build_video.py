"""From a recipe to objects: models of video."""

from collections.abc import Sequence
from pathlib import Path

from unveil.core.errors import ConfigError
from unveil.core.protocols import Progress
from unveil.data.moving_digits import MovingDigits
from unveil.data.sources import check_source
from unveil.data.split import Split
from unveil.data.videos import Videos, open_videos
from unveil.models.codec_diffusion import CodeSpace
from unveil.models.video_diffusion import Layout, VideoDiffusion
from unveil.networks.video_unet import VideoUNet
from unveil.recipes.build_codec import build_codec
from unveil.recipes.build_parts import FEWER, build_covariance, build_schedule, check_sides
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.schema import DataSpec
from unveil.recipes.video import VideoDiffusionSpec


def build_clips(
    spec: VideoDiffusionSpec | ODEVideoSpec, data: DataSpec, source: str | Path, split: Split, progress: Progress | None
) -> Videos | MovingDigits:
    """Open clips of as many frames as a model is trained on.

    Raises:
        ConfigError: the recipe says of clips what is only true of points.
    """
    if data.dimension is not None:
        raise ConfigError(f"The recipe is for points: it has data.dimension, and a {spec.kind} learns from videos.")
    moving = check_source(source).kind == "moving-digits"
    return open_videos(
        source,
        frames=spec.window,
        size=data.size,
        channels=data.channels,
        stride=[data.stride * stride for stride in spec.strides],
        split=split,
        crop=data.crop,
        resize=data.resize,
        upsample=data.upsample,
        flip=data.flip,
        limit=data.limit,
        digits=data.digits if moving else None,
        walls=data.walls if moving else None,
        progress=progress,
    )


def build_layout(spec: VideoDiffusionSpec) -> Layout:
    """Which frames a model makes, and which it is told."""
    return Layout(spec.past, spec.frames, spec.future, spec.mask_past, spec.mask_future, spec.per_frame, spec.levels)


def build_video_diffusion(spec: VideoDiffusionSpec, shape: Sequence[int]) -> VideoDiffusion:
    """Make a model of videos whose frames have a shape, (C, H, W), or (T, C, H, W).

    Raises:
        ConfigError: the network halves sides that cannot be halved, or the codec is for frames of other colours.
    """
    channels, *sides = frame = tuple(shape[-3:])
    codec = None if spec.codec is None else build_codec(spec.codec, frame)
    if codec is not None:
        channels = codec.codec.planes
    layout = build_layout(spec)
    network = VideoUNet(
        layout.k * channels,
        layout.around * (channels + layout.told),
        labels=layout.levels + 1 if layout.levels else 0,
        **spec.network.model_dump(exclude={"kind"}),
    )
    if codec is None:
        check_sides(f"a network with {len(spec.network.mult)} levels", sides, network.divisor, FEWER)
    plane = frame if codec is None else CodeSpace(codec, frame, network.divisor).latent_shape
    return VideoDiffusion(
        network,
        build_schedule(spec.schedule),
        frame,
        layout,
        build_covariance(spec.covariance, plane),
        codec=codec,
        predict=spec.predict,
        space=spec.space,
        min_snr=spec.min_snr,
        reduction=spec.reduction,
        stratified=spec.stratified,
    )
