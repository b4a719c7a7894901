"""Numbers that a user gave, looked at before they are used. Imports the standard library only."""

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

from unveil.core.errors import ConfigError

LAST_SEED = 2**63 - 1
_NO_SHAPE = 1000.0


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number, or too small a one.

    Raises:
        ConfigError: the number, called `name`, cannot be.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{name} is {value!r}; it must be a whole number, {least} or more.")
    if int(value) < least:
        raise ConfigError(f"{name} is {value}; it must be {least} or more.")


def check_amount(name: str, value: Any) -> None:
    """Refuse what is no finite number, or a negative one.

    Raises:
        ConfigError: the number, called `name`, cannot be.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or value < 0:
        raise ConfigError(f"{name} is {value!r}; it must be a finite number, 0 or more.")


def check_seed(seed: Any) -> None:
    """Refuse what names no random numbers.

    Raises:
        ConfigError: the seed is none.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) <= LAST_SEED:
        raise ConfigError(f"seed is {seed!r}; it must be a whole number from 0 to {LAST_SEED} (2^63 - 1).")


def shape_numbers(betas: Sequence[float] | None) -> tuple[float, ...]:
    """The ten numbers of a body's shape; those not given are 0.

    Raises:
        ConfigError: there are more than ten, or one is no human's by far.
    """
    given = tuple(betas or ())
    if len(given) > 10:
        raise ConfigError(f"A shape is ten numbers at most; {len(given)} were given.")
    if not all(abs(x) < _NO_SHAPE for x in given):
        raise ConfigError(
            f"A shape's numbers must be finite and less than {_NO_SHAPE:.0f}; those of people are from -5 to 5."
        )
    return tuple(float(x) for x in given) + (0.0,) * (10 - len(given))
