"""The people of a file, whatever is known of them."""

import os
from collections.abc import Sequence
from pathlib import Path

from unveil.body.estimation.estimate import PoseEstimate
from unveil.body.estimation.files import NoPosesError, read_estimates
from unveil.body.estimation.keypoints import Keypoints, read_keypoints
from unveil.body.parametric import Body
from unveil.core.errors import DataError


def read_people(path: str | os.PathLike[str], body: Body) -> Sequence[PoseEstimate | Keypoints]:
    """Read the poses that an estimator found, or from a .json else the points that were marked or detected.

    Args:
        path: the file, as `read_estimates` or `read_keypoints` take it.
        body: whose rest pose tells where estimated bodies are.

    Returns:
        One for each person, in the file's order; all of them poses, or all of them points.

    Raises:
        DataError: the file is neither, or damaged.
    """
    try:
        return read_estimates(path, body)
    except DataError as error:
        place = Path(path).expanduser()
        if place.suffix.lower() != ".json" or not place.is_file():
            raise
        reason = "" if isinstance(error, NoPosesError) else f" Nor does it hold estimates: {error}"
    try:
        return read_keypoints(path)
    except DataError as error:
        raise DataError(f"{error}{reason}") from None
