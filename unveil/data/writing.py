"""Files that are whole or not there, and never take the place of another unasked.

The command line asks here before anything heavy is loaded: this file imports the standard library only.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from unveil.core.errors import ConfigError, ExistsError, MissingDependencyError, UnveilError
from unveil.data.folders import SUFFIXES, reason, shown

CLIPS = (".mp4", ".webm", ".gif", ".npz")
"""What the file of a clip may end in."""
_FASTEST = {".gif": 50.0}
_FASTEST_ELSE = 1000.0
_SLOWEST = 0.002  # a GIF shows a frame for 655 seconds at most, and a rate of video as low becomes another
MARK = ("Software", "unveil")
"""The text that every picture written here begins with, by which it is known again."""
_NUMBERED = re.compile(r"\d{5,}\.png")
_BEGINNING = 256  # bytes of a PNG in which the mark lies


def check_pictures(path: Path, force: bool) -> None:
    """Refuse a place where pictures should not go, before they are made.

    A file takes the place of another by force only. A folder takes pictures if it is new or empty; by force also if it
    holds nothing but numbered pictures that were written here, which are replaced. Hidden files are left alone.

    Raises:
        ConfigError: it is no place for pictures at all.
        ExistsError: something is there.
    """
    if not path.name or path.name.lower() == ".png":
        raise ConfigError(f"'{shown(path)}' is no name to save pictures by; give one, such as samples.png or a folder.")
    _check_above(path)
    suffix = path.suffix.lower()
    if suffix == ".png":
        check_file(path, force)
    elif suffix in SUFFIXES and not path.is_dir():
        raise ConfigError(f"'{shown(path)}': pictures are saved as one .png, which loses nothing, or in a folder.")
    elif path.is_dir():
        _check_folder(path, force)
    elif path.exists():
        raise ExistsError(f"'{shown(path)}' is a file; name a folder, or a file that ends in .png.")


def check_clip(path: Path, force: bool) -> None:
    """Refuse a place where a clip should not go, before it is made: a file that ends as CLIPS do, or a folder of frames.

    Raises:
        ConfigError: no clip can be written under such a name.
        ExistsError: something is there.
        MissingDependencyError: the library that writes video is not installed.
    """
    suffix = path.suffix.lower()
    if not path.name or path.name.lower() in CLIPS:
        raise ConfigError(f"'{shown(path)}' is no name to save a clip by; give one, such as clip.mp4.")
    if suffix and suffix not in CLIPS and not path.is_dir():
        raise ConfigError(
            f"'{shown(path)}': a clip is written as {', '.join(CLIPS)}, or in a folder of frames, whose name has no ending."
        )
    if suffix in (".mp4", ".webm"):
        need_av()
    if suffix in CLIPS:
        _check_above(path)
        check_file(path, force)
    else:
        check_pictures(path, force)


def nearest_rate(path: Path, fps: float) -> float:
    """The rate nearest to one at which a clip of this name can be shown."""
    return min(max(fps, _SLOWEST), _FASTEST.get(path.suffix.lower(), _FASTEST_ELSE))


def check_rate(path: Path, fps: float) -> None:
    """Refuse a rate at which a clip of this name cannot be shown.

    Raises:
        ConfigError: it is too slow, or too fast.
    """
    if not _SLOWEST <= fps <= _FASTEST_ELSE:
        raise ConfigError(f"fps={fps} cannot be; give a number from {_SLOWEST:g} to {_FASTEST_ELSE:g}.")
    if fps > nearest_rate(path, fps):
        raise ConfigError(
            f"fps={fps} cannot be: a GIF is shown at {nearest_rate(path, fps):g} frames a second at most; write an .mp4."
        )


def need_av() -> None:
    """Refuse what PyAV is needed for, where it is not installed.

    Raises:
        MissingDependencyError: it is not.
    """
    if find_spec("av") is None:
        raise MissingDependencyError(
            "Video files are read and written by the library PyAV, which is not installed. "
            "Install the extra: pip install 'unveil[video]'."
        )


def _check_above(path: Path) -> None:
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"'{shown(path)}' cannot be written: {shown(above.name)} is a file, not a folder.")


def check_file(path: Path, force: bool) -> None:
    """Refuse to write over a file unasked, or over a folder.

    Raises:
        ExistsError: something is there.
    """
    if path.is_dir():
        raise ExistsError(f"'{shown(path)}' is a folder; name a file in it, or remove it.")
    if path.exists() and not force:
        raise ExistsError(f"'{shown(path)}' exists already; choose another name, or overwrite it with force.")


def _check_folder(path: Path, force: bool) -> None:
    held = sorted(name for name in os.listdir(path) if not name.startswith("."))
    foreign = next((name for name in held if not is_ours(path / name)), None)
    if foreign is not None:
        raise ExistsError(
            f"The folder '{shown(path)}' holds '{shown(foreign)}', which is none of the pictures that are saved here, so "
            "nothing is put beside it; choose another folder."
        )
    if held and not force:
        raise ExistsError(f"The folder '{shown(path)}' holds pictures; choose another, or replace them with force.")


def is_ours(file: Path) -> bool:
    """Whether a file is a numbered picture that was written here."""
    if not _NUMBERED.fullmatch(file.name) or not file.is_file():
        return False
    with file.open("rb") as opened:
        return "\0".join(MARK).encode() in opened.read(_BEGINNING)


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[Path]:
    """Name a file to write to, which becomes `path` when the block ends well.

    Raises:
        ExistsError: `path` is there already, and `force` is false.
        UnveilError: it cannot be written, as on a full disk; nothing is left behind.
    """
    check_file(path, force)
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
