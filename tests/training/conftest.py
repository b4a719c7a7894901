"""A whole training of the tiny model, to be compared with."""

import pytest
from training.small_trainings import lines, train

from unveil.training.run_folder import RunFolder


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """What an uninterrupted training gives: the model and its log."""
    run = RunFolder.create(tmp_path_factory.mktemp("whole"), "recipe")
    return train(run), lines(run)
