"""From a few effectors to a pose, and from a pose back to a few effectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, DataError
from unveil.core.json_file import read_json, write_json
from unveil.core.numbers import check_amount, check_whole, shape_numbers
from unveil.tasks.pose_choices import POSES, REFINED
from unveil.tasks.pose_lists import plain_pose
from unveil.tasks.pose_run import check_poser, load_poser
from unveil.tasks.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Body, Effectors, Pose

_FARTHEST = 1000.0  # metres, beyond which single precision knows no millimetres
_NO_METRES = 10.0  # metres that nobody misses by who writes metres


@dataclass(frozen=True)
class SolvedPose:
    """A pose and how well it does what was asked.

    Attributes:
        pose: one pose.
        body: whose it is.
        effectors: what was asked of the body in its own size, without those of weight 0.
        missed: what each is missed by, metres of the scene for positions and radians for the others.
        reached: whether that is next to nothing, or within the tolerance.
        scale: how many times its own size the body stands in the scene.
        floor: numbers of the joints whose positions are on the floor.
    """

    pose: "Pose" = field(repr=False)
    body: "Body" = field(repr=False)
    effectors: "Effectors" = field(repr=False)
    missed: tuple[float, ...]
    reached: tuple[bool, ...]
    scale: float = 1.0
    floor: tuple[int, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each effector that is not reached."""
        from unveil.body import JOINTS
        from unveil.body.effectors import KINDS

        found = []
        for place, (missed, reached) in enumerate(zip(self.missed, self.reached, strict=True)):
            if not reached:
                kind, joint = (int(part[0, place]) for part in (self.effectors.kind, self.effectors.joint))
                far = f"{1000 * missed:.0f} mm" if KINDS[kind] == "position" else f"{missed * 57.29578:.0f} degrees"
                found.append(
                    f"The {KINDS[kind]} of {JOINTS[joint]} is missed by {far}; this is the nearest pose found."
                )
        positions = self.effectors.kind[0].tolist()
        if any(far > _NO_METRES for far, kind in zip(self.missed, positions, strict=True) if KINDS[kind] == "position"):
            found.append("Places are metres; were these centimetres or millimetres?")
        return tuple(found)

    def picture(self) -> "Tensor":
        """The body, and its bones with the effectors, side by side, (3, H, W) in [-1, 1]."""
        from unveil.tasks.pose_render import body_figure, effector_figure, row_of

        return row_of([body_figure(self.body, self.pose), effector_figure(self.body, self.pose, self.effectors)])


def solve(
    effectors: "str | Path | Sequence[Mapping[str, Any]] | Effectors",
    run: "Run | str | Path | None" = None,
    *,
    betas: Sequence[float] | None = None,
    gender: str | None = None,
    refine: int = REFINED,
    limits: bool = True,
) -> SolvedPose:
    """Find a pose that does what effectors ask.

    Args:
        effectors: of one pose, or a JSON file with a list of them, or of a body as the pose editor saves one. Where that
            tells the scale of its body, places are metres of the scene in which the body has that size.
        run: what knows poses; the one that comes with the library when None.
        betas: the shape, up to ten numbers; that of the file, or the average, when None.
        gender: male, female or neutral; that of the file, or neutral, when None.
        refine: steps of refinement until the effectors are met; 0 is what the network says.
        limits: keep joints within the limits of a human's.

    Raises:
        ConfigError: an effector is wrong, which is named; a number cannot be; or no position is asked.
        DataError: the file cannot be read.
        RunError: the run cannot be used.
    """
    check_whole("refine", refine, 0)
    content = read_json(effectors, "list of effectors") if isinstance(effectors, str | Path) else None
    shape = None if betas is None else shape_numbers(betas)
    check_poser(run)

    import torch

    from unveil.body import POSITION, Effectors, find_gender
    from unveil.body import refine as refined
    from unveil.body.pose_json import PoseRecord, effectors_of

    if isinstance(effectors, str | Path):
        told = PoseRecord.read(content, f"'{effectors}'")
        if not told.effectors:
            example = '[{"type": "position", "joint": "head", ...}]'
            raise DataError(f"'{effectors}' holds no list of effectors, such as {example}.")
        asked = effectors_of(told.effectors, told.scale or 1.0)
    else:
        told = PoseRecord()
        asked = effectors if isinstance(effectors, Effectors) else Effectors.of(effectors)
    if len(asked) != 1:
        raise ConfigError(f"Effectors of {len(asked)} poses were given; give those of one.")
    number = torch.tensor([find_gender(gender or told.gender or "neutral")])
    asked.centre()
    asked = asked.select(asked.weight[0].nonzero().squeeze(1))
    _check_places(asked)
    model = load_poser(run)
    pose = model.solve(asked, torch.tensor([shape or told.betas or shape_numbers(None)]), number)
    done = refined(model.body, pose, asked, refine, limits=limits)
    scale = told.scale or 1.0
    missed = torch.where(asked.kind[0] == POSITION, scale, 1.0) * done.residuals[0]
    floor = tuple(row.joint for row in told.effectors if row.floor)
    reached = tuple(done.reached[0].tolist())
    return SolvedPose(done.pose, model.body, asked, tuple(missed.tolist()), reached, scale, floor)


