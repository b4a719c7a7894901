"""Named arrays out of .npz and .pkl files that strangers made, without running anything of them."""

import io
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from unveil.core.errors import DataError

_LARGEST = 2 << 30
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, EOFError, KeyError, IndexError, TypeError, ValueError),
    *(MemoryError, OverflowError, RuntimeError),
)
"""What reading the arrays of a damaged archive may end in."""


def check_unpacked(archive: zipfile.ZipFile) -> None:
    """Refuse an archive of more than memory is made for.

    Raises:
        DataError: it is.
    """
    size = 0
    for info in archive.infolist():
        size += info.file_size
        if size > _LARGEST:
            raise DataError(f"it is larger than two gigabytes with its member {info.filename}")


def read_fields(data: bytes) -> Any:
    """What an archive of arrays or a pickle holds; an object within is read by a reader that knows arrays only.

    Args:
        data: the file.

    Returns:
        A dict by name, if it is an archive; of a pickle whatever it holds, made of plain values and arrays.

    Raises:
        DataError: it is damaged, or asks for anything but arrays; nothing of it was run.
    """
    return _npz(data) if data[:2] == b"PK" else _unpickled(data)


def _npz(data: bytes) -> dict[str, Any]:
    fields = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_unpacked(archive)
            for info in archive.infolist():
                member = archive.read(info)
                try:
                    array = np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)
                except (ValueError, MemoryError, OverflowError, tokenize.TokenError):
                    array = _objects(member)
                fields[info.filename.removesuffix(".npy")] = array
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(f"it is a damaged archive ({error})") from None
    return fields


def _objects(member: bytes) -> Any:
    """An array of objects, through the restricted reader: what follows the header is a pickle."""
    file = io.BytesIO(member)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        read(file)
    except (ValueError, tokenize.TokenError) as error:
        raise DataError(f"it holds a damaged array ({error})") from None
    return _unpickled(file.read())


def _unpickled(data: bytes) -> Any:
    from unveil.body.restricted_pickle import read_arrays  # scipy takes a second to import

    return read_arrays(data)
