"""What the commands on video offer. Imports no recipe, so that the command line can tell it at once."""

from typing import Literal

Task = Literal["predict", "past", "interpolate", "generate"]
BATCH = 8
"""Trajectories that are drawn at a time."""
