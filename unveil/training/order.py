"""The order of the data and the names of all random numbers, as plain functions of seed, stage and step."""

from enum import IntEnum

import numpy as np

_MASK = (1 << 64) - 1


class Purpose(IntEnum):
    """What a seed is for; seeds for different purposes have nothing to do with each other."""

    MOVES = 0
    DATA = 1
    ORDER = 2
    TORCH = 3
    STAGE = 4


def seed_for(seed: int, stage: int, step: int, purpose: Purpose = Purpose.MOVES, process: int = 0) -> int:
    """Mix the place in a training run into a seed of 64 bits.

    Args:
        seed: the seed of the run.
        stage: which stage, counted from 0.
        step: steps taken in this stage before this one, or which epoch for `Purpose.ORDER`.
        purpose: what is drawn from it.
        process: which process, where each must draw something else.
    """
    mixed = np.random.SeedSequence(seed & _MASK, spawn_key=(int(purpose), stage, step, process))
    return int(mixed.generate_state(1, np.uint64)[0])


class Order:
    """Which samples make the batch of a step: shuffled epochs, laid end to end and cut into batches.

    Every epoch visits each sample once. No sample is dropped: a batch may hold the end of one epoch and the beginning
    of the next, and one that is larger than the data set holds several epochs.

    Args:
        size: samples in the data set.
        batch_size: samples in a step's batch, over all processes.
        seed: the seed of the run.
        stage: which stage, counted from 0; each is shuffled anew.
    """

    def __init__(self, size: int, batch_size: int, seed: int, stage: int = 0) -> None:
        self.size, self.batch_size, self.seed, self.stage = size, batch_size, seed, stage
        self._shuffled: dict[int, np.ndarray] = {}

    def epoch(self, number: int) -> np.ndarray:
        """Give one epoch: a permutation of 0 .. size - 1."""
        if number not in self._shuffled:
            self._shuffled = {kept: order for kept, order in self._shuffled.items() if kept == number - 1}
            key = seed_for(self.seed, self.stage, number, Purpose.ORDER)
            self._shuffled[number] = np.random.Generator(np.random.Philox(key=key)).permutation(self.size)
        return self._shuffled[number]

    def batch(self, step: int) -> np.ndarray:
        """Give the indices of the samples of a step, (batch_size,)."""
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        pieces = []
        for number in range(first // self.size, (last - 1) // self.size + 1):
            start = number * self.size
            pieces.append(self.epoch(number)[max(first - start, 0) : last - start])
        return np.concatenate(pieces)
