"""Characters: the body that has their proportions, and motions given to them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Body, Character, JointMap, Motion, ShapeInversion, Skeleton

BODY = "body"
"""Names the body of the library where a character is asked for."""
_SHOWN = 6  # frames of a motion


@dataclass(frozen=True)
class CharacterShape:
    """The body with a character's proportions.

    Attributes:
        inversion: shape, scale, and how well they fit.
        body: whose shape it is.
        target: the character.
    """

    inversion: "ShapeInversion"
    body: "Body" = field(repr=False)
    target: "Character | Skeleton" = field(repr=False)

    def picture(self) -> "Tensor":
        """The character and the body in its size, side by side, (3, H, W) in [-1, 1]."""
        from unveil.body import Figure, Skeleton, bones_figure
        from unveil.body.drawing.figures import BLUE, CLAY
        from unveil.tasks.pose_render import row_of

        made = self.body.rest_vertices(self.inversion.shape, self.inversion.gender).detach() * self.inversion.scale
        if isinstance(self.target, Skeleton):
            theirs = bones_figure(self.target, self.target.positions, self.target.rotations)
        else:
            theirs = Figure(self.target.vertices, self.target.faces, BLUE)
        return row_of([theirs, Figure(made, self.body.faces.cpu(), CLAY)])


def shape(
    character: str | Path,
    *,
    gender: str = "neutral",
    joint_map: str | Path | None = None,
    units: str | float | None = None,
    polish: bool = False,
    body: str | Path | None = None,
) -> CharacterShape:
    """Find the body that has a character's proportions.

    Args:
        character: a .glb, .gltf or .bvh.
        gender: of the body.
        joint_map: a JSON file that names which of its joints are a human's; found without it.
        units: what a length of 1 is; see `unveil.body.read_bvh`.
        polish: improve the answer by least squares.
        body: the file or folder of a body model; the embedded one when None.

    Raises:
        ConfigError, DataError: the file cannot be read, lacks joints, which are named, or is like no body.
    """
    from unveil.body import ShapeBank, Skeleton, find_gender, invert_shape, load_body, read_character

    find_gender(gender)
    target = read_character(character, units=units)
    skeleton = target if isinstance(target, Skeleton) else target.skeleton
    made = load_body(body)
    found = invert_shape(skeleton, ShapeBank.draw(made, gender), joint_map=_map(joint_map), polish=polish)
    return CharacterShape(found, made, target)


@dataclass(frozen=True)
class Retargeted:
    """A motion on another character.

    Attributes:
        motion: of the target's skeleton.
        target: the character, or a bare skeleton.
        source: the motion it comes from.
    """

    motion: "Motion" = field(repr=False)
    target: "Character | Skeleton" = field(repr=False)
    source: "Motion" = field(repr=False)

    def write(self, out: Path) -> None:
        """Write the motion as .bvh, or .glb with the character's skin; what is there is replaced."""
        from unveil.body import Skeleton, write_motion

        write_motion(self.motion, out, None if isinstance(self.target, Skeleton) else self.target)

    def picture(self) -> "Tensor":
        """Some frames of both, the first skeleton's above, (3, H, W) in [-1, 1]."""
        import torch

        from unveil.tasks.pose_render import row_of, worn_figure

        frames = [i * (len(self.motion) - 1) // max(1, _SHOWN - 1) for i in range(min(_SHOWN, len(self.motion)))]
        rows = [
            row_of([worn_figure(who, motion, frame) for frame in frames], height=320)
            for who, motion in ((self.source.skeleton, self.source), (self.target, self.motion))
        ]
        wide = max(row.shape[2] for row in rows)
        free = [wide - row.shape[2] for row in rows]
        rows = [
            torch.nn.functional.pad(row, (n // 2, n - n // 2), value=1.0) for row, n in zip(rows, free, strict=True)
        ]
        return torch.cat(rows, 1)


def retarget(
    motion: str | Path,
    to: str | Path,
    *,
    units: str | float | None = None,
    to_units: str | float | None = None,
    joint_map: str | Path | None = None,
    to_map: str | Path | None = None,
    plant: bool = False,
) -> Retargeted:
    """Give a motion to another character.

    Args:
        motion: an .npz, .bvh, .glb or .gltf.
        to: a .glb, .gltf or .bvh whose skeleton it is to move; or "body", for that of the library.
        units: what a length of 1 is in the motion's file; see `unveil.body.read_bvh`.
        to_units: the same of the character's.
        joint_map: a JSON file that names which joints of the motion's skeleton are a human's; found without it.
        to_map: the same of the character's.
        plant: make feet that stand still in the motion stand still exactly.

    Raises:
        ConfigError, DataError: a file cannot be read, or a skeleton lacks joints, which are named.
    """
    from unveil.body import Body, Skeleton, read_character, read_motion
    from unveil.body import retarget as carry_over

    given, wanted = _map(joint_map), _map(to_map)
    body = Body.embedded()
    target: Character | Skeleton = body.character() if str(to) == BODY else read_character(to, units=to_units)
    skeleton = target if isinstance(target, Skeleton) else target.skeleton
    source = read_motion(motion, body, units=units)
    if not len(source):
        raise ConfigError(f"'{motion}' has no frames.")
    moved = carry_over(source, skeleton, source_map=given, target_map=wanted, plant=plant)
    return Retargeted(moved, target, source)


def _map(path: str | Path | None) -> "JointMap | None":
    if path is None:
        return None
    from unveil.body import JointMap

    return JointMap.load(path)
