"""Image files with known pixels, a cache of the test's own, and the real data where there is any."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("UNVEIL_CACHE", str(folder))
    return folder


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """Write a picture of random pixels, RGB or grey, and give the pixels."""

    def write(path: Path, height: int = 8, width: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray:
        shape = (height, width, 3) if channels == 3 else (height, width)
        pixels = np.random.default_rng([seed, *path.name.encode()]).integers(0, 256, shape, np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return pixels

    return write


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Give the path of an item of the real data, or skip the test."""
    folder = Path(os.environ.get("UNVEIL_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))

    def find(item: str) -> Path:
        if not (folder / item).exists():
            pytest.skip(f"there is no {item} in the data folder {folder} (set UNVEIL_TEST_DATA)")
        return folder / item

    return find
