"""Which part of a source is meant. Imports the standard library only."""

from typing import Literal, get_args

from unveil.core.errors import ConfigError

Split = Literal["train", "test", "all"]


def check_split(split: str) -> None:
    """Refuse the name of a part that there is not.

    Raises:
        ConfigError: it is another one.
    """
    if split not in get_args(Split):
        raise ConfigError(f"split {split!r} is not known; take train, test or all.")
