"""Names of a room that are fetched when they are first used, so that a room costs nothing until then. Imports no torch."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def fetched_late(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package needs as its `__getattr__` and `__dir__`.

    Args:
        package: its full name.
        homes: each public name, and the module within the package that it is in.
    """

    def fetch(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    def known() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return fetch, known
