"""Hooks: what else happens as training goes, such as pictures of samples. Nothing about training depends on them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from unveil.training.ema import Ema


@dataclass(frozen=True)
class Moment:
    """A moment in training, between two steps.

    Attributes:
        stage: the name of the stage.
        step: steps taken in it.
        steps: steps it has in all.
        model: the model, with the weights as they are; see `averaged`.
        logs: the newest log line's values, which may be some steps old.
        main: whether this process writes the files; hooks run in every process.
    """

    stage: str
    step: int
    steps: int
    model: nn.Module
    logs: Mapping[str, float]
    main: bool
    ema: Ema

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model, in evaluation mode, while the block lasts."""
        with self.ema.applied(self.model):
            yield

    def is_due(self, every: int) -> bool:
        """Whether something done every so many steps, and at the end of a stage, is due; with 0 it never is."""
        return every > 0 and (self.step % every == 0 or self.step == self.steps)


Hook = Callable[[Moment], None]
"""Called after every step, in every process. Torch's global generator is free to use."""


def every(steps: int, hook: Hook) -> Hook:
    """Give a hook that is called every so many steps and at the end of each stage; with 0 steps never."""

    def sometimes(moment: Moment) -> None:
        if moment.is_due(steps):
            hook(moment)

    return sometimes
