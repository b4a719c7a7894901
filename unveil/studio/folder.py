"""The one folder that a page may write to and read from."""

import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from unveil.core.errors import ConfigError, DataError, ExistsError

LARGEST = 50 * 2**20
"""Bytes of a file that a page may bring or open."""

_NAME = re.compile(r"[\w][\w .()+-]{0,119}", re.ASCII)
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


class Folder:
    """A folder, and names in it that cannot lead anywhere else.

    Args:
        path: the folder; it is made if it is not there.

    Raises:
        ConfigError: it is no folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().resolve()
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{path} is a file; name a folder for what is saved from the page.")

    def place(self, name: str, suffix: str | None = None) -> Path:
        """Where a file of a name is.

        Args:
            name: letters, digits, spaces and . _ - + ( ) only, no folders; the suffix is added if it is not there.
            suffix: that it must have.

        Raises:
            ConfigError: the name could lead out of the folder, or cannot be a file's.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name.strip()):
            raise ConfigError(
                f"The file name {str(name)[:60]!r} cannot be used; letters, digits, spaces and . _ - + ( ) may be in it, and "
                "no folders."
            )
        name = name.strip()
        if suffix is not None and not name.lower().endswith(suffix):
            name += suffix
        if name.split(".")[0].strip().lower() in _DEVICES or name.endswith(".") or ".." in name:
            raise ConfigError(f"The file name '{name}' cannot be used; choose another.")
        path = self.path / name
        # A link in the folder may point out of it.
        if path.resolve().parent != self.path:
            raise ConfigError(f"'{name}' leads out of the folder {self.path.name}; it is left alone.")
        return path

    def write(self, name: str, data: bytes, suffix: str | None = None, *, overwrite: bool = False) -> Path:
        """Write a file whole or not at all.

        Raises:
            ExistsError: it is there, and nobody asked to overwrite it.
            DataError: the disk is full, or may not be written to.
        """
        path = self.place(name, suffix)
        if path.is_dir():
            raise ExistsError(f"{path.name} is a folder; choose another name.")
        part = self.path / f"{uuid4().hex}.part" if overwrite else path
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:  # of two pages at once one is refused
                file.write(data)
            if overwrite:
                os.replace(part, path)
        except FileExistsError:
            raise ExistsError(f"{path.name} is there already; choose another name, or tick 'overwrite'.") from None
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise DataError(f"'{path.name}' cannot be written: {error.strerror or error}.") from None
        return path

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            DataError: there is none, it is too large, or it may not be read.
        """
        path = self.place(name)
        if not path.is_file():
            raise DataError(f"There is no file '{path.name}' in {self.path.name}.")
        try:
            check_size(path.name, path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"'{path.name}' cannot be read: {error.strerror or error}.") from None

    def names(self, suffixes: Collection[str]) -> list[str]:
        """The files in it with one of some suffixes that can be opened, by name; none if it may not be looked into."""
        try:
            known = [path for path in self.path.iterdir() if path.name.lower().endswith(tuple(suffixes))]
            return sorted(path.name for path in known if _NAME.fullmatch(path.name) and path.is_file())
        except OSError:
            return []


def check_size(name: str, size: int) -> None:
    """Refuse a file that is too large to open from a page.

    Raises:
        DataError: it is.
    """
    if size > LARGEST:
        raise DataError(f"{name} has {size / 2**20:.0f} MB; files of up to {LARGEST // 2**20} MB can be opened here.")
