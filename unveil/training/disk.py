"""Files that appear whole or not at all, whatever happens while they are written. Nothing here imports torch."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unveil.core.errors import RunError, UnveilError

PART = ".part"
"""The end of the name of a file that is still being written; one that is left over may be deleted."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; once the block has ended well, what is there takes the place of `path` in one instant.

    The bytes have reached the disk before the name changes, and the name before the block is left, so that a crash at
    any moment leaves either the old file or the new one.

    Raises:
        RunError: the disk is full or may not be written to; the old file, if there was one, is as it was.
    """
    part = path.with_name(path.name + PART)
    try:
        with told_plainly(path):
            yield part
            _flush(part)
            os.replace(part, path)
            _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn what goes wrong while writing `path` into a RunError that says what to do."""
    try:
        yield
    except UnveilError:
        raise
    except Exception as error:
        # The safetensors library has no class for this: its message ends in "(os error 28)".
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.ENOSPC, errno.EDQUOT) or f"(os error {errno.ENOSPC})" in str(error):
            raise RunError(
                f"The disk is full: {path} could not be written. Free some space and resume; "
                "what was saved before is whole."
            ) from error
        if isinstance(error, OSError):
            raise RunError(f"{path} could not be written: {error.strerror or error}.") from error
        raise


def _flush(path: Path) -> None:
    """Wait until a file or the names in a folder have reached the disk."""
    if path.is_dir() and os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
