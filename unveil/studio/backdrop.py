"""A picture behind the bodies, and how it lies in the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan

import numpy as np
from PIL import Image, ImageDraw

from unveil.core.errors import ConfigError
from unveil.studio.labels import Mark
from unveil.studio.looks import HELD, PAPER, SELECTED, Colour

_FINE = 4  # times finer that dots are drawn than the picture is


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A picture that a page shows whole, in its middle, as large as it can.

    Args:
        pixels: as it is shown, (h, w, 3) uint8.
        name: of the file.
        size: height and width of the file's own pixels, in which points are marked.
    """

    pixels: np.ndarray
    name: str
    size: tuple[int, int]

    def page(self, aspect: float) -> tuple[float, float]:
        """Height and width of a page, width / height, in the picture's own pixels."""
        height, width = self.size
        return max(height, width / aspect), max(width, height * aspect)

    def pixel(self, place: Sequence[float], aspect: float) -> tuple[float, float]:
        """The pixel below a place on the page, both from the upper left to the lower right, the page's from 0 to 1.

        Raises:
            ConfigError: it is beside the picture.
        """
        (height, width), page = self.size, self.page(aspect)
        x, y = place[0] * page[1] - (page[1] - width) / 2, place[1] * page[0] - (page[0] - height) / 2
        if not (0 <= x <= width and 0 <= y <= height):
            raise ConfigError("That is beside the picture; click the point in it.")
        return x, y

    def field_of_view(self, focal: float, aspect: float) -> float:
        """The angle from the page's upper to its lower edge, radians, for a camera of so many pixels' focal length."""
        return 2 * atan(self.page(aspect)[0] / (2 * focal))

    def framed(self, aspect: float, marks: Sequence[Mark] = (), chosen: str = "") -> np.ndarray:
        """The picture on a page, (h, w, 3) uint8, with a dot at each marked point."""
        height, width = self.pixels.shape[:2]
        share = width / self.size[1]
        page = [max(1, round(side * share)) for side in self.page(aspect)]
        left, top = (page[1] - width) // 2, (page[0] - height) // 2
        image = Image.new("RGB", (page[1], page[0]), PAPER)
        image.paste(Image.fromarray(self.pixels), (left, top))
        radius = max(page) / 160
        for mark in marks:
            place = left + share * mark.x, top + share * mark.y
            _dot(image, place, radius, SELECTED if mark.name == chosen else HELD)
        return np.asarray(image)


def _dot(image: Image.Image, place: tuple[float, float], radius: float, colour: Colour) -> None:
    """A round dot with a white rim and smooth edges."""
    half = round(1.4 * radius) + 1
    corner = round(place[0]) - half, round(place[1]) - half
    x, y = (_FINE * (at - start + 0.5) for at, start in zip(place, corner, strict=True))
    for size, fill in ((1.4 * radius, (255, 255, 255)), (radius, colour)):
        stamp = Image.new("L", (_FINE * (2 * half + 1),) * 2)
        ImageDraw.Draw(stamp).ellipse((x - _FINE * size, y - _FINE * size, x + _FINE * size, y + _FINE * size), 255)
        image.paste(fill, corner, stamp.resize((2 * half + 1,) * 2, Image.Resampling.BOX))
