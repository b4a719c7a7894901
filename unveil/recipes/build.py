"""From a recipe to objects: plain functions, one `match` for each thing of which there are several kinds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Progress, Schedule
from unveil.covariance import Identity, free_field
from unveil.data import Images, check_source, open_images
from unveil.data.found import Split
from unveil.data.points import Points, open_points
from unveil.models.classifier import FeatureClassifier
from unveil.models.diffusion import Diffusion
from unveil.networks.classifier import Classifier
from unveil.networks.unet import UNet
from unveil.recipes.build_restoration import build_denoiser, build_restoration
from unveil.recipes.restoration import BlindDenoiserSpec, RestorationSpec
from unveil.recipes.schema import (
    ClassifierSpec,
    CovarianceSpec,
    DiffusionSpec,
    DiscreteCosineSpec,
    DiscreteLinearSpec,
    FreeFieldSpec,
    GeometricVESpec,
    IdentitySpec,
    LinearVPSpec,
    Recipe,
    ScheduleSpec,
    UNetSpec,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP


def build_data(
    recipe: Recipe, *, source: str | Path | None = None, split: Split | None = None, progress: Progress | None = None
) -> Images | Points:
    """Open the images of a recipe, or its points.

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
        shape: of one sample, (C, H, W), or (d,) where samples are points.
        classes: of the data, where it has any.

    Raises:
        ConfigError: the recipe wants labels and the data has none, or its model is not for such samples.
    """
    if len(shape) == 1 and not isinstance(recipe.model, RestorationSpec):
        raise ConfigError(
            f"The data are points, and a {recipe.model.kind} learns from pictures; train a restoration model on them, such "
            "as toy-rgm-kld, or give pictures (--data)."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        match recipe.model:
            case DiffusionSpec() as spec:
                return build_diffusion(spec, shape, classes)
            case ClassifierSpec() as spec:
                return build_classifier(spec, shape, classes)
            case BlindDenoiserSpec() as spec:
                return build_denoiser(spec, shape)
            case RestorationSpec() as spec:
                return build_restoration(spec, shape)


def build_diffusion(spec: DiffusionSpec, shape: Sequence[int], classes: int | None) -> Diffusion:
    """Make a diffusion of samples of a shape, (C, H, W)."""
    if spec.labels and classes is None:
        raise ConfigError(
            "The recipe says model.labels=true and the data has no classes; give data with labels, such as a folder "
            "with a subfolder for each class, or model.labels=false."
        )
    known = classes if spec.labels else None
    network = build_network(spec.network, shape[0], known)
    if shape[1] % network.divisor or shape[2] % network.divisor:
        raise ConfigError(
            f"Images of {shape[1]} x {shape[2]} do not fit a network with {len(spec.network.mult)} levels, which takes "
            f"sides that are multiples of {network.divisor}; change data.size, or give model.network.mult fewer levels."
        )
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


def build_network(spec: UNetSpec, channels: int, classes: int | None) -> UNet:
    """Make the network of a diffusion for images with so many channels."""
    options = spec.model_dump(exclude={"kind"})
    return UNet(channels, classes=classes, **options)


def build_schedule(spec: ScheduleSpec) -> Schedule:
    """Make a noise schedule."""
    match spec:
        case LinearVPSpec(beta_min=beta_min, beta_max=beta_max):
            return LinearVP(beta_min, beta_max)
        case DiscreteLinearSpec(steps=steps):
            return Discrete.linear(steps)
        case DiscreteCosineSpec(steps=steps):
            return Discrete.cosine(steps)
        case GeometricVESpec(sigma_min=sigma_min, sigma_max=sigma_max, steps=steps):
            return GeometricVE(sigma_min, sigma_max, steps)


def build_covariance(spec: CovarianceSpec, shape: Sequence[int]) -> Covariance:
    """Make the covariance of the noise on samples of a shape, (C, H, W)."""
    match spec:
        case IdentitySpec():
            return Identity()
        case FreeFieldSpec(power=power):
            return free_field(shape[1], shape[2], power)
