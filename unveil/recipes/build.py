"""From a recipe to objects: plain functions, one `match` for each thing of which there are several kinds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from unveil.core.errors import ConfigError
from unveil.core.protocols import Progress
from unveil.data import Images, check_source, open_images
from unveil.data.moving_digits import MovingDigits
from unveil.data.photograph import Photograph
from unveil.data.points import Points, open_points
from unveil.data.poses import Poses
from unveil.data.random_poses import RandomPoses
from unveil.data.split import Split
from unveil.data.videos import Videos
from unveil.models.classifier import FeatureClassifier
from unveil.models.diffusion import Diffusion
from unveil.networks.classifier import Classifier
from unveil.recipes.build_codec import build_codec, build_codec_diffusion
from unveil.recipes.build_distillation import build_distilled
from unveil.recipes.build_hat import build_hat
from unveil.recipes.build_multires_cnf import build_multires_cnf
from unveil.recipes.build_ode_video import build_ode_video
from unveil.recipes.build_parts import FEWER, build_covariance, build_network, build_schedule, check_sides
from unveil.recipes.build_pose import build_pose_ik, build_poses
from unveil.recipes.build_restoration import build_denoiser, build_restoration
from unveil.recipes.build_single_image import build_photograph, build_single_image
from unveil.recipes.build_video import build_clips, build_video_diffusion
from unveil.recipes.codec import CodecDiffusionSpec, CodecSpec
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.hat import HatSpec
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.pose import PoseIKSpec
from unveil.recipes.restoration import BlindDenoiserSpec, RestorationSpec
from unveil.recipes.schema import ClassifierSpec, DiffusionSpec, Recipe
from unveil.recipes.single_image import SingleImageSpec
from unveil.recipes.video import VideoDiffusionSpec


def build_data(
    recipe: Recipe, *, source: str | Path | None = None, split: Split | None = None, progress: Progress | None = None
) -> Images | Points | Videos | MovingDigits | Photograph | Poses | RandomPoses:
    """Open the images of a recipe, its points, its clips or its poses.

    Args:
        recipe: how images come to one size.
        source: other data than the recipe's.
        split: another part of them than the recipe's.
        progress: told how many files are decoded.

    Raises:
        ConfigError: the recipe says of images what is only true of points, or the other way round.
    """
    spec = recipe.data
    if source is None:
        source = spec.source
    if source is None:
        raise ConfigError(f"Recipe {recipe.name} needs --data: {spec.needs or 'images'}.")
    if isinstance(recipe.model, VideoDiffusionSpec | ODEVideoSpec):
        return build_clips(recipe.model, spec, source, split or spec.split, progress)
    if isinstance(recipe.model, SingleImageSpec):
        return build_photograph(spec, source)
    if isinstance(recipe.model, PoseIKSpec):
        return build_poses(recipe.model, spec, source, split or spec.split, progress)
    if check_source(source).kind == "points":
        return _build_points(recipe, str(source), split or spec.split)
    if spec.dimension is not None:
        raise ConfigError(
            f"'{source}' holds pictures, and the recipe is for points: it has data.dimension. Give other data (--data), such "
            "as eight-gaussians, or take a recipe for pictures."
        )
    return open_images(
        source,
        size=spec.size,
        channels=spec.channels,
        split=split or spec.split,
        crop=spec.crop,
        resize=spec.resize,
        upsample=spec.upsample,
        flip=spec.flip,
        limit=spec.limit,
        progress=progress,
    )


def _build_points(recipe: Recipe, source: str, split: Split) -> Points:
    spec, points = recipe.data, open_points(source, split=split, limit=recipe.data.limit)
    of_pictures = [
        name for name in ("size", "channels", "crop", "resize", "upsample") if getattr(spec, name) is not None
    ]
    if spec.flip or of_pictures:
        raise ConfigError(
            f"'{source}' holds points, and the recipe is for pictures: it has data.{[*of_pictures, 'flip'][0]}. Give other "
            "data (--data), or take a recipe for points, such as toy-rgm-kld."
        )
    (dimension,) = points.shape
    if spec.dimension not in (None, dimension):
        raise ConfigError(f"data.dimension is {spec.dimension}, and the points of '{source}' have {dimension} numbers.")
    return points


def build_model(recipe: Recipe, shape: Sequence[int], classes: int | None = None) -> nn.Module:
    """Make the model of a recipe, with first weights that its training seed decides.

    Args:
        recipe: what to build.
        shape: of one sample, (C, H, W), or (d,) where samples are points; of video that of a frame, or (T, C, H, W).
        classes: of the data, where it has any.

    Raises:
        ConfigError: the recipe wants labels and the data has none, or its model is not for such samples.
    """
    if len(shape) == 1 and not isinstance(recipe.model, RestorationSpec | HatSpec):
        raise ConfigError(
            f"The data are points, and a {recipe.model.kind} learns from pictures; train a restoration model on them, such "
            "as toy-rgm-kld, or give pictures (--data)."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        match recipe.model:
            case DiffusionSpec() as spec:
                return build_diffusion(spec, shape, classes)
            case DistilledSpec() as spec:
                return build_distilled(spec, build_diffusion(spec.diffusion, shape, classes))
            case ClassifierSpec() as spec:
                return build_classifier(spec, shape, classes)
            case BlindDenoiserSpec() as spec:
                return build_denoiser(spec, shape)
            case RestorationSpec() as spec:
                return build_restoration(spec, shape)
            case VideoDiffusionSpec() as spec:
                return build_video_diffusion(spec, shape)
            case ODEVideoSpec() as spec:
                return build_ode_video(spec, shape)
            case SingleImageSpec() as spec:
                return build_single_image(spec, shape)
            case CodecSpec() as spec:
                return build_codec(spec, shape)
            case CodecDiffusionSpec() as spec:
                return build_codec_diffusion(spec, shape)
            case HatSpec() as spec:
                return build_hat(spec, shape)
            case MultiResCNFSpec() as spec:
                return build_multires_cnf(spec, shape)
            case PoseIKSpec() as spec:
                return build_pose_ik(spec, shape)


def build_diffusion(spec: DiffusionSpec, shape: Sequence[int], classes: int | None) -> Diffusion:
    """Make a diffusion of samples of a shape, (C, H, W)."""
    if spec.labels and classes is None:
        raise ConfigError(
            "The recipe says model.labels=true and the data has no classes; give data with labels, such as a folder "
            "with a subfolder for each class and no picture beside these, or model.labels=false."
        )
    known = classes if spec.labels else None
    network = build_network(spec.network, shape[0], known)
    check_sides(f"a network with {len(spec.network.mult)} levels", shape[1:], network.divisor, FEWER)
    return Diffusion(
        network,
        build_schedule(spec.schedule),
        shape,
        build_covariance(spec.covariance, shape),
        predict=spec.predict,
        space=spec.space,
        min_snr=spec.min_snr,
        condition=spec.condition,
        sigma_data=spec.sigma_data,
        stratified=spec.stratified,
        classes=known,
        label_dropout=spec.label_dropout if spec.labels else 0.0,
    )


def build_classifier(spec: ClassifierSpec, shape: Sequence[int], classes: int | None) -> FeatureClassifier:
    """Make a classifier of samples of a shape, (C, H, W)."""
    if classes is None:
        raise ConfigError("A classifier learns from labels, and the data has none; give labelled data, such as digits.")
    return FeatureClassifier(Classifier(shape[0], classes, channels=spec.channels, features=spec.features))
