"""Several processes that train one model: who we are, what we share, what we agree on. The door to Accelerate."""

import atexit
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn

from unveil.core.errors import RunError, UnveilError


@dataclass(frozen=True)
class Processes:
    """The processes that train together (started by torchrun; usually just one), seen from one of them.

    Attributes:
        device: where this process computes.
        rank: which of them this is, counted from 0.
        world: how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: str | torch.device | None = None) -> "Processes":
        """Join the others that torchrun started, on the given device, or else on the best one there is."""
        wanted = None if device is None else torch.device(device)
        # Without cpu=True Accelerate takes each process of a group on CPUs for a group of its own.
        cpu = wanted.type == "cpu" if wanted is not None else not torch.accelerator.is_available()
        state = PartialState(cpu=cpu)
        if dist.is_initialized():
            _leave_at_exit()
        return cls(wanted or torch.device(state.device), state.process_index, state.num_processes)

    @property
    def main(self) -> bool:
        """Whether this process writes the files and speaks to the user."""
        return self.rank == 0

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes, in one exchange per type; all give the same shapes."""
        if self.world == 1:
            return
        alike = defaultdict(list)
        for tensor in tensors:
            alike[tensor.dtype].append(tensor)
        for group in alike.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in group])
            dist.all_reduce(flat)
            pieces = (flat / self.world).split([tensor.numel() for tensor in group])
            torch._foreach_copy_(group, [piece.view(x.shape) for piece, x in zip(pieces, group, strict=True)])

    @torch.no_grad()
    def share_(self, module: nn.Module) -> None:
        """Give the parameters and buffers of the first process to all."""
        if self.world > 1:
            for tensor in module.state_dict().values():
                plain = tensor.contiguous()
                dist.broadcast(plain, 0)
                tensor.copy_(plain)

    def share_numbers(self, numbers: Sequence[int]) -> list[int]:
        """Give the numbers of the first process to all; every process must give as many."""
        if self.world == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, device=self.device)
        dist.broadcast(tensor, 0)
        return tensor.tolist()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make what one process refuses in this block refused by all; in the block none may wait for another.

        Raises:
            RunError: another process refused, and says why.
        """
        if self.world == 1:
            yield
            return
        refusal: UnveilError | None = None
        try:
            yield
        except UnveilError as error:
            refusal = error
        refused = torch.tensor(int(refusal is not None), device=self.device)
        dist.all_reduce(refused, dist.ReduceOp.MAX)
        if refusal is not None:
            raise refusal
        if refused:
            raise RunError("Another of the processes that train together could not go on, and says why.")

    def gather(self, x: Tensor) -> Tensor:
        """Join the rows of all processes, in order of rank; each may have another number of them, or none."""
        if self.world == 1:
            return x
        counts = [torch.zeros((), dtype=torch.int64, device=self.device) for _ in range(self.world)]
        dist.all_gather(counts, torch.tensor(len(x), device=self.device))
        padded = x.new_zeros(int(max(counts)), *x.shape[1:], device=self.device)
        padded[: len(x)] = x
        pieces = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(pieces, padded)
        return torch.cat([piece[:count] for piece, count in zip(pieces, counts, strict=True)]).to(x.device)


@cache
def _leave_at_exit() -> None:
    """See to it that the threads that talk to the other processes end before this one does, or it may be aborted."""
    atexit.register(lambda: dist.destroy_process_group() if dist.is_initialized() else None)


class Vote:
    """Whether any process wants to stop, found out without waiting: the answer is about the step before.

    Every process must ask equally often.
    """

    def __init__(self, here: Processes) -> None:
        # On the CPU, because reading an answer on a GPU would wait for all that is queued there.
        self._group = dist.new_group(backend="gloo") if here.world > 1 else None
        self._pending: tuple[Tensor, dist.Work] | None = None

    def any(self, wish: bool) -> bool:
        """Cast a vote; with one process the answer is the wish itself."""
        if self._group is None:
            return wish
        answer = self._count()
        ballot = torch.tensor(int(wish))
        self._pending = ballot, dist.all_reduce(ballot, dist.ReduceOp.MAX, group=self._group, async_op=True)
        return answer

    def close(self) -> None:
        """Wait for the last vote."""
        self._count()

    def _count(self) -> bool:
        if self._pending is None:
            return False
        ballot, work = self._pending
        work.wait()
        return bool(ballot)
