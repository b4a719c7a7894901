"""All that a pose editor knows and can do, without a page."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unveil.body.effector_lists import POSITION
from unveil.body.effectors import PoseSolver
from unveil.body.joints import JOINTS, MIRROR
from unveil.body.limits import mirror_pose
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError
from unveil.studio.actors import Actor, Scene, check_scale, free_place, standing
from unveil.studio.backdrop import Backdrop
from unveil.studio.desk import Desk, Job
from unveil.studio.floor import clearance
from unveil.studio.folder import Folder
from unveil.studio.grip import Grip, grip_at
from unveil.studio.keyframes import pose_between, with_keyframe, without_keyframe
from unveil.studio.people import People
from unveil.studio.solving import Solving

Place = Sequence[float]
FAR = 0.012  # metres that an effector is missed by from which on it was out of reach


class PoseEditorState:
    """A scene of bodies, what was done to it, and the folder it is saved in.

    Every change is whole, so that a page may call from many threads. Poses are found either at once, by `solve`, or in the
    background, through the `desk`.

    Args:
        body: whose skin and joints all bodies have.
        solver: finds poses for effectors.
        folder: where files are saved to and opened from.
    """

    def __init__(self, body: Body, solver: PoseSolver, folder: Folder) -> None:
        self.body, self.solver, self.folder = body, solver, folder
        self.solving = Solving(body, solver)
        self.selected: tuple[int, int] | None = (JOINTS.index("left_wrist"), POSITION)
        self.backdrop: Backdrop | None = None
        self.people: People | None = None
        self.short: tuple[tuple[int, int], float] | None = None
        self._next = 2
        self.desk = Desk(Scene((self.solving(standing(body, 1)),), 1))
        self.lock = self.desk.lock

    # -- the scene and its past ---------------------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """What there is now."""
        return self.desk.scene

    @property
    def actor(self) -> Actor:
        """The body that is edited."""
        return self.desk.actor

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return self.desk.steps

    def start_drag(self) -> None:
        """All changes from now until `end_drag` are one step of undo."""
        self.short = None
        self.desk.start_drag()

    def end_drag(self) -> None:
        """Nothing is dragged any more."""
        self.desk.end_drag()

    def undo(self) -> bool:
        """Go back one step, to the very same numbers; false if there is none."""
        with self.lock:
            return self.desk.undo() and self._reselect()

    def redo(self) -> bool:
        """Go forward again; false if nothing was undone."""
        with self.lock:
            return self.desk.redo() and self._reselect()

    def _reselect(self) -> bool:
        self.short = None
        if self.selected is not None and self.actor.grip(*self.selected) is None:
            self.selected = None
        return True

    # -- poses --------------------------------------------------------------------------------------------------------

    def solve(self, job: Job | None = None) -> None:
        """Find the pose of the chosen body now; or that of a job, which touches nothing until it is found."""
        job = self.desk.job() if job is None else job
        self.desk.found(job, self.solving(job.actor, job.steps, job.follow))

    def settle(self) -> None:
        """After a drag and its last pose: bring what was dragged back to where the body came, if it was out of reach.

        Otherwise it would go on pulling at all else; that is let go first. `short` tells by how much it was out of reach.
        """
        with self.lock:
            settling, self.desk.settling = self.desk.settling and not self.desk.dragging, False
            grip = None if self.selected is None else self.actor.grip(*self.selected)
            if not settling or grip is None or grip.kind != POSITION:
                return
            residual = self.actor.residual(grip.key)
            if residual is None or residual <= max(FAR, 2 * grip.tolerance):
                return
            self._snap(grip)
            job = self.desk.job()
        self.solve(job)
        with self.lock:
            if self.actor.grip(*grip.key) is job.actor.grip(*grip.key):
                self._snap(grip)
                self.short = (grip.key, residual)

    def _snap(self, grip: Grip) -> None:
        reached = grip.at(self.actor.joints(self.body)[0][grip.joint].tolist())
        keys = [each.key for each in self.actor.grips]
        left = tuple(0.0 if key == grip.key else value for key, value in zip(keys, self.actor.residuals, strict=False))
        self.desk.put(self.scene.with_actor(replace(self.actor.with_grip(reached), residuals=left)))

    # -- bodies -------------------------------------------------------------------------------------------------------

    def add_body(self, gender: str | None = None) -> Actor:
        """Another body beside the others; it is chosen."""
        with self.lock:
            new = standing(self.body, self._next, gender=gender, place=free_place(self.scene.actors))
            self.desk.rearrange(lambda scene: replace(scene.with_actor(new), chosen=new.number))
            self._next += 1
            self.selected = None
            return new

    def remove_body(self, number: int | None = None) -> None:
        """Take a body out of the scene, the chosen one unless told; the last one stays."""
        self.desk.rearrange(lambda scene: scene.without(scene.chosen if number is None else number))
        self._reselect()

    def undress(self) -> None:
        """Take the chosen body's character off; shape and pose stay."""
        self.desk.edit(lambda actor: replace(actor, costume=None))

    def choose(self, number: int) -> None:
        """Edit another body; this is no step of undo."""
        with self.lock:
            self.scene.find(number)
            self.desk.put(replace(self.scene, chosen=number))
            self._reselect()

    def replace_scene(self, scene: Scene) -> None:
        """Show another scene; one step of undo."""
        with self.lock:
            self.desk.forget_jobs()
            self.desk.rearrange(lambda _: scene)
            self._next = max(self._next, 1 + max(actor.number for actor in scene.actors))
            self._reselect()

    # -- effectors ----------------------------------------------------------------------------------------------------

    def add_grip(self, joint: int, kind: int = POSITION) -> Grip:
        """An effector that asks for what is so now; it is selected. One that is there already is kept."""
        with self.lock:
            old = self.actor.grip(joint, kind)
            if old is None:
                old = grip_at(kind, joint, *self.actor.joints(self.body))
                self.desk.edit(lambda actor: actor.with_grip(old))
            self.selected = old.key
            return old

    def remove_grip(self, joint: int, kind: int) -> None:
        """Let a joint go."""
        with self.lock:
            self._grip(joint, kind)
            self.desk.edit(lambda actor: actor.without_grip(joint, kind))
            self._reselect()

    def click(self, joint: int) -> None:
        """What a click on a joint does: hold it; if it is held, select it; if that is selected, let it go."""
        with self.lock:
            held = [grip for grip in self.actor.grips if grip.joint == joint]
            if not held:
                self.add_grip(joint)
            elif self.selected is None or self.selected[0] != joint:
                self.selected = held[0].key
            else:
                self.remove_grip(*self.selected)

    def move_grip(self, joint: int, kind: int, place: Place) -> None:
        """Put a position, or the target of a look-at, somewhere else."""
        with self.lock:
            grip = self._grip(joint, kind).at(place)
            if grip.on_floor:
                grip = self._floored(grip)
            self.desk.edit(lambda actor: actor.with_grip(grip))

    def turn_grip(self, joint: int, kind: int, rotation: Tensor) -> None:
        """Ask for another world rotation, (3, 3)."""
        with self.lock:
            grip = self._grip(joint, kind).turned(rotation)
            self.desk.edit(lambda actor: actor.with_grip(grip))

    def set_grip(self, joint: int, kind: int, /, label: str | None = None, **changes: Any) -> None:
        """Change the weight, the tolerance or on_floor of an effector."""
        with self.lock:
            unknown = set(changes) - {"weight", "tolerance", "on_floor"}
            if unknown:
                raise ConfigError(f"An effector has no {', '.join(sorted(unknown))} to set.")
            grip = replace(self._grip(joint, kind), **changes)
            if grip.on_floor and grip.kind != POSITION:
                raise ConfigError("Only a position can be kept on the floor.")
            if grip.on_floor:
                grip = self._floored(grip)
            self.desk.edit(lambda actor: actor.with_grip(grip), label)

    def _grip(self, joint: int, kind: int) -> Grip:
        grip = self.actor.grip(joint, kind)
        if grip is None:
            raise ConfigError(
                f"{JOINTS[joint] if 0 <= joint < len(JOINTS) else joint} has no such effector; add it first."
            )
        return grip

    def _floored(self, grip: Grip) -> Grip:
        x, _, z = grip.place
        return grip.at((x, clearance(self.body, self.actor)[grip.joint], z))

    def clear_grips(self) -> None:
        """Let all joints go; the pose stays."""
        with self.lock:
            self.desk.edit(lambda actor: replace(actor, grips=(), residuals=()))
            self.selected = None

    def mirror(self) -> None:
        """Turn the pose and what holds it left for right, seen from the front."""

        def mirrored(actor: Actor) -> Actor:
            x = float(actor.scale * actor.pose.pelvis[0, 0])
            other = actor.posed(mirror_pose(actor.pose.rotations)[0], actor.pose.pelvis[0])
            return replace(other, grips=tuple(grip.mirrored(x) for grip in actor.grips))

        with self.lock:
            self.desk.repose(mirrored)
            if self.selected is not None:
                self.selected = (MIRROR[self.selected[0]], self.selected[1])

    # -- shape --------------------------------------------------------------------------------------------------------

    def set_beta(self, number: int, value: float) -> None:
        """Change one number of the shape; those of one slider that follow each other are one step of undo."""

        def shaped(actor: Actor) -> Actor:
            betas = actor.betas.clone()
            betas[number] = value
            return actor.shaped(betas)

        self.desk.edit(shaped, f"beta {number} of {self.actor.number}")

    def set_betas(self, betas: Tensor) -> None:
        """Change the shape, (10,)."""
        self.desk.edit(lambda actor: actor.shaped(betas))

    def set_gender(self, gender: str) -> None:
        """Change the gender to one that the body has."""
        self.body.rest_joints(torch.zeros(10), gender)  # says so if there is none
        self.desk.edit(lambda actor: actor.shaped(gender=gender))

    def set_scale(self, scale: float) -> None:
        """Change the size; what holds the body stays where it is."""
        scale = check_scale(scale)
        self.desk.edit(lambda actor: replace(actor, scale=scale), f"scale of {self.actor.number}")

    # -- time ---------------------------------------------------------------------------------------------------------

    def show_frame(self, frame: int) -> None:
        """Take the pose of a frame of the body's motion; its effectors follow."""

        def shown(actor: Actor) -> Actor:
            if actor.motion is None:
                raise ConfigError("This body has no motion; open one first.")
            at = min(max(int(frame), 0), len(actor.motion) - 1)
            return replace(actor, frame=at).posed(actor.motion.pose[at], actor.motion.pelvis[at]).snapped(self.body)

        self.desk.repose(shown, f"frame of {self.actor.number}")

    def add_keyframe(self, seconds: float) -> None:
        """Keep the present pose for a time."""
        self.desk.edit(lambda actor: with_keyframe(actor, seconds))

    def remove_keyframe(self, seconds: float) -> None:
        """Forget the keyframe of a time."""
        self.desk.edit(lambda actor: without_keyframe(actor, seconds))

    def show_time(self, seconds: float) -> None:
        """Take the pose that the keyframes give for a time; the effectors follow."""

        def shown(actor: Actor) -> Actor:
            return actor.posed(*pose_between(actor.keyframes, seconds)).snapped(self.body)

        self.desk.repose(shown, f"time of {self.actor.number}")
