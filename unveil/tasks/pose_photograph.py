"""A posed body as a camera sees it, with the points that somebody would mark in the picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Pose

SIZE = (600, 480)
"""Height and width of the picture."""
_LEAST = 64


@dataclass(frozen=True)
class Photograph:
    """A picture of a body, and what is true of it.

    Attributes:
        picture: (3, H, W) in [-1, 1].
        points: the pixels, to the right and down, of the thirteen points by which poses are estimated.
        focal: focal length of its camera, which is level, in pixels.
        pose: the pose that is seen.
    """

    picture: "Tensor" = field(repr=False)
    points: Mapping[str, tuple[float, float]] = field(repr=False)
    focal: float
    pose: "Pose" = field(repr=False)


def photograph(
    pose: "str | Path | Pose", *, frame: int = 0, turn: float = 0.0, size: tuple[int, int] = SIZE
) -> Photograph:
    """Draw a body, and tell where its points are in the picture.

    The picture can be marked and estimated from like a photo of a person; unlike there, the true pose is known.

    Args:
        pose: one pose, or a file of a pose or a motion.
        frame: which of a motion; negative ones are counted from its end.
        turn: degrees that the camera has gone round to the body's left, 0 being in front of it.
        size: height and width of the picture.

    Raises:
        ConfigError: a number cannot be, or the motion has no such frame.
        DataError: the file cannot be read.
    """
    for name, number in zip(("height", "width"), size, strict=True):
        check_whole(name, number, _LEAST)
    if not abs(turn) <= 360:
        raise ConfigError(f"turn is {turn}; it must be from -360 to 360 degrees.")

    from unveil.body import Body, draw, seen_at
    from unveil.body.estimation import USUAL, marker_places
    from unveil.tasks.pose_render import body_figure
    from unveil.tasks.pose_solve import read_pose

    body = Body.embedded()
    one = read_pose(pose, body, frame) if isinstance(pose, str | Path) else pose
    figure = body_figure(body, one)
    view: dict[str, Any] = {"height": size[0], "width": size[1], "turn": turn, "tilt": 0.0}
    pixels, focal = seen_at(marker_places(body, one, USUAL)[0], figure, **view)
    points = {name: (x, y) for name, (x, y) in zip(USUAL, pixels.tolist(), strict=True)}
    return Photograph(draw(figure, **view), points, focal, one)
