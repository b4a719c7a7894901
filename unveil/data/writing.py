"""Where pictures and clips may be written, and as what.

The command line asks here before anything heavy is loaded: this file imports the standard library only.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from unveil.core.errors import ConfigError, ExistsError, MissingDependencyError
from unveil.core.files import check_above, check_new, check_no_run, forced, shown
from unveil.data.folders import SUFFIXES

CLIPS = (".mp4", ".webm", ".gif", ".npz")
"""What the file of a clip may end in."""
_FASTEST = {".gif": 50.0}
_FASTEST_ELSE = 1000.0
_SLOWEST = 0.002  # a GIF shows a frame for 655 seconds at most, and a rate of video as low becomes another
MARK = ("Software", "unveil")
"""The text that every picture written here begins with, by which it is known again."""
_NUMBERED = re.compile(r"\d{5,}\.png")
_BEGINNING = 256  # bytes of a PNG in which the mark lies


def check_pictures(path: Path, force: bool, option: str | None = None) -> None:
    """Refuse a place where pictures should not go, before they are made.

    A file takes the place of another by force only. A folder takes pictures if it is new or empty; by force also if it
    holds nothing but numbered pictures that were written here, which are replaced. Hidden files are left alone. The option
    is what names the place on the command line.

    Raises:
        ConfigError: it is no place for pictures at all.
        ExistsError: something is there.
    """
    if not path.name or path.name.lower() == ".png":
        raise ConfigError(f"'{shown(path)}' is no name to save pictures by; give one, such as samples.png or a folder.")
    check_above(path)
    suffix = path.suffix.lower()
    if suffix == ".png":
        check_new(path, force, option=option)
    elif suffix in SUFFIXES and not path.is_dir():
        raise ConfigError(f"'{shown(path)}': pictures are saved as one .png, which loses nothing, or in a folder.")
    elif path.is_dir():
        check_no_run(path, option)
        _check_folder(path, force, option)
    elif path.exists():
        raise ExistsError(f"'{shown(path)}' is a file; name a folder, or a file that ends in .png.")


def check_clip(path: Path, force: bool, option: str | None = None) -> None:
    """Refuse a place where a clip should not go, before it is made: a file that ends as CLIPS do, or a folder of frames.

    The option is what names it on the command line.

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
        check_new(path, force, option=option)
    else:
        check_pictures(path, force, option)


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


def _check_folder(path: Path, force: bool, option: str | None) -> None:
    held = sorted(name for name in os.listdir(path) if not name.startswith("."))
    foreign = next((name for name in held if not is_ours(path / name)), None)
    if foreign is not None:
        raise ExistsError(
            f"The folder '{shown(path)}' holds '{shown(foreign)}', which is none of the pictures that are saved here, so "
            "nothing is put beside it; choose another folder."
        )
    if held and not force:
        raise ExistsError(
            f"The folder '{shown(path)}' holds pictures; choose another, or replace them with {forced(option)}."
        )


def is_ours(file: Path) -> bool:
    """Whether a file is a numbered picture that was written here."""
    if not _NUMBERED.fullmatch(file.name) or not file.is_file():
        return False
    with file.open("rb") as opened:
        return "\0".join(MARK).encode() in opened.read(_BEGINNING)
