"""Options that several commands share, and the checks on them that need nothing loaded."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from unveil.core.errors import ConfigError, ExistsError
from unveil.recipes.choices import Sampler

RunArgument = Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False)]
Steps = Annotated[int | None, typer.Option(help="Steps of the sampler; the recipe's without it.")]
SamplerName = Annotated[
    str | None, typer.Option(help=f"{', '.join(get_args(Sampler))}; the recipe's without it.", metavar="NAME")
]
Seed = Annotated[int, typer.Option(help="Names all that is random.")]
Batch = Annotated[int, typer.Option(help="How many at a time; it changes the speed only.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is at --out.")]


def check_new(out: Path, force: bool) -> None:
    """Refuse to overwrite what nobody asked to overwrite, before work begins.

    Raises:
        ExistsError: something is there.
        ConfigError: it would lie in a file.
    """
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"{out} cannot be written: {above.name} is a file, not a folder.")
    if not force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistsError(f"{out} exists; name another --out, or overwrite it with --force.")


def numbers(text: str | None, option: str) -> list[int]:
    """Read whole numbers, separated by commas.

    Raises:
        ConfigError: they are something else.
    """
    try:
        return [int(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise ConfigError(
            f"{option} is {text!r}; give a whole number, or several with commas between: 0,1,2."
        ) from None
