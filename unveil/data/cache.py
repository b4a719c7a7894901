"""Every file is decoded once, at the start: into memory, or into a mapped file that later runs open at once.

A cached collection is the folder `images/PLACE/STATE` of the cache: `pixels.bin` (the pictures one after another),
`index.npz` (their shapes and digests) and `about.json`. It is written under another name and then renamed, so that
it is whole or not there; processes that want the same one wait for the first. When the files change, the new state
takes the place of the old one.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL
from PIL import Image

from unveil.core.cache import cache_root
from unveil.core.errors import DataError, UnveilError
from unveil.core.files import reason, shown
from unveil.core.protocols import Progress
from unveil.data.decoding import UnreadableError, decode
from unveil.data.found import Encoded
from unveil.data.framing import Frame
from unveil.data.store import Pictures, digest

Kept = TypeVar("Kept")

_VERSION = 1
_SMALL = 32 << 20  # files of fewer bytes than this in all are decoded anew each time: it takes a second or two


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pictures that were files.

    Attributes:
        pictures: those that could be decoded.
        rows: which of the files each is.
        contents: the digest of each one's file.
        digests: the digest of each one's pixels.
        skipped: the files that could not, and why.
        animated: how many files hold more frames than the first, which was taken.
    """

    pictures: Pictures
    rows: np.ndarray
    contents: list[bytes]
    digests: list[bytes]
    skipped: tuple[tuple[str, str], ...]
    animated: int


