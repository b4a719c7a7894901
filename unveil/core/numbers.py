"""Numbers that a user gave, looked at before they are used. Imports the standard library only."""

from math import isfinite
from numbers import Integral, Real
from typing import Any

from unveil.core.errors import ConfigError

LAST_SEED = 2**63 - 1


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
