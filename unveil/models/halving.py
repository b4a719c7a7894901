"""How often steps are halved, and where on a schedule. Nothing here imports torch."""

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole

_SPARE = 4
"""The first teacher takes a quarter as many steps as its chain has, or fewer."""


def rounds(first: int, last: int) -> list[int]:
    """The steps of the students, one after another: half of `first`, half of that, down to `last`.

    Raises:
        ConfigError: halving does not lead from one to the other.
    """
    check_rounds(first, last)
    steps = [first]
    while steps[-1] > last:
        steps.append(steps[-1] // 2)
    return steps[1:]


def check_rounds(first: int, last: int) -> None:
    """Refuse numbers of steps of which the second does not come of the first by halving."""
    check_whole("steps", last)
    check_whole("first_steps", first)
    share, rest = divmod(first, last)
    if rest or share < 2 or share & (share - 1):
        raise ConfigError(
            f"{first} steps cannot be halved again and again to {last}: the first must be the last times 2, 4, 8 and so on."
        )


def first_steps(last: int, chain: int) -> int:
    """How many steps the first teacher takes when nobody says: `last` doubled while a chain of that length allows it."""
    first = 2 * last
    while 2 * first * _SPARE <= chain:
        first *= 2
    return first


def last_time(until: float | None, chain: int | None) -> float:
    """The time that `until` stands for: a step of a chain of that length, or a time up to 1; all of it when None.

    Raises:
        ConfigError: it is neither.
    """
    if until is None:
        return 1.0
    if 0 < until <= 1 and (chain is None or until != 1):
        return float(until)
    if chain is None:
        raise ConfigError(f"until is {until}, and this schedule has no steps to count; give a time in (0, 1].")
    if not 1 <= until <= chain or until != int(until):
        raise ConfigError(f"until is {until}; give a step of the chain, 1 to {chain}, or a time below 1.")
    return float(until) / chain