def decode_all(
    files: Encoded,
    frame: Frame,
    channels: int | None,
    *,
    cache: str | os.PathLike[str] | bool | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Decode and frame every file, or fetch what was decoded before.

    Args:
        files: what to decode.
        frame: the size that pictures are brought to.
        channels: 1 turns RGB to grey; otherwise each picture keeps its own channels.
        cache: a folder to keep decoded pictures in; True is `cache_root()`, None the same for all but small
            collections; False keeps nothing.
        progress: told how many files are done.

    Raises:
        DataError: no file at all could be decoded, or a picture is smaller than the frame.
        UnveilError: the cache cannot be written.
    """
    if cache is False or (cache is None and files.size <= _SMALL):
        blocks: list[np.ndarray] = []
        index = _decode_each(files, frame, channels, blocks.append, progress)
        return index.opened(files, Pictures.joined(blocks).pixels)
    folder = cache_root() if cache is None or cache is True else Path(cache).expanduser()
    kind = f"{_VERSION} {files.place} {frame.stored()} grey={channels == 1}"
    place = folder / "images" / digest(kind).hex()
    entry = place / digest(files.state, PIL.__version__).hex()
    try:
        return kept(
            entry, lambda entry: _open(entry, files), lambda entry: _write(entry, files, frame, channels, progress)
        )
    except OSError as error:
        raise UnveilError(
            f"The decoded pictures cannot be kept in '{shown(folder)}': {reason(error)}. "
            "Name a roomier folder in the environment variable UNVEIL_CACHE; in Python, cache=False decodes into memory."
        ) from None


def kept(entry: Path, opened: Callable[[Path], Kept | None], written: Callable[[Path], None]) -> Kept:
    """Open what a folder PLACE/STATE of the cache keeps, or write it first; other states of the place give way.

    Args:
        entry: the folder.
        opened: what it keeps; None where it is not there, or not whole.
        written: makes the folder, whole and at once: `renamed` is a way.

    Raises:
        OSError: the cache cannot be written.
        UnveilError: somebody changed it meanwhile.
    """
    found = opened(entry)
    if found is not None:
        return found
    place = entry.parent
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place / "lock") as alone:
        found = opened(entry)  # perhaps another process was faster
        if found is None:
            for old in place.iterdir():
                if old.is_dir() and (alone or old == entry):
                    shutil.rmtree(old, ignore_errors=True)
            written(entry)
            found = opened(entry)
    if found is None:
        raise UnveilError(f"The cache in '{shown(place)}' was changed while it was written; please try again.")
    return found


@contextmanager
def renamed(entry: Path) -> Iterator[Path]:
    """A new folder, which becomes `entry` when the block ends well."""
    temporary = Path(tempfile.mkdtemp(dir=entry.parent))
    try:
        yield temporary
        if not entry.exists():  # else a process that shares no lock with us was faster
            temporary.rename(entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class _Index:
    """All that is known of decoded files, save their pixels."""

    shapes: np.ndarray  # (N, 3)
    rows: np.ndarray  # (N,)
    contents: np.ndarray  # (N, 16) uint8
    digests: np.ndarray  # (N, 16) uint8
    skipped: list[tuple[int, str]]
    animated: int

    def opened(self, files: Encoded, pixels: np.ndarray) -> Decoded:
        return Decoded(
            Pictures(pixels, self.shapes),
            self.rows,
            [row.tobytes() for row in self.contents],
            [row.tobytes() for row in self.digests],
            tuple((files.names[row], why) for row, why in self.skipped),
            self.animated,
        )


def _decode_each(
    files: Encoded,
    frame: Frame,
    channels: int | None,
    keep: Callable[[np.ndarray], object],
    progress: Progress | None,
) -> _Index:
    """Decode all files in several threads, and hand their pixels to `keep` in order."""

    def work(row: int) -> tuple[bytes, np.ndarray, bytes, bool] | str:
        try:
            raw = files.read(row)
            pixels, animated = decode(raw, files.names[row], frame, channels)
            return digest(raw), pixels, digest(pixels), animated
        except (OSError, UnreadableError) as error:
            return reason(error)

    shapes, rows, contents, digests = [], [], [], []
    skipped: list[tuple[int, str]] = []
    moving = 0
    Image.init()  # loads Pillow's readers once, before threads ask for them
    workers = min(16, os.cpu_count() or 1)
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(files), 32 * workers):
            some = range(start, min(start + 32 * workers, len(files)))
            for row, result in zip(some, pool.map(work, some), strict=True):
                if isinstance(result, str):
                    skipped.append((row, result))
                else:
                    content, pixels, name, animated = result
                    keep(pixels)
                    shapes.append(pixels.shape)
                    rows.append(row)
                    contents.append(content)
                    digests.append(name)
                    moving += animated
                if progress is not None:
                    progress(row + 1, len(files))
    if not rows:
        first, why = skipped[0]
        raise DataError(
            f"'{files.names[first]}' cannot be read as an image: {why}."
            if len(files) == 1
            else f"None of the {len(files)} images can be read. The first: '{files.names[first]}': {why}."
        )
    return _Index(np.array(shapes), np.array(rows), _as_rows(contents), _as_rows(digests), skipped, moving)


def _as_rows(digests: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1)


def _write(entry: Path, files: Encoded, frame: Frame, channels: int | None, progress: Progress | None) -> None:
    with renamed(entry) as temporary:
        with (temporary / "pixels.bin").open("wb") as file:
            index = _decode_each(files, frame, channels, lambda pixels: file.write(pixels.data), progress)
            file.flush()
            os.fsync(file.fileno())
        arrays = {name: getattr(index, name) for name in ("shapes", "rows", "contents", "digests")}
        with (temporary / "index.npz").open("wb") as file:
            np.savez(file, **arrays)
        about = {"place": files.place, "skipped": index.skipped, "animated": index.animated}
        (temporary / "about.json").write_text(json.dumps(about), encoding="ascii")


def _open(entry: Path, files: Encoded) -> Decoded | None:
    """Open what was decoded before, if it is there and whole."""
    try:
        about = json.loads((entry / "about.json").read_text(encoding="ascii"))
        with np.load(entry / "index.npz", allow_pickle=False) as arrays:
            index = _Index(**arrays, skipped=about["skipped"], animated=about["animated"])
        pixels = np.asarray(np.memmap(entry / "pixels.bin", np.uint8, mode="r"))
    except Exception:  # not there, or cut short in any way: it is written anew
        return None
    return index.opened(files, pixels) if len(pixels) == index.shapes.prod(1).sum() else None


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Wait until no other process is in here, and tell whether that is sure. A process that dies lets go."""
    with lock.open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            alone = True
        except (ImportError, OSError):
            alone = False  # a system or a disk without locks: two processes may do the same work, one result stays
        yield alone
