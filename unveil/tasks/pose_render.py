"""Bodies and what is asked of them, as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Body, Character, Effectors, Figure, Motion, Pose, Skeleton

HEIGHT = 480
"""Pixels of a picture."""
TURN = 25.0
"""Degrees that the viewer has gone round."""
_GREEN = (0.42, 0.66, 0.38)
_REACH = 1.5  # metres from a joint that a ball is drawn at the most


def body_figure(body: "Body", pose: "Pose", row: int = 0, colour: Sequence[float] | None = None) -> "Figure":
    """The skin of one pose."""
    from unveil.body import Figure
    from unveil.body.drawing.figures import CLAY

    one = pose[slice(row, row + 1)]
    skin = body(one.rotations, one.betas, one.gender, pelvis=one.pelvis).vertices[0].detach()
    return Figure(skin, body.faces.cpu(), CLAY if colour is None else colour)


def effector_figure(body: "Body", pose: "Pose", effectors: "Effectors") -> "Figure":
    """The bones of one pose, and balls: orange where positions are asked, blue at what is looked at, green at joints whose
    turn is asked. What is far away is drawn nearer, in its direction, so that the body stays large.
    """
    from unveil.body import LOOK_AT, POSITION, ROTATION, ball_figure, bones_figure
    from unveil.body.drawing.figures import BLUE, CLAY, ORANGE

    parts = (effectors.kind, effectors.joint, effectors.weight)
    rows = zip(*(part[0].tolist() for part in parts), effectors.data[0].detach().cpu(), strict=True)
    positions, rot = (part.detach().cpu() for part in pose.joints(body))
    bones = bones_figure(body.skeleton(), positions[0], rot[0], CLAY)
    colours = {POSITION: ORANGE, ROTATION: _GREEN, LOOK_AT: BLUE}
    balls = []
    for kind, joint, weight, data in rows:
        own = positions[0, joint]
        way = data[:3] - own if kind != ROTATION else own.new_zeros(3)
        place = own + way * (_REACH / way.norm().clamp_min(_REACH))
        if weight > 0:
            balls.append(ball_figure(place, 0.028 if kind == ROTATION else 0.035, colours[kind]))
    return _joined([bones, *balls])


def _joined(figures: "Sequence[Figure]") -> "Figure":
    """Several figures as one, each in its colour."""
    import torch

    from unveil.body import Figure

    starts = [0]
    for figure in figures:
        starts.append(starts[-1] + len(figure.vertices))
    faces = [figure.faces + start for figure, start in zip(figures, starts, strict=False)]
    colours = [torch.as_tensor(figure.colour).expand(len(figure.vertices), 3) for figure in figures]
    return Figure(torch.cat([figure.vertices for figure in figures]), torch.cat(faces), torch.cat(colours))


def worn_figure(target: "Character | Skeleton", motion: "Motion", frame: int) -> "Figure":
    """One frame of a motion on its character, or as bones where there is no skin."""
    from unveil.body import Figure, Skeleton, bones_figure
    from unveil.body.drawing.figures import BLUE

    one = motion[slice(frame, frame + 1)]
    if isinstance(target, Skeleton):
        world, positions = one.world()
        return bones_figure(target, positions[0], world[0])
    return Figure(target.move(one)[0], target.faces, BLUE)


def row_of(figures: "Sequence[Figure]", *, height: int = HEIGHT) -> "Tensor":
    """Draw figures side by side, (3, H, W) in [-1, 1]."""
    from unveil.body import draw, in_a_row

    return draw(in_a_row(list(figures), turn=TURN), height=height, turn=TURN)
