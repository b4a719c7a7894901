"""In which space images are compared: the published Inception network, a classifier of one's own, or pixels."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError
from unveil.core.files import reason
from unveil.recipes import Recipe, dump, resolve
from unveil.recipes.schema import ClassifierSpec
from unveil.tasks.images import open_pictures
from unveil.tasks.report import Report
from unveil.tasks.run import Run, load, open_run, recipe_of
from unveil.tasks.train import train

if TYPE_CHECKING:
    from torch import Tensor, nn

    from unveil.data import Images
    from unveil.metrics import FeatureSpace
    from unveil.metrics.feature_space import Output


def feature_space(
    images: "Images",
    recipe: Recipe,
    *,
    inception: str | Path | None = None,
    features: Run | str | Path | None = None,
    output: "Output" = "features",
    report: Report,
) -> "FeatureSpace":
    """Choose the space in which samples are compared with images, and make it where it is not there yet.

    Args:
        images: the real images.
        recipe: how they were opened.
        inception: a file with the published Inception weights.
        features: the run of a classifier.
        output: its features, or its class scores.
        report: told of what is trained.

    Returns:
        The Inception network's space or the given classifier's; else that of a classifier trained on these images (and
        kept in the cache by their content) where they have labels, and the pixels themselves where they have none.

    Raises:
        ConfigError: class scores are wanted of images without labels.
    """
    from unveil.metrics import PIXELS, FeatureSpace

    if inception is not None:
        return FeatureSpace.of(_inception(inception), "inception", output=output, weights=inception)
    if features is not None:
        run = open_run(features)
        return FeatureSpace.of(run.model, run.recipe.name, output=output)
    if images.classes is not None and images.classes > 1:
        run = trained_classifier(recipe, report=report)
        return FeatureSpace.of(run.model, f"{images.name}-classifier", output=output)
    if output == "logits":
        raise ConfigError(
            f"The classifier score needs a classifier, and {images.name} has no labels to train one; give the run of one "
            "(features)."
        )
    report.say(f"{images.name} has no labels to train a feature network, so pictures are compared pixel by pixel.")
    return PIXELS


def check_space(inception: str | Path | None, features: Run | str | Path | None) -> None:
    """Refuse what gives no features, before anything is loaded.

    Raises:
        ConfigError: the file of weights is not there or cannot be read, or the run is no classifier's.
        RunError: it is not a run.
    """
    if inception is not None:
        _check_weights(Path(inception))
    if features is not None:
        recipe = recipe_of(features)
        if not isinstance(recipe.model, ClassifierSpec):
            raise ConfigError(
                f"The run to measure with is a {recipe.model.kind}; features come from a classifier's run."
            )


def _check_weights(file: Path) -> None:
    if file.is_dir():
        raise ConfigError(f"{file} is a folder; name the file with the Inception weights.")
    if not file.is_file():
        raise ConfigError(f"There is no file {file} with Inception weights.")
    try:
        file.open("rb").close()
    except OSError as error:
        raise ConfigError(f"The Inception weights {file} cannot be read: {reason(error)}.") from None


def trained_classifier(recipe: Recipe, *, report: Report) -> Run:
    """Train a classifier on the images of a recipe, or take the one in the cache that was trained on the same images."""
    from unveil.metrics import cache_folder

    images = open_pictures(recipe, split="train", report=report)
    base = resolve("digits-features" if recipe.data.source == "digits" else "fashion-features")
    planned = base.model_copy(update={"data": recipe.data.model_copy(update={"split": "train", "needs": None})})
    name = hashlib.sha256(f"{images.fingerprint}\n{dump(base)}".encode()).hexdigest()[:16]
    place = cache_folder().with_name("classifiers") / name
    if not (place / "done").is_file():
        report.say(f"Training a feature network on {images.name}, to measure with; it is kept for the next time.")
        train(planned, out=place, resume=True, report=report)
        (place / "done").touch()
    return load(place)


def _inception(weights: str | Path) -> "nn.Module":
    """The Inception network as a feature space takes it: its scores by a call, its features by name."""
    from torch import nn

    from unveil.networks.inception import load_inception

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inception = load_inception(weights)

        def features(self, x: "Tensor") -> "Tensor":
            return self.inception(x)[0]

        def forward(self, x: "Tensor") -> "Tensor":
            return self.inception(x)[1]

    return Scores()
