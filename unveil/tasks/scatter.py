"""Points of the plane as a picture."""

from typing import TYPE_CHECKING

from unveil.core.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 400
"""Pixels of the picture's sides."""
DOT = 1.5
"""Radius of a point in pixels."""
INK = (31, 119, 180)
PAPER = (150, 150, 150)
_FINE = 4  # drawn so many times as large and made smaller, so that dots are round


def scatter(x: "Tensor", beside: "Tensor | None" = None, *, limit: float | None = None) -> "Tensor":
    """Draw points on white, the origin in the middle, the second number upwards.

    Args:
        x: (n, d) with d >= 2, of which the first two numbers are drawn.
        beside: others, drawn grey below these.
        limit: the largest number on the picture; without it all points are on it but the farthest 1%.

    Returns:
        A picture, (3, 400, 400) in [-1, 1].

    Raises:
        ShapeError: x is not a list of points of two numbers or more.
    """
    import numpy as np
    import torch
    from PIL import Image, ImageDraw

    sets = [(points, ink) for points, ink in ((beside, PAPER), (x, INK)) if points is not None]
    for points, _ in sets:
        if points.ndim != 2 or points.shape[1] < 2:
            raise ShapeError(f"Points are (n, d) with d of 2 or more; these are {tuple(points.shape)}.")
    if limit is None:
        far = torch.cat([points[:, :2].detach().cpu().abs().amax(1) for points, _ in sets])
        limit = 1.15 * float(far.quantile(0.99)) if len(far) else 1.0
    sheet = Image.new("RGB", (SIDE * _FINE, SIDE * _FINE), "white")
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, SIDE * _FINE - 1, SIDE * _FINE - 1), outline=PAPER, width=_FINE)
    radius = DOT * _FINE
    for points, ink in sets:
        places = (points[:, :2].detach().cpu().double() / max(limit, 1e-9) * torch.tensor([1.0, -1.0]) + 1) / 2
        for across, down in (places * SIDE * _FINE).tolist():
            draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=ink)
    pixels = np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1
