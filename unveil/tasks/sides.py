"""The size that a user asks a picture to have: two whole numbers, and no more pixels than a machine can hold."""

from collections.abc import Sequence

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole

MOST = 64_000_000
"""Pixels of a result, at most."""


def check_sides(size: Sequence[int] | None) -> None:
    """Refuse what is no height and width, or too many pixels; None is no wish.

    Raises:
        ConfigError: the message tells what to give.
    """
    if size is None:
        return
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ConfigError(f"The size is {size!r}; give a height and a width in pixels, such as (256, 640).")
    for name, side in zip(("The height", "The width"), size, strict=True):
        check_whole(name, side)
    check_pixels(*size)


def check_pixels(height: float, width: float) -> None:
    """Refuse a result of more pixels than `MOST`.

    Raises:
        ConfigError: it has more.
    """
    if height * width > MOST:
        raise ConfigError(
            f"A result of {width:.7g} x {height:.7g} (width x height) has more than {MOST:,} pixels; ask for a smaller one."
        )
