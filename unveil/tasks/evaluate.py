"""Measure the samples of a run against real images."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError
from unveil.data.split import Split, check_split
from unveil.recipes import Recipe
from unveil.recipes.choices import either
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.single_image import SingleImageSpec
from unveil.recipes.video import VideoDiffusionSpec
from unveil.tasks.feature_space import check_space, feature_space
from unveil.tasks.figures import check_count, check_metrics
from unveil.tasks.images import absolute, known_source, open_data
from unveil.tasks.likelihood import check_likelihood, likelihood
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of
from unveil.tasks.sample import BATCH, check_sampling, sample

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.data import Images
    from unveil.data.points import Points
    from unveil.metrics import FeatureSpace, Measure

ON_POINTS = ("frechet", "kernel", "pr")
"""Metrics that points have too."""
MOST = 5000
"""Samples drawn when nobody says how many, if there are as many real images."""
FEW = 200
"""Figures of fewer samples or images are told to be unreliable."""


def check_evaluation(
    recipe: Recipe,
    *,
    data: str | Path | None = None,
    metrics: Sequence[str] = ("frechet", "kernel", "pr"),
    n: int | None = None,
    split: Split = "test",
    inception: str | Path | None = None,
    features: Run | str | Path | None = None,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
) -> tuple[list[str], str]:
    """Refuse what cannot be evaluated, before anything is loaded. Arguments and errors are those of `evaluate`.

    Returns:
        The metrics by their plain names, and the source of the real images.
    """
    wanted = check_metrics(metrics, inception)
    if isinstance(recipe.model, VideoDiffusionSpec | ODEVideoSpec):
        raise ConfigError(
            "The run is of video, and these figures compare pictures; measure its clips with unveil.metrics.measure_clips "
            "beside the true ones, or with unveil.metrics.measure_frechet."
        )
    check_sampling(recipe, 1 if n is None else n, steps=steps, sampler=sampler, seed=seed, batch=batch)
    if isinstance(recipe.model, SingleImageSpec):
        raise ConfigError(
            "The run is of a single image, and these figures compare sets of pictures; measure its samples with "
            "unveil.metrics.measure_single_image_distance."
        )
    if recipe.data.dimension is not None:
        _check_points(wanted, inception, features)
    if "bpd" in wanted:
        check_likelihood(recipe, n, batch, 1, seed)
    if n is not None:
        check_count(wanted, n)
    check_split(split)
    source = known_source(recipe) if data is None else absolute(data)
    check_space(inception, features)
    return wanted, source


def _check_points(wanted: Sequence[str], inception: str | Path | None, features: Run | str | Path | None) -> None:
    """Refuse to measure points as only pictures are measured."""
    if inception is not None or features is not None:
        raise ConfigError(
            "Samples of this run are points, which are compared as they are; leave out the network that measures pictures."
        )
    of_pictures = [name for name in wanted if name in ("score", "bpd")]
    if of_pictures:
        raise ConfigError(
            f"{of_pictures[0]} is a figure of pictures, and samples of this run are points; take {either(ON_POINTS)}."
        )


def evaluate(
    run: Run | str | Path,
    *,
    data: str | Path | None = None,
    metrics: Sequence[str] = ("frechet", "kernel", "pr"),
    n: int | None = None,
    split: Split = "test",
    inception: str | Path | None = None,
    features: Run | str | Path | None = None,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
    report: Report | None = None,
) -> "list[Measure]":
    """Draw samples from a run and measure them.

    Samples of a model with labels take the classes in turn. Without Inception weights and without a classifier's run, a
    classifier is trained on the real images' labels; what is measured with it is named after it. Images without labels
    are compared pixel by pixel, and points as they are.

    Args:
        run: a run, or its folder.
        data: real images; those the run was trained on when None.
        metrics: names from `unveil.tasks.figures.METRICS`.
        n: samples, and for precision and recall as many real images at most; as many as there are real images, up to
            5,000, when None.
        split: part of the real images to compare with.
        inception: a file with the published Inception weights.
        features: the run of a classifier to measure with.
        steps: of the sampler; the recipe's when None.
        sampler: its name; the recipe's when None.
        seed: names the samples, 0 to 2^63 - 1.
        batch: samples drawn at a time.
        report: told of progress.

    Returns:
        Every measure with its counts, split, preprocessing and interval.

    Raises:
        ConfigError: an unknown metric, or a value out of range.
        RunError: it is not a run.
        DataError: data that is missing or damaged.
    """
    recipe = recipe_of(run)
    wanted, source = check_evaluation(
        recipe,
        data=data,
        metrics=metrics,
        n=n,
        split=split,
        inception=inception,
        features=features,
        steps=steps,
        sampler=sampler,
        seed=seed,
        batch=batch,
    )

    from unveil.data import Images
    from unveil.data.points import Points

    report = report or Quiet()
    others = {"source": source, "classes": None, "class_names": None}
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update=others)})
    images = open_data(recipe, split=split, report=report)
    assert isinstance(images, Images | Points)  # all else has been refused
    run = open_run(run)
    thing = "point" if isinstance(images, Points) else "image"
    found: list[Measure] = []
    if set(wanted) != {"bpd"}:
        space, scores = _spaces(wanted, images, recipe, inception, features, report)
        count = n or min(len(images), MOST)
        check_count(wanted, count, len(images))
        if min(count, len(images)) < FEW:
            report.say(
                f"{_counted(count, 'sample')} against {_counted(len(images), thing)} are few: the figures are unreliable, "
                "and compare only with figures of as many."
            )
        x = sample(run, count, steps=steps, sampler=sampler, seed=seed, batch=batch, report=report)
        found += _compare(wanted, x, images, split, space, scores, report)
    if "bpd" in wanted and not isinstance(images, Points):
        found.append(likelihood(run, images, n=n, split=split, seed=seed, batch=batch, report=report).measure)
    return found


def _spaces(
    wanted: Sequence[str],
    data: "Images | Points",
    recipe: Recipe,
    inception: str | Path | None,
    features: Run | str | Path | None,
    report: Report,
) -> "tuple[FeatureSpace | None, FeatureSpace | None]":
    """Where samples are compared, and where classes are scored, as far as the metrics ask for them."""
    from unveil.data.points import Points
    from unveil.metrics import POINTS

    if isinstance(data, Points):
        return POINTS, None
    choose = partial(feature_space, data, recipe, inception=inception, features=features, report=report)
    return (
        choose() if set(wanted) - {"bpd", "score"} else None,
        choose(output="logits") if "score" in wanted else None,
    )


def _counted(n: int, thing: str) -> str:
    return f"{n:,} {thing}" + ("s" if n != 1 else "")


def _compare(
    wanted: Sequence[str],
    x: "Tensor",
    images: "Images | Points",
    split: str,
    space: "FeatureSpace | None",
    scores: "FeatureSpace | None",
    report: Report,
) -> "Iterator[Measure]":
    """Measure samples x against images by their features and class scores, where these are wanted."""
    from unveil.data.points import Points
    from unveil.metrics import (
        cache_folder,
        extract_features,
        frechet_distance,
        inception_score,
        kernel_distance,
        precision_recall,
    )

    if isinstance(images, Points):
        take = partial(extract_features, levels=None)
    else:
        take = partial(extract_features, preprocessing=f"crop {images.frame.crop}", levels=images.levels)
    if space is not None:
        with report.bar("features of samples") as progress:
            ours = take(space, x, split="generated", progress=progress)
        with report.bar("features of images") as progress:
            real = take(space, images, split=split, cache=cache_folder(), progress=progress)
    for name in wanted:
        match name:
            case "frechet":
                yield frechet_distance(ours, real)
            case "kernel":
                yield kernel_distance(ours, real)
            case "pr":
                equal = min(len(ours), len(real))
                yield from precision_recall(ours.take(equal), real.take(equal))
            case "score" if scores is not None:
                with report.bar("scores of samples") as progress:
                    yield inception_score(take(scores, x, split="generated", progress=progress))
