"""What a run may go on with, and what it may not. Nothing here imports torch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unveil.core.errors import ConfigError, RunError
from unveil.recipes import Recipe
from unveil.training.run_folder import RunFolder, places

_NAMED = 3
"""Differences that are named one by one."""


def check_unchanged(path: Path, first: Recipe, now: Recipe) -> None:
    """Refuse another model, or samples of another shape, than a run was begun with.

    Args:
        path: the run's folder.
        first: the recipe it was begun with.
        now: the one it should go on with.

    Raises:
        ConfigError: the message names what differs.
    """
    before, after = dict(_fixed(first)), dict(_fixed(now))
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return
    named = "; ".join(f"{name} {_told(before, name)}, not {_told(after, name)}" for name in changed[:_NAMED])
    more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    raise ConfigError(
        f"{path} was begun with {named}{more}, which cannot change any more; "
        "leave that as it was, or train another run (--out)."
    )


def check_progress(path: Path, first: Recipe, now: Recipe) -> None:
    """Refuse what the checkpoints of a run tell to be impossible, as far as their names tell it.

    Raises:
        ConfigError: more steps are taken already than are asked for.
        RunError: there are weights, and no checkpoint to go on from.
    """
    folder = RunFolder(path)
    taken = places(folder.state)
    if not taken and folder.weights.is_file():
        raise RunError(
            f"{path} has weights but no checkpoint in {folder.state.name}/ to go on from; train its recipe anew in "
            f"another folder: {path} without --resume, and with another --out."
        )
    steps = now.training.steps
    if taken and steps != first.training.steps and steps < taken[-1][1]:
        raise ConfigError(
            f"{path} has taken {taken[-1][1]} steps already, so it cannot end after {steps}; "
            f"give {taken[-1][1]} or more (--steps), or train another run (--out)."
        )


def _fixed(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """Yield all values, by their keys, that decide the shapes and the meaning of the weights."""
    yield from _flat("model", recipe.model.model_dump(mode="json"))
    yield "data.size", recipe.data.size
    yield "data.channels", recipe.data.channels
    if getattr(recipe.model, "labels", recipe.model.kind == "classifier"):
        yield "data.classes", recipe.data.classes


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _told(values: dict[str, Any], name: str) -> str:
    """Write a value as a recipe would."""
    return json.dumps(values[name]).strip('"') if name in values else "without it"
