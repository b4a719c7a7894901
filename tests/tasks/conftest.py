"""A run that knows one picture, trained once for all tests of editing."""

import pytest
from edit_scenes import SMALL, scene

from unveil.data import save_images
from unveil.tasks.train import train


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """The folder of the picture and of the run."""
    folder = tmp_path_factory.mktemp("one picture")
    save_images(scene(), folder / "scene.png")
    return folder


@pytest.fixture(scope="session")
def run(place):
    return train("single-image", data=place / "scene.png", out=place / "run", steps=6, overrides=SMALL)


@pytest.fixture(scope="session")
def own(run):
    """The picture as the run knows it."""
    return run.model.pyramid[-1][0]