def _check_places(asked: "Effectors") -> None:
    from unveil.body import JOINTS, ROTATION

    far = (asked.kind[0] != ROTATION) & (asked.data[0, :, :3].abs() > _FARTHEST).any(1)
    if far.any():
        joint = JOINTS[int(asked.joint[0, far][0])]
        raise ConfigError(
            f"An effector of the {joint} is farther than {_FARTHEST:.0f} m from the origin; move all nearer."
        )


@dataclass(frozen=True)
class RecoveredEffectors:
    """A few effectors that give a pose again.

    Attributes:
        effectors: the most telling first.
        pose: what is made of them.
        truth: the pose that they are of.
        body: whose poses they are.
        errors: the mean error of the joints with the first effectors, one more each time, metres.
    """

    effectors: "Effectors" = field(repr=False)
    pose: "Pose" = field(repr=False)
    truth: "Pose" = field(repr=False)
    body: "Body" = field(repr=False)
    errors: tuple[float, ...]

    def picture(self) -> "Tensor":
        """The true pose, its bones with the effectors, and what is made of these, side by side, (3, H, W) in [-1, 1]."""
        from unveil.body.drawing.figures import BLUE
        from unveil.tasks.pose_render import body_figure, effector_figure, row_of

        asked = effector_figure(self.body, self.truth, self.effectors)
        return row_of([body_figure(self.body, self.truth), asked, body_figure(self.body, self.pose, colour=BLUE)])


def recover(
    pose: "str | Path | Pose",
    run: "Run | str | Path | None" = None,
    *,
    most: int = 8,
    frame: int = 0,
    tolerance: float = 0.010,
    refine: int = 0,
) -> RecoveredEffectors:
    """Choose the few effectors with which a pose is found again.

    Args:
        pose: one pose, or a file of poses or motions.
        run: what knows poses; the one that comes with the library when None.
        most: effectors at most.
        frame: which of a motion; negative ones are counted from its end.
        tolerance: mean error of the joints that is near enough, metres.
        refine: steps of refinement after the network, each time.

    Raises:
        ConfigError: a number cannot be, or the motion has no such frame.
        DataError: the file cannot be read.
        RunError: the run cannot be used.
    """
    check_whole("most", most)
    check_whole("refine", refine, 0)
    check_amount("tolerance", tolerance)
    check_poser(run)

    from unveil.body import recover_effectors
    from unveil.body.refining_solver import RefiningSolver

    model = load_poser(run)
    truth = read_pose(pose, model.body, frame) if isinstance(pose, str | Path) else pose
    solver = RefiningSolver(model.body, model, steps=refine) if refine else model
    found = recover_effectors(solver, model.body, truth, most=most, tolerance=tolerance)
    return RecoveredEffectors(found.effectors, found.pose, truth, model.body, found.errors)


def read_pose(path: "str | Path", body: "Body", frame: int = 0) -> "Pose":
    """One frame of a file of a pose or a motion.

    Raises:
        ConfigError: there is no such frame.
        DataError: it cannot be read.
    """
    import torch

    from unveil.body import GENDERS, Pose, read_body_motion

    if Path(path).suffix.lower() == ".json":
        if frame not in (0, -1):
            raise ConfigError(f"frame is {frame}; '{path}' holds one pose, which is frame 0.")
        return _pose_of(path)
    motion = read_body_motion(path, body)
    if not -len(motion) <= frame < len(motion):
        raise ConfigError(f"frame is {frame}; '{path}' has {len(motion)} frames, 0 to {len(motion) - 1}.")
    at = frame % len(motion)
    gender = torch.tensor([GENDERS.index(motion.gender)])
    return Pose(motion.pose[at : at + 1], motion.pelvis[at : at + 1], motion.shape[None], gender)


def _pose_of(path: "str | Path") -> "Pose":
    from unveil.body.pose_json import PoseRecord

    pose = PoseRecord.read(read_json(path, "pose"), f"'{path}'").pose()
    if pose is None:
        raise DataError(f"'{path}' holds no pose; give what `pose solve --out NAME.json` writes.")
    return pose


def write_pose(
    pose: "Pose",
    out: Path,
    body: "Body",
    effectors: "Effectors | None" = None,
    *,
    scale: float = 1.0,
    floor: Sequence[int] = (),
) -> None:
    """Write one pose as .npz, .bvh, .glb, its skin as .obj or .ply, or .json with its effectors; what is there is replaced.

    Args:
        pose: of the body in its own size.
        out: the file.
        body: whose pose it is.
        effectors: what was asked of the body in its own size.
        scale: how many times its own size it is written. An .npz knows bodies of their own size only; a .json tells it.
        floor: numbers of the joints whose positions are on the floor, for the pose editor.
    """
    from unveil.body import GENDERS, BodyMotion, write_body_motion, write_surface

    if out.suffix.lower() == ".json":
        joints = pose.joints(body)[0][0]
        write_json(out, plain_pose(pose, effectors, joints, scale, floor), force=True)
        return
    gender = GENDERS[int(pose.gender[0])]
    if out.suffix.lower() not in POSES:
        skin = body(pose.rotations, pose.betas, pose.gender, pelvis=pose.pelvis).vertices[0]
        write_surface(scale * skin, body.faces, out)
        return
    motion = BodyMotion(pose.rotations, pose.pelvis, pose.betas[0], gender)
    write_body_motion(motion, out, body, scale=scale)
