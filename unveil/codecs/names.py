"""Codecs by name: `OPQ-32-8-8` is a kind of quantizer and the bits that each channel of a patch may take. Imports no torch."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole

Kind = Literal["VQ", "PQ", "OPQ", "RQ"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_BITS = 8
"""Of one code: it is kept in a byte."""
MOST_PATCH = 64
MOST_BUDGET = 512
_NAME = re.compile(r"([A-Za-z]+)((?:-\d+)+)")
_EXAMPLES = "a name is like OPQ-32-8-8 (bits of Y, Cb and Cr of a patch) or OPQ-32 (grey)"


@dataclass(frozen=True)
class Layout:
    """What a codec looks like: how pictures are cut, and what is written of each patch.

    Attributes:
        kind: "VQ" (one codebook), "PQ" (a codebook for each part of a patch), "OPQ" (the same after a rotation) or "RQ"
            (a codebook for what the codebooks before left over).
        budget: bits of a patch in each channel: three numbers for Y, Cb and Cr, one for grey.
        patch: side of the patches in pixels.
        bits: of one code; each codebook has 2^bits entries.

    Raises:
        ConfigError: a budget that cannot be met.
    """

    kind: Kind
    budget: tuple[int, ...]
    patch: int = 8
    bits: int = 8

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"There is no quantizer {self.kind!r}; known are {', '.join(KINDS)}.")
        check_whole("patch", self.patch, 2)
        check_whole("bits", self.bits, 1)
        if self.patch > MOST_PATCH:
            raise ConfigError(f"patch is {self.patch} pixels; the most are {MOST_PATCH}, and 8 is usual.")
        if self.bits > MOST_BITS:
            raise ConfigError(
                f"bits is {self.bits}; a code has 1 to {MOST_BITS}. For more bits a patch take more codes: PQ, OPQ or RQ."
            )
        if len(self.budget) not in (1, 3):
            raise ConfigError(f"{self.name} has {len(self.budget)} budgets; {_EXAMPLES}.")
        area = self.patch**2
        for bits in self.budget:
            if bits < 1 or bits % self.bits:
                raise ConfigError(
                    f"{self.name}: {bits} bits do not divide into codes of {self.bits}; take a multiple of {self.bits}, or "
                    "another number of bits a code."
                )
            if bits > MOST_BUDGET:
                raise ConfigError(f"{self.name}: {bits} bits are more than the {MOST_BUDGET} that a channel may take.")
            count = bits // self.bits
            if self.kind == "VQ" and count != 1:
                raise ConfigError(
                    f"{self.name}: VQ writes one code of {self.bits} bits for each channel; take VQ-"
                    f"{'-'.join([str(self.bits)] * len(self.budget))}, or PQ, OPQ or RQ for more."
                )
            if self.kind in ("PQ", "OPQ") and area % count:
                raise ConfigError(
                    f"{self.name}: the {area} pixels of a patch of {self.patch} x {self.patch} do not divide into {count} "
                    "equal parts, one for each code; take a budget or a patch for which they do."
                )

    @property
    def name(self) -> str:
        """The text that `parse_name` reads."""
        return "-".join([self.kind, *map(str, self.budget)])

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return len(self.budget)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many codes are written of a patch, in each channel."""
        return tuple(bits // self.bits for bits in self.budget)

    @property
    def planes(self) -> int:
        """How many codes are written of a patch in all."""
        return sum(self.counts)

    @property
    def size(self) -> int:
        """Entries of a codebook."""
        return 2**self.bits

    @property
    def ratio(self) -> float:
        """Bits of a patch of 8-bit pixels over the bits that are written of it."""
        return self.channels * 8 * self.patch**2 / sum(self.budget)


def parse_name(name: str, *, patch: int = 8, bits: int = 8) -> Layout:
    """Read the name of a codec, such as OPQ-32-8-8.

    Args:
        name: kind and budgets, see `Layout`.
        patch: side of the patches in pixels.
        bits: of one code.

    Raises:
        ConfigError: it cannot be read, or the budget cannot be met.
    """
    found = _NAME.fullmatch(name.strip())
    if found is None:
        raise ConfigError(f"'{name}' names no codec; {_EXAMPLES}.")
    kind = next((known for known in KINDS if known == found[1].upper()), None)
    if kind is None:
        raise ConfigError(f"'{name}': there is no quantizer {found[1]}; known are {', '.join(KINDS)}.")
    return Layout(kind, tuple(int(bits) for bits in found[2][1:].split("-")), patch, bits)
