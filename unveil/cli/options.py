"""Options that several commands share, and the checks on them that need nothing loaded."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from unveil.core.errors import ConfigError, ExistsError, RunError
from unveil.recipes.choices import Sampler
from unveil.recipes.library import RECIPE_FILE, names


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
Seed = Annotated[int, typer.Option(help="Names all that is random.")]
Batch = Annotated[int, typer.Option(help="How many at a time; it changes the speed only.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is at --out.")]


def check_new(out: Path, force: bool, *, folder: bool = False, option: str = "--out") -> None:
    """Refuse to overwrite what nobody asked to overwrite, before work begins.

    Args:
        out: where to.
        force: whether it may be overwritten; the folder of a run never is.
        folder: whether it is to be a folder, not a file.
        option: that names it.

    Raises:
        ExistsError: something is there.
        ConfigError: it has no name, or would lie in a file.
    """
    if not out.name:
        raise ConfigError(f"{option} is '{out}', which names nothing new; give it a name.")
    above = next(place for place in out.absolute().parents if place.exists())
    if not above.is_dir():
        raise ConfigError(f"{out} cannot be written: {above.name} is a file, not a folder.")
    if out.exists() and out.is_dir() != folder:
        kinds = ("file", "folder")
        raise ExistsError(f"{out} is a {kinds[out.is_dir()]}; name a {kinds[folder]} with {option}.")
    check_no_run(out)
    if not force and out.exists() and (not folder or any(out.iterdir())):
        raise ExistsError(f"{out} exists; name another {option}, or overwrite it with --force.")


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


def check_no_run(out: Path) -> None:
    """Refuse to write into a run.

    Raises:
        ExistsError: it is the folder of one.
    """
    if (out / RECIPE_FILE).is_file():
        raise ExistsError(f"{out} is the folder of a run, and nothing else is put there; name another --out.")


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
