"""What the ways are called in which solvers of poses are measured. Nothing here imports torch."""

from typing import Literal, get_args

Protocol = Literal["thesis", "release", "protores", "six"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
