"""Names to choose from, and what to say of a wrong one. Imports the standard library only."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

Sampler = Literal[
    "ddim", "ancestral", "annealed-langevin", "consistent-annealed",
    "euler", "heun", "rk45", "reverse-sde", "predictor-corrector",
]  # fmt: skip
CODE_SAMPLERS: tuple[Sampler, ...] = ("ancestral", "ddim")
"""Samplers of codes: they look once at each time, so that the estimate before is that of the step before."""
Solver = Literal["half-quadratic", "douglas-rachford", "ddrm", "posterior", "denoise"]
CHAINS = frozenset({"ddim", "ancestral", "annealed-langevin", "consistent-annealed"})
"""Samplers that walk a schedule's own steps, where it has some."""


def near(word: str, known: Iterable[str], count: int = 3) -> str:
    """Write '; did you mean a or b?' where some known words look like this one, else a full stop."""
    close = get_close_matches(word.lower(), list(known), count, 0.55)
    return f"; did you mean {either(close)}?" if close else "."


def either(words: Sequence[str]) -> str:
    """Write 'a, b or c'."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
