"""Who is in the scene: bodies, what holds them, how they move, and whom they drive."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from unveil.body.body_motion import BodyMotion
from unveil.body.effectors import Pose
from unveil.body.joints import GENDERS, JOINTS, find_gender
from unveil.body.key_poses import key_poses
from unveil.body.limits import angles_to_pose
from unveil.body.parametric import Body
from unveil.body.random_motions import plant_feet
from unveil.core.errors import ConfigError
from unveil.studio.costume import Costume, Worn
from unveil.studio.grip import Grip, grip_at
from unveil.studio.labels import Labels

USUAL = ("pelvis", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
"""The joints that hold a new body."""

WIDEST = 5.0
"""Numbers of a shape go this far either way."""

SMALLEST, LARGEST = 0.2, 2.0
MOST = 8
"""Bodies in a scene."""
_APART = 1.0


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A pose at a time.

    Args:
        seconds: since the beginning.
        rotations: local, (24, 3, 3).
        pelvis: (3,), metres, in the body's own size.
    """

    seconds: float
    rotations: Tensor
    pelvis: Tensor


@dataclass(frozen=True, eq=False)
class Actor:
    """One body of the scene. It never changes; a new one takes its place, so that the old one can be had back.

    Args:
        number: tells it from the others for as long as it lives.
        name: for people.
        pose: one pose, of the body in its own size.
        scale: how many times its own size it is drawn, and stands in the scene.
        grips: what holds it, each joint and kind once.
        residuals: how far each grip is from being satisfied, metres or radians; empty if that is not known.
        motion: a motion whose frames can be gone through.
        frame: which one is shown.
        keyframes: by their time.
        costume: a character of a file that the body drives.
        labels: what is known of a person in a picture whose pose it takes.
    """

    number: int
    name: str
    pose: Pose
    scale: float = 1.0
    grips: tuple[Grip, ...] = ()
    residuals: tuple[float, ...] = ()
    motion: BodyMotion | None = None
    frame: int = 0
    keyframes: tuple[Keyframe, ...] = ()
    costume: Costume | None = None
    labels: Labels = field(default_factory=Labels)

    @property
    def betas(self) -> Tensor:
        """The shape, (10,)."""
        return self.pose.betas[0]

    @property
    def gender(self) -> str:
        """male, female or neutral."""
        return GENDERS[int(self.pose.gender[0])]

    def joints(self, body: Body) -> tuple[Tensor, Tensor]:
        """Where the joints are in the scene, (24, 3), and how they are turned, (24, 3, 3)."""
        positions, rotations = self.pose.joints(body)
        return self.scale * positions[0], rotations[0]

    def vertices(self, body: Body) -> Tensor:
        """The body's skin in the scene, (V, 3)."""
        posed = body(self.pose.rotations, self.betas, self.gender, pelvis=self.pose.pelvis)
        return self.scale * posed.vertices[0]

    def worn(self, body: Body) -> Worn | None:
        """The character that the body drives, in its pose."""
        if self.costume is None:
            return None
        pose = self.pose
        return self.costume.worn(body, pose.rotations[0], pose.pelvis[0], self.betas, self.gender, self.scale)

    def grip(self, joint: int, kind: int) -> Grip | None:
        """The effector of a kind at a joint, if there is one."""
        return next((grip for grip in self.grips if grip.key == (joint, kind)), None)

    def residual(self, key: tuple[int, int]) -> float | None:
        """How far an effector is from being satisfied, metres or radians, if that is known."""
        if len(self.residuals) != len(self.grips):
            return None
        return dict(zip((grip.key for grip in self.grips), self.residuals, strict=True)).get(key)

    def held(self) -> set[int]:
        """The joints that have an effector."""
        return {grip.joint for grip in self.grips}

    def with_grip(self, grip: Grip) -> "Actor":
        """With an effector in the place of that of the same joint and kind, or added."""
        if self.grip(*grip.key) is None:
            return replace(self, grips=(*self.grips, grip), residuals=())
        return replace(self, grips=tuple(grip if old.key == grip.key else old for old in self.grips))

    def without_grip(self, joint: int, kind: int) -> "Actor":
        """Without one of its effectors."""
        return replace(self, grips=tuple(old for old in self.grips if old.key != (joint, kind)), residuals=())

    def posed(self, rotations: Tensor, pelvis: Tensor) -> "Actor":
        """In another pose, (24, 3, 3) and (3,), with the same shape."""
        pose = Pose(rotations[None].float(), pelvis[None].float(), self.pose.betas, self.pose.gender)
        return replace(self, pose=pose, residuals=())

    def shaped(self, betas: Tensor | None = None, gender: str | None = None) -> "Actor":
        """With another shape, (10,), or gender, in the same pose."""
        shape = self.pose.betas if betas is None else check_shape(betas)[None]
        number = self.pose.gender if gender is None else torch.tensor([find_gender(gender)])
        return replace(self, pose=Pose(self.pose.rotations, self.pose.pelvis, shape, number))

    def snapped(self, body: Body) -> "Actor":
        """With its effectors asking for what is so already."""
        positions, rotations = self.joints(body)
        grips = tuple(grip.snapped(positions, rotations) for grip in self.grips)
        return replace(self, grips=grips, residuals=())


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a page shows and that can be undone.

    Args:
        actors: in the order in which they came.
        chosen: number of the one that is edited.
    """

    actors: tuple[Actor, ...] = field(default_factory=tuple)
    chosen: int = 0

    @property
    def actor(self) -> Actor:
        """The one that is edited."""
        return self.find(self.chosen)

    def find(self, number: int) -> Actor:
        """The body of a number.

        Raises:
            ConfigError: it is not in the scene.
        """
        found = next((actor for actor in self.actors if actor.number == number), None)
        if found is None:
            raise ConfigError(f"There is no body {number} in the scene.")
        return found

    def has(self, number: int) -> bool:
        """Whether a body is in the scene."""
        return any(actor.number == number for actor in self.actors)

    def with_actor(self, actor: Actor) -> "Scene":
        """With a body in the place of that of the same number, or added."""
        if self.has(actor.number):
            return replace(self, actors=tuple(actor if old.number == actor.number else old for old in self.actors))
        if len(self.actors) >= MOST:
            raise ConfigError(f"A scene has at most {MOST} bodies; remove one first.")
        return replace(self, actors=(*self.actors, actor))

    def without(self, number: int) -> "Scene":
        """Without a body; the last one stays."""
        if len(self.actors) < 2:
            raise ConfigError("The last body of a scene cannot be removed.")
        self.find(number)
        left = tuple(actor for actor in self.actors if actor.number != number)
        return Scene(left, self.chosen if self.chosen != number else left[-1].number)


def standing(body: Body, number: int, *, gender: str | None = None, place: float = 0.0) -> Actor:
    """A new body that stands on the floor with its arms down, held by six positions.

    Args:
        body: whose skin and joints it has.
        number: of the actor.
        gender: neutral if the body has it, unless told.
        place: metres to the left of the scene's middle.
    """
    name = gender or ("neutral" if "neutral" in body.genders else body.genders[0])
    rotations = angles_to_pose(key_poses()["stand"])[None]
    pelvis = plant_feet(body, rotations, torch.zeros(10), name) + torch.tensor([place, 0.0, 0.0])
    pose = Pose(rotations, pelvis, torch.zeros(1, 10), torch.tensor([find_gender(name)]))
    actor = Actor(number, f"Body {number}", pose)
    positions, turns = actor.joints(body)
    return replace(actor, grips=tuple(grip_at(0, JOINTS.index(joint), positions, turns) for joint in USUAL))


def free_place(actors: Sequence[Actor]) -> float:
    """Where along the X axis nobody stands, metres: the middle, or as near to it as there is room."""
    taken = [float(actor.scale * actor.pose.pelvis[0, 0]) for actor in actors]
    places = sorted((step * _APART for step in range(-MOST, MOST + 1)), key=lambda x: (abs(x), -x))
    return next(
        (x for x in places if all(abs(x - other) > 0.8 * _APART for other in taken)), max(taken, default=0.0) + _APART
    )


def check_shape(betas: Tensor) -> Tensor:
    """Refuse a shape that cannot be.

    Raises:
        ConfigError: it is not ten finite numbers from -5 to 5.
    """
    if betas.shape != (10,) or not torch.isfinite(betas).all() or bool((betas.abs() > WIDEST).any()):
        raise ConfigError(f"A shape is ten numbers from {-WIDEST:g} to {WIDEST:g}.")
    return betas.float()


def check_scale(scale: float) -> float:
    """Refuse a size that cannot be.

    Raises:
        ConfigError: it is not from 0.2 to 2.
    """
    if not SMALLEST <= scale <= LARGEST:
        raise ConfigError(f"The size is {scale}; it must be from {SMALLEST:g} to {LARGEST:g} times the body's own.")
    return float(scale)
