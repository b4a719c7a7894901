"""What was marked of one person in a picture, and the poses that were found for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from unveil.body.estimation import Camera, Keypoints, PoseEstimate
from unveil.body.estimation.markers import MARKERS, USUAL
from unveil.core.errors import ConfigError

POINTS = USUAL
"""The points that are asked for, in the order in which they are."""

Pixel = tuple[float, float]
_FARTHEST = 1e6


@dataclass(frozen=True)
class Mark:
    """One point of a person in a picture.

    Args:
        name: which, of `MARKERS`.
        x: pixels to the right.
        y: pixels down.
        confidence: from 0 to 1.
    """

    name: str
    x: float
    y: float
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in MARKERS:
            raise ConfigError(f"There is no point '{self.name}'; the usual ones are {', '.join(POINTS)}.")
        if not (abs(self.x) < _FARTHEST and abs(self.y) < _FARTHEST and 0 <= self.confidence <= 1):
            raise ConfigError(f"The point {self.name} needs two finite numbers of pixels and a confidence from 0 to 1.")


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of one person in a picture. It never changes; a new one takes its place.

    Args:
        marks: the points, each once.
        picture: name of the picture.
        size: its height and width in pixels, if they are known.
        likely: the poses that were found for these points, the best first.
        which: the one that the body took.
        camera: of the picture, when a pose was found.
        eye: where that camera is, in the body's own metres; it looks along -Z.
    """

    marks: tuple[Mark, ...] = ()
    picture: str = ""
    size: tuple[int, int] | None = None
    likely: tuple[PoseEstimate, ...] = ()
    which: int = 0
    camera: Camera | None = None
    eye: tuple[float, float, float] | None = None

    def __bool__(self) -> bool:
        return bool(self.marks) or self.camera is not None

    def mark(self, name: str) -> Mark | None:
        """The point of a name, if it is marked."""
        return next((mark for mark in self.marks if mark.name == name), None)

    def marked(self, mark: Mark) -> "Labels":
        """With a point in the place of that of the same name, or added; poses of the old points are forgotten."""
        if self.mark(mark.name) is None:
            return replace(self, marks=(*self.marks, mark), likely=(), which=0)
        marks = tuple(mark if old.name == mark.name else old for old in self.marks)
        return replace(self, marks=marks, likely=(), which=0)

    def unmarked(self, name: str) -> "Labels":
        """Without a point."""
        return replace(self, marks=tuple(mark for mark in self.marks if mark.name != name), likely=(), which=0)

    def after(self, name: str) -> str:
        """The usual point to be marked next: the first after this one that is not marked yet, else this one again."""
        start = POINTS.index(name) + 1 if name in POINTS else 0
        return next((each for each in (*POINTS[start:], *POINTS[:start]) if self.mark(each) is None), name)

    def keypoints(self) -> Keypoints:
        """The points, to be fitted.

        Raises:
            ConfigError: there are too few.
        """
        return Keypoints(
            tuple(mark.name for mark in self.marks),
            torch.tensor([[mark.x, mark.y] for mark in self.marks]).reshape(-1, 2),
            torch.tensor([mark.confidence for mark in self.marks]),
        )

    @classmethod
    def of(cls, keypoints: Keypoints) -> "Labels":
        """The points of a file, in pixels."""
        rows = zip(keypoints.names, keypoints.points.tolist(), keypoints.confidence.tolist(), strict=True)
        return cls(tuple(Mark(name, x, y, min(sure, 1.0)) for name, (x, y), sure in rows))

    def plain(self, scale: float) -> dict[str, Any]:
        """The same as plain values, in the metres of a scene in which the body has a size; nothing if nothing is known."""
        found: dict[str, Any] = {}
        if self.marks:
            found["points"] = {mark.name: [mark.x, mark.y, mark.confidence] for mark in self.marks}
        if self.size is not None:
            found["picture"] = {"name": self.picture, "height": self.size[0], "width": self.size[1]}
        if self.camera is not None and self.eye is not None:
            place = [scale * x for x in self.eye]
            found["camera"] = {"focal": self.camera.focal, "centre": list(self.camera.centre), "position": place}
        return found

    @classmethod
    def read(cls, content: Mapping[str, Any], scale: float) -> "Labels":
        """What `plain` wrote; nothing where it is not there.

        Raises:
            ConfigError, KeyError, TypeError, ValueError: it is damaged.
        """
        marks = tuple(Mark(str(name), *map(float, row)) for name, row in content.get("points", {}).items())
        labels = cls(marks)
        if "picture" in content:
            picture = content["picture"]
            size = int(picture["height"]), int(picture["width"])
            if min(size) < 1:
                raise ConfigError(f"A picture of {size[1]} x {size[0]} pixels cannot be.")
            labels = replace(labels, picture=str(picture["name"])[:120], size=size)
        if "camera" in content:
            camera = content["camera"]
            x, y = map(float, camera["centre"])
            eye = tuple(float(number) / scale for number in camera["position"])
            if len(eye) != 3 or not all(abs(number) < _FARTHEST for number in (x, y, *eye)):
                raise ConfigError("A camera needs a centre of two finite numbers and a position of three.")
            labels = replace(labels, camera=Camera(float(camera["focal"]), (x, y)), eye=eye)
        return labels
