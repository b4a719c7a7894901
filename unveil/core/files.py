"""Files that are whole or not there, and never take the place of another unasked. Imports the standard library only."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unveil.core.errors import ConfigError, ExistsError, UnveilError

RECIPE_FILE = "recipe.yaml"
"""What the folder of a run has, by which it is known; nothing else is put there."""


def shown(path: str | os.PathLike[str]) -> str:
    """Write a path so that it can be printed: what is not printable (nor text at all) is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in os.fspath(path))


def reason(error: BaseException) -> str:
    """Say in a few words why a file could not be read or written."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = text.strip().rstrip(".") or type(error).__name__
    return text[0].lower() + text[1:] if text[:2].istitle() else text


def check_new(path: Path, force: bool, *, folder: bool = False, option: str | None = None) -> None:
    """Refuse to overwrite what nobody asked to overwrite, before work begins.

    Args:
        path: where to.
        force: whether it may be overwritten; the folder of a run never is.
        folder: whether it is to be a folder, not a file.
        option: that names it on the command line.

    Raises:
        ConfigError: it has no name, or would lie in a file.
        ExistsError: something is there.
    """
    if not path.name:
        raise ConfigError(f"{option or 'The place'} is '{path}', which names nothing new; give it a name.")
    check_above(path)
    if path.exists() and path.is_dir() != folder:
        kinds, by = ("file", "folder"), f" with {option}" if option else ""
        raise ExistsError(f"'{shown(path)}' is a {kinds[path.is_dir()]}; name a {kinds[folder]}{by}.")
    check_no_run(path, option)
    if path.exists() and not folder and not path.is_file():  # a device would be lost
        raise ExistsError(f"'{shown(path)}' is no regular file, and is left alone; {_another(option)}.")
    if not force and path.exists() and (not folder or any(path.iterdir())):
        raise ExistsError(f"'{shown(path)}' exists already; {_another(option)}, or overwrite it with {forced(option)}.")


def check_above(path: Path) -> None:
    """Refuse a place that would lie in a file.

    Raises:
        ConfigError: it would.
    """
    above = next(place for place in path.absolute().parents if place.exists())
    if not above.is_dir():
        raise ConfigError(f"'{shown(path)}' cannot be written: {shown(above.name)} is a file, not a folder.")


def check_no_run(path: Path, option: str | None = None) -> None:
    """Refuse to write into a run.

    Raises:
        ExistsError: it is the folder of one.
    """
    if (path / RECIPE_FILE).is_file():
        raise ExistsError(f"'{shown(path)}' is the folder of a run, and nothing else is put there; {_another(option)}.")


def forced(option: str | None) -> str:
    """How one asks to overwrite, where the place is given by an option, or from Python."""
    return "force" if option is None else "--force"


def _another(option: str | None) -> str:
    return "choose another name" if option is None else f"name another {option}"


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[Path]:
    """Name a file to write to, which becomes `path` when the block ends well.

    Raises:
        ExistsError: `path` is there already, and `force` is false.
        UnveilError: it cannot be written, as on a full disk; nothing is left behind.
    """
    check_new(path, force)
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """Name something on the same disk that nobody else writes to."""
    return path.with_name(f".unveil-{secrets.token_hex(6)}")


def unwritable(path: Path, error: OSError) -> UnveilError:
    """Say why something could not be written."""
    return UnveilError(f"'{shown(path)}' cannot be written: {reason(error)}.")
