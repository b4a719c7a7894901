"""Files that are whole or not there, and never take the place of another unasked."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unveil.core.errors import ExistsError, UnveilError
from unveil.data.folders import reason, shown


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[Path]:
    """Name a file to write to, which becomes `path` when the block ends well.

    Raises:
        ExistsError: `path` is there already, and `force` is false.
        UnveilError: it cannot be written, as on a full disk; nothing is left behind.
    """
    if path.is_dir():
        raise ExistsError(f"'{shown(path)}' is a folder; name a file in it, or remove it.")
    if path.exists() and not force:
        raise ExistsError(f"'{shown(path)}' exists already; choose another name, or give force=True (--force).")
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
