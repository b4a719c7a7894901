"""Find a recipe by its name, file or run, and change single values of it: `a.b=c`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from unveil.core.errors import ConfigError
from unveil.recipes.explain import explain
from unveil.recipes.library import names, text_of
from unveil.recipes.schema import Recipe


def resolve(recipe: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: the name of one of the package's recipes, a YAML file, a run folder, a recipe's text (several lines), or
            a recipe.
        overrides: single values to change, each "training.lr=1e-3".

    Raises:
        ConfigError: no such recipe, an unknown key or a bad value, in a sentence.
    """
    if isinstance(recipe, Recipe):
        raw, origin = recipe.model_dump(mode="json"), recipe.name
    elif isinstance(recipe, str) and "\n" in recipe:
        raw, origin = _parse(recipe, "given as text"), "given as text"
    else:
        raw, origin = _parse(text_of(recipe), str(recipe)), str(recipe)
        if Path(recipe).suffix in (".yaml", ".yml") or str(recipe) in names():
            raw.setdefault("name", Path(recipe).stem)
    for override in overrides:
        _apply(raw, override)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise explain(error, raw, origin) from None


def dump(recipe: Recipe) -> str:
    """A recipe as YAML, with every value written out."""
    written = recipe.model_dump(mode="json")
    return yaml.safe_dump(written, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"Recipe {origin} is not YAML: {error.problem}{line}.") from None
    except yaml.YAMLError:
        raise ConfigError(f"Recipe {origin} is not YAML: it holds characters that no text has.") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"Recipe {origin} must hold keys and values (model: ..., training: ...), and holds none.")
    return raw


def _apply(raw: dict[str, Any], override: str) -> None:
    """Write one `a.b=c` into a recipe. A new kind of a thing begins with that kind's own defaults."""
    path, equals, text = override.partition("=")
    *place, key = path.strip().split(".")
    if not equals or not all((*place, key)):
        raise ConfigError(f"{override!r} changes nothing; write a key of the recipe and its value: training.lr=1e-3.")
    here = raw
    for step in place:
        if not isinstance(here.setdefault(step, {}), dict):
            raise ConfigError(f"{override!r} cannot be: {step} is the single value {here[step]!r} and has no keys.")
        here = here[step]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"The value in {override!r} is not YAML; quote it if it is text.") from None
    if key == "kind" and here.get("kind") != value:
        here.clear()
    here[key] = value
