"""Which classes a user means, by their numbers or by their names."""

from collections.abc import Sequence

from unveil.core.errors import ConfigError
from unveil.recipes.choices import near
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.schema import DiffusionSpec, Recipe

NAMED = 10
"""Classes that are named one by one in a message; more are counted."""


def class_numbers(recipe: Recipe, label: int | str | Sequence[int | str] | None) -> list[int]:
    """The numbers of the classes that a user asked for.

    Numbers are those of the classes, from 0 on. Text is a name, a number, or several with commas between; where classes
    are called by whole numbers, such as folders 1, 2 and 10, text is always a name.

    Args:
        recipe: of a run, with the classes that were found in its data.
        label: one, several, or none.

    Raises:
        ConfigError: the model knows no labels, or not these.
    """
    if label is None or (isinstance(label, Sequence) and not label and not isinstance(label, str)):
        return []
    if not isinstance(recipe.model, DiffusionSpec | DistilledSpec) or not recipe.model.labels:
        raise ConfigError("This model knows no labels, so it can follow none; train one with model.labels=true.")
    if isinstance(label, str):
        asked: Sequence[int | str] = [label] if label in _names(recipe) else [part.strip() for part in label.split(",")]
    else:
        asked = label if isinstance(label, Sequence) else [label]
    return [_number(recipe, one) for one in asked]


def _number(recipe: Recipe, one: int | str) -> int:
    names, count = _names(recipe), recipe.data.classes or 0
    if isinstance(one, str):
        if one in names:
            return names.index(one)
        if not one.isdecimal() or any(name.isdecimal() for name in names):
            raise ConfigError(_unknown_name(one, names, count))
        one = int(one)
    if isinstance(one, bool) or not isinstance(one, int):
        raise ConfigError(f"A label is {one!r}; it must be a whole number, 0 to {count - 1}, or the name of a class.")
    if not 0 <= one < count:
        raise ConfigError(f"There is no label {one}; this model's labels are 0 to {count - 1}.")
    return one


def _unknown_name(one: str, names: Sequence[str], count: int) -> str:
    if not names:
        return (
            f"There is no label {one!r}: the run's recipe records no names of classes. This model's labels are 0 to "
            f"{count - 1}; give one, or several with commas between."
        )
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    close = "." if one.isdecimal() else near(one, names, 1)
    return f"There is no class {one!r}{close} This model's classes are {', '.join(names[:NAMED])}{more}."


def _names(recipe: Recipe) -> tuple[str, ...]:
    return recipe.data.class_names or ()
