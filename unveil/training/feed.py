"""The batches of a stage, as one process sees them: fetched ahead, each a plain function of seed, stage and step."""

from collections.abc import Generator

import torch

from unveil.core.errors import ConfigError, DataError
from unveil.core.protocols import Batch, Dataset
from unveil.core.random import Streams
from unveil.training.options import Options
from unveil.training.order import Order, Purpose, seed_for
from unveil.training.prefetch import ahead
from unveil.training.processes import Processes


class Feed:
    """What one process is fed in a stage.

    Row j of the batch of a step, counted over all processes, draws from stream j of that step wherever it is computed,
    so that losses do not depend on how many processes share the work.

    Args:
        data: where the samples come from.
        options: `batch_size`, `accumulate`, `seed` and `channels_last`.
        stage: which stage, counted from 0.
        here: this process takes an equal share of the rows, in order of rank.

    Raises:
        DataError: there is no data.
        ConfigError: the batch cannot be shared equally.
    """

    def __init__(self, data: Dataset, options: Options, stage: int, here: Processes) -> None:
        if len(data) == 0:
            raise DataError("There are no samples to train on; check the path, the split and the limit of the data.")
        shares = here.world * options.accumulate
        if options.batch_size % shares:
            raise ConfigError(
                f"batch_size={options.batch_size} cannot be shared equally by {here.world} processes with "
                f"accumulate={options.accumulate}; it must be a multiple of {shares}."
            )
        self._data, self._seed, self._stage, self._device = data, options.seed, stage, here.device
        self._order = Order(len(data), options.batch_size, options.seed, stage)
        rows = options.batch_size // here.world
        self._rows = slice(here.rank * rows, (here.rank + 1) * rows)
        self._part = rows // options.accumulate
        self._channels_last = options.channels_last

    def steps(self, start: int, stop: int) -> Generator[tuple[int, list[Batch]]]:
        """Yield (step, the parts of its batch) for the steps from `start` until before `stop`, on this device."""
        for step, parts in ahead(self.parts, range(start, stop)):
            yield step, [part.to(self._device) for part in parts]

    def parts(self, step: int) -> list[Batch]:
        """Fetch this process's share of a step, in as many parts as it is accumulated in."""
        chosen = range(self._order.batch_size)[self._rows]
        index = self._order.batch(step)[self._rows].tolist()
        x, cond = self._data.batch(index, Streams(self._seed_for(step, Purpose.DATA), chosen))
        if x.ndim == 4 and self._channels_last:
            x = x.to(memory_format=torch.channels_last)
        if self._device.type == "cuda":
            x, cond = x.pin_memory(), {name: value.pin_memory() for name, value in cond.items()}
        seed = self._seed_for(step, Purpose.MOVES)
        cuts = [slice(start, start + self._part) for start in range(0, len(chosen), self._part)]
        return [
            Batch(x[cut], {name: value[cut] for name, value in cond.items()}, Streams(seed, chosen[cut]), step)
            for cut in cuts
        ]

    def _seed_for(self, step: int, purpose: Purpose) -> int:
        return seed_for(self._seed, self._stage, step, purpose)
