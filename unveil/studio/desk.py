"""A scene under edit: what is there, what was before, what is dragged, and which pose is to be found."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from unveil.studio.actors import Actor, Scene
from unveil.studio.history import History
from unveil.studio.solving import DRAGGING, KEEPING, Follow


@dataclass(frozen=True, eq=False)
class Job:
    """A pose to be found, for a body as it was when it was asked for.

    Attributes:
        epoch: of the desk; what was asked before an undo is no longer wanted.
        actor: the body and what holds it.
        steps: of refinement.
        follow: how the body follows.
    """

    epoch: int
    actor: Actor
    steps: int
    follow: Follow


class Desk:
    """Where a scene is changed, by many threads if need be, each change whole.

    Poses are found elsewhere: `next_job` says what to find, `found` brings it back, and is refused if the scene has gone back
    in time since.

    Args:
        scene: to begin with.
    """

    def __init__(self, scene: Scene) -> None:
        self.lock = threading.RLock()
        self.follow: Follow = "learned"
        self.settling = False
        self._epoch = 0
        self._wanted = False
        self._before_drag: Scene | None = None
        self._history = History(scene)

    @property
    def scene(self) -> Scene:
        """What there is now."""
        return self._history.present

    @property
    def actor(self) -> Actor:
        """The body that is edited."""
        return self.scene.actor

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return self._history.steps

    @property
    def dragging(self) -> bool:
        """Whether something is being dragged."""
        return self._before_drag is not None

    # -- changes ------------------------------------------------------------------------------------------------------

    def edit(self, change: Callable[[Actor], Actor], label: str | None = None) -> None:
        """Change the chosen body; one step of undo, or of one with the last if both have one label."""
        self.rearrange(lambda scene: scene.with_actor(change(scene.actor)), label)

    def rearrange(self, change: Callable[[Scene], Scene], label: str | None = None) -> None:
        """Change the scene; one step of undo."""
        with self.lock:
            before = self.scene
            self._history.present = change(before)
            if self._before_drag is None and self._history.present is not before:
                self._history.record(before, label)

    def repose(self, change: Callable[[Actor], Actor], label: str | None = None) -> None:
        """Change the chosen body, its pose included: what is being found for the old pose is no longer wanted."""
        with self.lock:
            self.edit(change, label)
            self.forget_jobs()

    def put(self, scene: Scene) -> None:
        """Show another scene without a step of undo."""
        with self.lock:
            self._history.present = scene

    def start_drag(self) -> None:
        """All changes from now until `end_drag` are one step of undo."""
        with self.lock:
            self.settling = False
            if self._before_drag is None:
                self._before_drag = self.scene

    def end_drag(self) -> None:
        """Nothing is dragged any more."""
        with self.lock:
            before, self._before_drag = self._before_drag, None
            if before is not None and before is not self.scene:
                self._history.record(before)
                self.settling = True

    def undo(self) -> bool:
        """Go back one step, to the very same numbers; false if there is none."""
        with self.lock:
            self.end_drag()
            self.forget_jobs()
            return self._history.undo()

    def redo(self) -> bool:
        """Go forward again; false if nothing was undone."""
        with self.lock:
            self.end_drag()
            self.forget_jobs()
            return self._history.redo()

    # -- poses to be found --------------------------------------------------------------------------------------------

    def want(self) -> None:
        """The pose of what is there now is to be found, by whoever calls `next_job`."""
        with self.lock:
            self._wanted = True

    def next_job(self) -> Job | None:
        """The pose that was wanted last and has not been asked for yet."""
        with self.lock:
            wanted, self._wanted = self._wanted, False
            return self.job() if wanted else None

    def job(self, steps: int | None = None) -> Job:
        """A pose to be found: with few steps while something is dragged."""
        with self.lock:
            steps = (DRAGGING if self.dragging else KEEPING) if steps is None else steps
            return Job(self._epoch, self.actor, steps, self.follow)

    def found(self, job: Job, result: Actor) -> bool:
        """Put a pose that was found in its place; false if it is no longer wanted."""
        with self.lock:
            if job.epoch != self._epoch or not self.scene.has(job.actor.number):
                return False
            now = self.scene.find(job.actor.number)
            same = tuple(grip.key for grip in now.grips) == tuple(grip.key for grip in job.actor.grips)
            moved = now.posed(result.pose.rotations[0], result.pose.pelvis[0])
            self.put(self.scene.with_actor(replace(moved, residuals=result.residuals if same else ())))
            return True

    def forget_jobs(self) -> None:
        """Nothing that was asked for is wanted any more."""
        self.settling = False
        self._epoch += 1
        self._wanted = False
