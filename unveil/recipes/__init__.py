"""Recipes: models, data and training as data; `resolve` reads and checks one, `build` makes its objects with torch.

Names are fetched when they are first used: listing the recipes needs neither pydantic nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unveil.recipes.library import names as names
    from unveil.recipes.library import summary as summary
    from unveil.recipes.reading import dump as dump
    from unveil.recipes.reading import resolve as resolve
    from unveil.recipes.schema import Recipe as Recipe

_HOMES = {"Recipe": "schema", "dump": "reading", "names": "library", "resolve": "reading", "summary": "library"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
