"""Undo and redo of things that never change."""

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """The states before and after the present one.

    States are kept as they are and given back as the very same objects, so that undoing restores every bit.

    Args:
        present: where it begins.
        longest: how many states before the present are kept; the oldest are forgotten first.
    """

    def __init__(self, present: State, longest: int = 100) -> None:
        self.present = present
        self.longest = longest
        self._past: list[State] = []
        self._future: list[State] = []
        self._label: str | None = None

    def record(self, before: State, label: str | None = None) -> None:
        """Remember what was before the present; steps of one label that follow each other are one.

        A slider that is dragged from one end to the other should be one step, not a hundred.
        """
        if label is None or label != self._label:
            self._past.append(before)
            del self._past[: -self.longest]
        self._future.clear()
        self._label = label

    def undo(self) -> bool:
        """Go back one step; false if there is none."""
        return self._go(self._past, self._future)

    def redo(self) -> bool:
        """Go forward again; false if nothing was undone."""
        return self._go(self._future, self._past)

    def _go(self, there: list[State], here: list[State]) -> bool:
        self._label = None
        if not there:
            return False
        here.append(self.present)
        self.present = there.pop()
        return True

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self._past), len(self._future)
