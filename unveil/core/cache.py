"""Where everything is kept that can be made again. Imports no torch."""

import os
from pathlib import Path


def cache_root() -> Path:
    """`$UNVEIL_CACHE`, or `~/.cache/unveil`; it need not be there."""
    return Path(os.environ.get("UNVEIL_CACHE") or "~/.cache/unveil").expanduser()
