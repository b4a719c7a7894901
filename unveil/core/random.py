"""Randomness that does not depend on the company a sample keeps.

`torch.randn(7, 3)` is not the beginning of `torch.randn(64, 3)`, so a picture drawn with an ordinary
generator changes with the batch it was drawn in. `Streams` gives every sample a stream of its own,
named by a seed and the sample's index, and so a sample is the same picture at any batch size, on any
number of processes, and after any interruption: the whole state is (seed, indices, draws so far).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MASK = (1 << 64) - 1


class Streams:
    """One stream of random numbers per sample of a batch.

    Row i of the k-th draw is a function of (seed, index[i], k) and of the row's shape alone. The numbers come from
    the counter-based generator Philox-4x64-10 with key (seed, index) and counter k 2^64, drawn on the CPU.

    Args:
        seed: any integer; seeds equal modulo 2^64 name the same streams.
        index: the samples' indices, all >= 0; an integer n means 0 .. n - 1.
        draws: how many draws were made before.

    Source: Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
    """

    def __init__(self, seed: int, index: int | Sequence[int], draws: int = 0) -> None:
        self.seed = int(seed) & _MASK
        self.index = list(range(index)) if isinstance(index, int) else [int(i) for i in index]
        self.draws = draws
        self._philox = np.random.Philox(key=0)
        self._numbers = np.random.Generator(self._philox)
        # Moving one bit generator to a new place costs a sixth of making a new one.
        self._state: Any = self._philox.state
        self._state["state"]["key"][0] = self.seed

    @classmethod
    def of(cls, generator: "Randomness", n: int) -> "Streams":
        """Give n streams: those given when they are n already, else streams seeded by one draw from `generator`.

        Without a generator the seed comes from torch's global one, so `torch.manual_seed` reaches here too.
        """
        if isinstance(generator, Streams):
            if len(generator) != n:
                raise ValueError(
                    f"{len(generator)} random streams were given for {n} samples; give one stream a sample."
                )
            return generator
        device = generator.device if generator is not None else "cpu"
        return cls(int(torch.randint(2**63 - 1, (), generator=generator, device=device)), n)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: slice) -> "Streams":
        """The streams of some rows, at the same place; drawing from them leaves these untouched."""
        return Streams(self.seed, self.index[rows], self.draws)

    def child(self, name: int) -> "Streams":
        """Fresh streams for a sub-task: independent of these and of every other child's, same indices."""
        mixed = np.random.SeedSequence((self.seed, name)).generate_state(1, np.uint64)[0]
        return Streams(int(mixed), self.index)

    def split(self, parts: int) -> "Streams":
        """Give each stream `parts` fresh ones, which follow one another; part j is the same however many there are."""
        seed = int(np.random.SeedSequence((self.seed, self.draws)).generate_state(1, np.uint64)[0])
        self.draws += 1
        named = ((i, part) for i in self.index for part in range(parts))
        return Streams(seed, [int(np.random.SeedSequence(pair).generate_state(1, np.uint64)[0]) for pair in named])

    def _rows(self) -> Any:
        """Place the bit generator at the start of this draw for one row after another."""
        state = self._state
        for row, index in enumerate(self.index):
            state["state"]["key"][1] = index
            state["state"]["counter"][:] = (0, self.draws, 0, 0)
            state["buffer_pos"], state["has_uint32"] = 4, 0
            self._philox.state = state
            yield row
        self.draws += 1

    def shared(self) -> float:
        """One number from [0, 1) that all the rows of this draw have in common."""
        mixed = np.random.SeedSequence((self.seed, self.draws)).generate_state(1, np.uint64)[0]
        self.draws += 1
        return float(mixed >> np.uint64(11)) * 2.0**-53

    def _check(self, shape: Sequence[int]) -> None:
        if not shape or shape[0] != len(self.index):
            raise ValueError(f"A draw of shape {tuple(shape)} does not fit {len(self.index)} random streams.")

    def randn(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw N(0, 1) of the given shape, whose first axis is the samples'."""
        self._check(shape)
        kind = np.float64 if dtype == torch.float64 else np.float32
        out = np.empty((shape[0], int(np.prod(shape[1:]))), kind)
        for row in self._rows():
            self._numbers.standard_normal(out=out[row], dtype=kind)
        return torch.from_numpy(out).reshape(tuple(shape)).to(dtype)

    def rand(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw from the uniform distribution on [0, 1)."""
        self._check(shape)
        kind = np.float64 if dtype == torch.float64 else np.float32
        out = np.empty((shape[0], int(np.prod(shape[1:]))), kind)
        for row in self._rows():
            self._numbers.random(out=out[row], dtype=kind)
        return torch.from_numpy(out).reshape(tuple(shape)).to(dtype)

    def randint(self, low: int, high: int, shape: Sequence[int]) -> Tensor:
        """Draw int64 numbers from low .. high - 1."""
        self._check(shape)
        out = np.empty((shape[0], int(np.prod(shape[1:]))), np.int64)
        for row in self._rows():
            out[row] = self._numbers.integers(low, high, out.shape[1])
        return torch.from_numpy(out).reshape(tuple(shape))


Randomness = torch.Generator | Streams | None
"""What every random function takes: a torch generator, one stream per sample, or None for torch's global generator."""


def _send(x: Tensor, device: torch.device | str | None) -> Tensor:
    if device is None or torch.device(device).type == "cpu":
        return x
    return x.pin_memory().to(device, non_blocking=True)  # no wait for the device


def _drawn(
    draw: Callable[..., Tensor],
    shape: Sequence[int],
    generator: torch.Generator | None,
    dtype: torch.dtype,
    device: torch.device | str | None,
) -> Tensor:
    """What torch draws, where its generator is, and then brought to the device."""
    if generator is not None and device is not None and generator.device != torch.device(device):
        return draw(*shape, generator=generator, dtype=dtype, device=generator.device).to(device)
    return draw(*shape, generator=generator, dtype=dtype, device=device)


def randn(
    shape: Sequence[int],
    generator: Randomness = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Draw N(0, 1) noise of the given shape from any kind of randomness."""
    if isinstance(generator, Streams):
        return _send(generator.randn(shape, dtype), device)
    return _drawn(torch.randn, shape, generator, dtype, device)


def randn_like(x: Tensor, generator: Randomness = None) -> Tensor:
    """Draw N(0, 1) noise with the shape, type and device of x."""
    return randn(x.shape, generator, dtype=x.dtype, device=x.device)


def rand(
    shape: Sequence[int],
    generator: Randomness = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Draw uniform noise on [0, 1) of the given shape from any kind of randomness."""
    if isinstance(generator, Streams):
        return _send(generator.rand(shape, dtype), device)
    return _drawn(torch.rand, shape, generator, dtype, device)


def rademacher_like(x: Tensor, generator: Randomness = None) -> Tensor:
    """Draw independent signs, -1 or +1, with the shape, type and device of x."""
    return (rand(x.shape, generator, device=x.device) < 0.5).to(x.dtype) * 2 - 1
