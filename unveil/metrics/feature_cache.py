"""Features on disk, each file named by a hash of everything that decides its content."""

import warnings
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unveil.core.cache import cache_root
from unveil.core.errors import UnveilError
from unveil.core.files import new_file


def cache_folder() -> Path:
    """Tell where features are kept: $UNVEIL_CACHE/features, or ~/.cache/unveil/features."""
    return cache_root() / "features"


def read_features(path: Path) -> Tensor | None:
    """Fetch features (n, F); None where there are none, or where the file is damaged."""
    if not path.exists():
        return None
    try:
        return load_file(path)["features"]
    except (SafetensorError, KeyError, OSError) as error:
        warnings.warn(f"The cached features {path} are damaged ({error}); they are computed again.", stacklevel=3)
        return None


def write_features(path: Path, values: Tensor) -> None:
    """Keep features (n, F). The file appears whole or not at all, and a disk that refuses is only warned of."""
    try:
        with new_file(path, force=True) as file:
            save_file({"features": values.contiguous()}, file)
    except (SafetensorError, OSError, UnveilError) as error:
        warnings.warn(f"The features could not be kept as {path} ({error}); they were only computed.", stacklevel=3)
