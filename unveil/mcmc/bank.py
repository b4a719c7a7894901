"""A bank of states that chains left: a fixed number of slots, each of which holds tensors that belong together."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams, rand
from unveil.core.shapes import expand_as

Deal = Callable[[int, Randomness], Mapping[str, Tensor]]
"""(n, generator) -> fresh content for n slots, by name: (n, ...) each."""


class Bank:
    """Slots that are drawn from without repetition and overwritten, such as pairs of a picture and its latent code.

    Under `Streams` sample i is given the same slot at any batch size.

    Args:
        slots: what the bank begins with, by name: (M, ...) each. Kept as they are, and changed in place from then on.
        fresh: makes content anew, for `reset`.
        reset: probability with which a drawn slot begins anew, in [0, 1].
    """

    def __init__(self, slots: Mapping[str, Tensor], *, fresh: Deal | None = None, reset: float = 0.0) -> None:
        if not slots or len({len(part) for part in slots.values()}) != 1:
            raise ShapeError(f"A bank holds tensors with as many slots each; it got {_shapes(slots) or 'none'}.")
        if not 0 <= reset <= 1:
            raise ConfigError(f"reset is a probability, in [0, 1]; it is {reset}.")
        if reset and fresh is None:
            raise ConfigError("A bank whose slots begin anew needs `fresh`, which makes their content.")
        self.slots, self.fresh, self.reset = {name: part.detach() for name, part in slots.items()}, fresh, reset
        check_whole("the number of slots", len(self))

    @classmethod
    def filled(
        cls,
        size: int,
        fresh: Deal,
        *,
        reset: float = 0.0,
        chunk: int = 256,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        generator: Randomness = None,
    ) -> "Bank":
        """Fill a bank with fresh content.

        Args:
            size: M, the number of slots.
            fresh: makes them.
            reset: probability with which a drawn slot begins anew.
            chunk: how many are made at a time; it does not change them.
            dtype: what fractions are kept in, such as torch.float16 to save memory; whole numbers stay as they are.
            device: where they are kept; that of the content when None.
            generator: slot i has its own stream of it.
        """
        check_whole("the number of slots", size)
        check_whole("chunk", chunk)
        streams, slots = Streams.of(generator, size), {}
        for start in range(0, size, chunk):
            rows = slice(start, min(start + chunk, size))
            for name, part in fresh(rows.stop - rows.start, streams[rows]).items():
                if name not in slots:
                    kind = dtype if dtype is not None and part.is_floating_point() else part.dtype
                    slots[name] = torch.empty(size, *part.shape[1:], dtype=kind, device=device or part.device)
                slots[name][rows] = part.detach().to(slots[name])
        return cls(slots, fresh=fresh, reset=reset)

    def __len__(self) -> int:
        return len(next(iter(self.slots.values())))

    def draw(
        self, n: int, generator: Randomness = None, *, device: torch.device | str | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Draw n slots, none twice; some of them begin anew where the bank has a `reset`.

        Args:
            n: how many, 1 to M.
            generator: of which slots, and what begins anew.
            device: where their content is wanted; where it is kept when None.

        Returns:
            The slots' numbers, (n,), for `overwrite`, and copies of their content by name. What is kept in half precision
            comes in float32.

        Raises:
            ConfigError: more than there are.
        """
        check_whole("n", n)
        if n > len(self):
            raise ConfigError(
                f"{n} slots were asked of a bank of {len(self)}; make the bank larger, or the batch smaller."
            )
        chosen = self._choose(n, generator)
        drawn = {name: part[chosen.to(part.device)].to(device) for name, part in self.slots.items()}
        drawn = {name: part.float() if part.dtype in _HALVES else part for name, part in drawn.items()}
        if self.reset and self.fresh is not None:
            own = generator.device if isinstance(generator, torch.Generator) else None
            anew = rand((n,), generator, device=own) < self.reset
            fresh = self.fresh(n, generator)
            drawn = {
                name: torch.where(expand_as(anew.to(part.device), part), fresh[name].to(part), part)
                for name, part in drawn.items()
            }
        return chosen, drawn

    def _choose(self, n: int, generator: Randomness) -> Tensor:
        if not isinstance(generator, Streams):
            device = generator.device if generator is not None else "cpu"
            return torch.randperm(len(self), generator=generator, device=device)[:n].cpu()
        # One order for all rows of the draw; each row takes the place of its own number in it.
        shared = torch.Generator().manual_seed(int(generator.shared() * 2**53))
        order = torch.randperm(len(self), generator=shared)
        places = [index % len(self) for index in generator.index]
        if len(places) != n or len(set(places)) != n:
            raise ConfigError(
                f"{n} slots of a bank of {len(self)} cannot be dealt to streams {generator.index}, one each; give {n} "
                "streams whose numbers follow each other."
            )
        return order[places]

    def overwrite(self, chosen: Tensor, content: Mapping[str, Tensor]) -> None:
        """Put new content into the slots of some numbers, (n,); the others stay as they are, to the bit.

        Only the names that are given change.

        Raises:
            ShapeError: content that does not fit the slots.
        """
        for name, part in content.items():
            if name not in self.slots or part.shape != (len(chosen), *self.slots[name].shape[1:]):
                raise ShapeError(
                    f"{len(chosen)} slots of a bank of {_shapes(self.slots)} cannot hold {name} {tuple(part.shape)}."
                )
        for name, part in content.items():
            kept = self.slots[name]
            kept[chosen.to(kept.device)] = part.detach().to(kept)

    def state_dict(self) -> dict[str, Tensor]:
        """All slots, by name: tensors alone, shared with the bank."""
        return dict(self.slots)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the slots of another bank of the same kind.

        Raises:
            ShapeError: other names or shapes.
        """
        if _shapes(state) != _shapes(self.slots):
            raise ShapeError(f"A bank of {_shapes(self.slots)} cannot take over {_shapes(state)}.")
        for name, part in state.items():
            self.slots[name].copy_(part)


_HALVES = (torch.float16, torch.bfloat16)


def _shapes(slots: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(part.shape)}" for name, part in sorted(slots.items()))
