"""The people of a file of marked points or of poses that an estimator found."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unveil.body.estimation import Keypoints, PoseEstimate
from unveil.body.estimation import read_people as read_people_of
from unveil.body.parametric import Body
from unveil.core.errors import DataError
from unveil.studio.opening import from_bytes

MOST = 2000
"""People of a file that can be chosen from."""


@dataclass(frozen=True, eq=False)
class People:
    """Who is in a file.

    Args:
        name: of the file.
        found: poses, or points, of each.
    """

    name: str
    found: tuple[PoseEstimate | Keypoints, ...]

    def __len__(self) -> int:
        return len(self.found)


def is_motion(data: bytes) -> bool:
    """Whether the bytes of an .npz are of a motion in time, and not of the people of a picture."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.startswith("mocap_frame") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def read_people(name: str, data: bytes, suffix: str, body: Body) -> People:
    """The people of a file.

    Args:
        name: of the file.
        data: its bytes.
        suffix: .npz, .pkl or .json.
        body: whose rest pose tells where they are.

    Raises:
        DataError: there are none, too many, or it is damaged.
    """
    found = from_bytes(name, data, suffix, lambda path: read_people_of(path, body))
    if len(found) > MOST:
        raise DataError(f"{name} holds {len(found)} people; up to {MOST} can be chosen from here.")
    return People(name, tuple(found))


def is_own(content: Any) -> bool:
    """Whether the content of a JSON file is a list of effectors, or a body as the editor writes one."""
    if isinstance(content, list):
        return all(isinstance(item, Mapping) and "joint" in item for item in content)
    if not isinstance(content, Mapping):
        return False
    return "effectors" in content or (isinstance(content.get("pose"), Mapping) and "rotations" in content["pose"])
