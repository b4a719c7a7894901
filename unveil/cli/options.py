"""Options that several commands share, and the checks on them that need nothing loaded."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from unveil.core.errors import ConfigError, RunError
from unveil.core.files import RECIPE_FILE, check_new
from unveil.data.split import Split
from unveil.recipes.choices import Sampler
from unveil.recipes.library import names


def _there(run: Path) -> Path:
    """The folder of a run; where there is none, a word on where it may be."""
    if not run.exists():
        if (Path("runs") / run / RECIPE_FILE).is_file():
            raise RunError(f"There is no run at {run}; did you mean {Path('runs') / run}?")
        if str(run) in names():
            raise RunError(f"{run} is a recipe, not the folder of a run; train it first: unveil train {run}")
    return run


RunArgument = Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False, callback=_there)]
Steps = Annotated[int | None, typer.Option(help="Steps of the sampler; the recipe's without it.")]
SamplerName = Annotated[
    str | None, typer.Option(help=f"{', '.join(get_args(Sampler))}; the recipe's without it.", metavar="NAME")
]
Part = Annotated[Split, typer.Option("--split", help="Which part of a source of images.")]
Seed = Annotated[int, typer.Option(help="Names all that is random.")]
Batch = Annotated[int, typer.Option(help="How many at a time; it changes the speed only.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is at --out.")]
JsonOut = Annotated[Path | None, typer.Option("--out", help="Also write the figures here, a .json.", metavar="FILE")]


def check_json(out: Path | None, force: bool) -> None:
    """Refuse a place where figures should not go, before they are measured; None is not wanted.

    Raises:
        ExistsError: something is there.
        ConfigError: it has no name, or one that ends otherwise, or would lie in a file.
    """
    if out is None:
        return
    if out.suffix.lower() != ".json":
        raise ConfigError(f"--out is {out}; figures are written as .json.")
    check_new(out, force, option="--out")


def check_picture(path: Path | None, force: bool, option: str = "--show") -> None:
    """The same of one picture, which is saved as .png; None is not wanted.

    Raises:
        ExistsError: something is there.
        ConfigError: it has no name, or one that ends otherwise, or would lie in a file.
    """
    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{option} {path}: pictures are saved as .png, which loses nothing.")
    check_new(path, force, option=option)


def check_not_read(written: Path | None, *read: Path | str | None, kind: str = "a file") -> None:
    """Refuse to replace what is read, whatever --force says.

    Args:
        written: where to, if anywhere.
        read: files that are read, if they are there.
        kind: what to call them.

    Raises:
        ConfigError: it is one of them.
    """
    there = [Path(given) for given in read if given is not None]
    if written is not None and written.exists() and any(given.exists() and written.samefile(given) for given in there):
        raise ConfigError(f"{written} is {kind} that is read; name another file.")


def check_apart(out: Path, show: Path | None) -> None:
    """Refuse one file for what is made and for the picture of it.

    Raises:
        ConfigError: both are named alike.
    """
    if show is not None and show.resolve() == out.resolve():
        raise ConfigError(f"--out and --show are both {out}; give them a name each.")


def read_size(text: str | None) -> tuple[int, int] | None:
    """Read HEIGHTxWIDTH, or one number for a square.

    Raises:
        ConfigError: it is no size.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(f"--size is {text!r}; write height and width in pixels, such as 256x640.")
    return int(sides[0]), int(sides[-1])


def read_numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Read numbers with commas between.

    Raises:
        ConfigError: something else, of which the option is named.
    """
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} is {text!r}; write numbers with commas between, such as 1,-0.5.") from None
