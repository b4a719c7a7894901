"""Recipes: models, data and training as data; `resolve` reads and checks one, `build` makes its objects with torch.

Names are fetched when they are first used: listing the recipes needs neither pydantic nor torch.
"""

from typing import TYPE_CHECKING

from unveil.core.late import fetched_late

if TYPE_CHECKING:
    from unveil.recipes.library import names as names
    from unveil.recipes.library import summary as summary
    from unveil.recipes.reading import dump as dump
    from unveil.recipes.reading import resolve as resolve
    from unveil.recipes.schema import Recipe as Recipe

_HOMES = {"Recipe": "schema", "dump": "reading", "names": "library", "resolve": "reading", "summary": "library"}
__getattr__, __dir__ = fetched_late(__name__, _HOMES)
