"""Codecs as files: tensors and a few words, nothing that could run."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from unveil.codecs.codec import VERSION, Codec
from unveil.core.errors import DataError
from unveil.core.files import new_file

SUFFIX = ".safetensors"
_FORMAT = "unveil-codec"
BUNDLED = Path(__file__).with_name("photos-opq-32-8-8.safetensors")
"""The codec that comes with the library: OPQ-32-8-8, fitted to scikit-image's free photographs."""


def save_codec(codec: Codec, path: str | Path, *, force: bool = False) -> Path:
    """Save a codec as a .safetensors file, which is whole or not there.

    Raises:
        ExistsError: something is there, and `force` is false.
        UnveilError: it cannot be written.
    """
    path = Path(path).expanduser()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in codec.state_dict().items()}
    words = {
        "format": _FORMAT,
        "version": str(VERSION),
        "name": codec.layout.name,
        "sha256": codec.fingerprint,
    }
    with new_file(path, force) as file:
        file.write_bytes(save(tensors, metadata=words))
    return path


def load_codec(path: str | Path = BUNDLED) -> Codec:
    """Load a codec that was saved; that which comes with the library without a path.

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    path = Path(path).expanduser()
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting for ever
            raise DataError(f"The codec '{path}' cannot be read: it is a folder, or no regular file.")
        path.open("rb").close()  # the safetensors library calls missing whatever it may not open
        with safe_open(path, framework="pt") as file:
            words = file.metadata() or {}
            names = file.keys()
            state = {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise DataError(f"The codec '{path}' cannot be read: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise DataError(f"'{path}' is damaged or is no file of a codec ({error}).") from None
    if words.get("format") != _FORMAT:
        raise DataError(f"'{path}' is no file of a codec; give one that `unveil codec fit` made.")
    if words.get("version") != str(VERSION):
        raise DataError(f"'{path}' is a codec of version {words.get('version')}; this library reads version {VERSION}.")
    try:
        codec = Codec.from_state(state)
    except DataError as error:
        raise DataError(f"'{path}' cannot be read: {error}") from None
    if words.get("sha256") != codec.fingerprint:
        raise DataError(f"The codec '{path}' is damaged: its tensors are not those that were saved.")
    return codec
