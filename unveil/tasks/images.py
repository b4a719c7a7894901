"""The data of a recipe: where they are, and what could not be read of them."""

from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import shown
from unveil.data.sources import check_source
from unveil.recipes import Recipe
from unveil.recipes.pose import PoseIKSpec
from unveil.tasks.report import Report

if TYPE_CHECKING:
    from unveil.data import Images
    from unveil.data.moving_digits import MovingDigits
    from unveil.data.photograph import Photograph
    from unveil.data.points import Points
    from unveil.data.poses import Poses
    from unveil.data.random_poses import RandomPoses
    from unveil.data.split import Split
    from unveil.data.videos import Videos

NAMED = 5
"""Files that are named one by one when they could not be read; more are counted."""


def open_data(
    recipe: Recipe, *, source: str | Path | None = None, split: "Split | None" = None, report: Report
) -> "Images | Points | Videos | MovingDigits | Photograph | Poses | RandomPoses":
    """Open a recipe's images, points or poses, or others as the recipe would, and tell what could not be read.

    Raises:
        DataError: they are missing or damaged, or neither grey nor in colour.
    """
    from unveil.data.points import Points
    from unveil.recipes.build import build_data

    what = "motions" if isinstance(recipe.model, PoseIKSpec) else "images"
    with report.bar(f"reading {what}") as progress:
        images = build_data(recipe, source=source, split=split, progress=progress)
    if isinstance(images, Points):
        return images
    if images.shape[-3] not in (1, 3) and not isinstance(recipe.model, PoseIKSpec):
        raise DataError(
            f"The pictures of '{images.name}' have {images.shape[-3]} channels; a model learns from grey ones, of 1 channel, "
            "or from RGB, of 3. Leave the others out of the array."
        )
    if images.skipped:
        named = "; ".join(f"{name} ({reason})" for name, reason in images.skipped[:NAMED])
        more = f" and {len(images.skipped) - NAMED} more" if len(images.skipped) > NAMED else ""
        files = "file" if len(images.skipped) == 1 else "files"
        report.say(f"{len(images.skipped)} {files} could not be read and left out: {named}{more}.")
    for note in images.notes:
        report.say(note)
    return images


def open_pictures(
    recipe: Recipe, *, source: str | Path | None = None, split: "Split | None" = None, report: Report
) -> "Images":
    """The same, where only pictures will do.

    Raises:
        DataError: they are points, or cannot be opened.
    """
    from unveil.data import Images
    from unveil.data.points import Points

    images = open_data(recipe, source=source, split=split, report=report)
    if not isinstance(images, Images):
        poses = isinstance(recipe.model, PoseIKSpec)
        what = "points" if isinstance(images, Points) else "motions of people" if poses else "video"
        raise DataError(f"'{images.name}' holds {what}, and this asks for pictures.")
    return images


def known_source(recipe: Recipe) -> str:
    """What a run was trained on, if it is still there.

    Raises:
        ConfigError: the run does not say.
        DataError: it cannot be opened.
    """
    what = "motions" if isinstance(recipe.model, PoseIKSpec) else "images"
    source = recipe.data.source
    if source is None:
        raise ConfigError(f"The run does not say what it was trained on; name the {what} to compare with (--data).")
    try:
        check_source(source)
    except DataError as error:
        raise DataError(
            f"The {what} that the run was trained on cannot be opened: {str(error).partition(' Give ')[0]} If they were "
            "moved, say where they are (--data)."
        ) from None
    return source


def with_found(
    recipe: Recipe, data: "Images | Points | Videos | MovingDigits | Photograph | Poses | RandomPoses"
) -> Recipe:
    """A recipe with what only the data could tell: size, channels, classes and their names, or how many numbers a point has."""
    found: dict[str, object]
    if isinstance(recipe.model, PoseIKSpec):
        return recipe  # a pose has the same numbers everywhere
    if len(data.shape) == 1:
        found = {"dimension": data.shape[0]}
    else:
        channels, *size = data.shape[-3:]
        names = tuple(map(shown, data.class_names)) if data.class_names else None
        found = {"size": tuple(size), "channels": channels, "classes": data.classes, "class_names": names}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=found)})


def absolute(data: str | Path) -> str:
    """A source as the run's recipe keeps it: paths from the root, so that it can be resumed from any folder."""
    source = check_source(data)
    if source.path is None:
        return str(data)
    return (f"{source.name}:" if source.kind == "moving-digits" else "") + str(source.path.resolve())
