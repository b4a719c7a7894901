"""The ways to edit with a model of one picture. Imports no recipe, so that the command line can tell them at once."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A way to edit.

    Attributes:
        says: what it does, in a line.
        takes: the options it heeds, besides the seed.
        start: the scale that the chains start at, given the finest one.
        grows: by how many pixels of a picture of 250 its mask grows before it is softened; None where nothing is blended.
        own: whether it works on the run's own picture where none is given.
        gentle: whether what it is given is the run's own picture but for some places, so that short chains are enough.
        noise: what is added to its starts where nothing is said: in a flat colour no chain finds a beginning of texture, what
            was blurred stays so, and without it no picture moves.
    """

    says: str
    takes: frozenset[str]
    start: Callable[[int], int] = lambda finest: min(1, finest)
    grows: float | None = None
    own: bool = False
    gentle: bool = False
    noise: float = 0.0


_VARIED = {"scale", "noise", "n", "keep_size"}
TASKS = {
    "paint": Task("a drawing in flat colours becomes a picture", frozenset({*_VARIED, "colours"}), noise=0.03),
    "harmonize": Task(
        "a thing pasted into the picture takes on its look",
        frozenset({*_VARIED, "mask"}),
        lambda finest: max(1, round(0.6 * finest)),
        grows=7.0,
        noise=0.02,
    ),
    "edit": Task(
        "parts of the picture that were moved or copied lose their seams",
        frozenset({*_VARIED, "mask"}),
        lambda finest: max(1, (finest + 1) // 2),
        grows=20.0,
        gentle=True,
        noise=0.02,
    ),
    "style": Task(
        "another picture is drawn with the textures of this one",
        frozenset({*_VARIED, "keep_light", "colours"}),
        lambda finest: max(1, finest // 2),
        noise=0.02,
    ),
    "super-resolve": Task("the picture, larger", frozenset({"factor"}), own=True),
    "inpaint": Task("a hole is filled", frozenset({"mask", "n", "keep_size"}), own=True),
    "resize": Task(
        "the picture at another size or shape",
        frozenset({"size", "scale", "noise", "n"}),
        lambda finest: max(1, (finest + 1) // 2),
        own=True,
        gentle=True,
    ),
    "animate": Task(
        "the picture moves",
        frozenset({"frames", "scale", "noise"}),
        lambda finest: min(max(1, finest // 2), finest),
        own=True,
        noise=0.03,
    ),
}
