"""Named arrays out of .npz and .pkl files that strangers made, without running anything of them."""

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from unveil.core.errors import DataError

_LARGEST = 2 << 30


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
            for info in archive.infolist():
                if info.file_size > _LARGEST:
                    raise DataError(f"its member {info.filename} is larger than two gigabytes")
                member = archive.read(info)
                try:
                    array = np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)
                except ValueError:
                    array = _objects(member)
                fields[info.filename.removesuffix(".npy")] = array
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"it is a damaged archive ({error})") from None
    return fields


def _objects(member: bytes) -> Any:
    """An array of objects, through the restricted reader: what follows the header is a pickle."""
    file = io.BytesIO(member)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        read(file)
    except ValueError as error:
        raise DataError(f"it holds a damaged array ({error})") from None
    return _unpickled(file.read())


def _unpickled(data: bytes) -> Any:
    from unveil.body.restricted_pickle import read_arrays  # scipy takes a second to import

    return read_arrays(data)
