"""Solved poses beside the true ones, as a picture."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.core.protocols import Dataset

ROWS, COLUMNS = 2, 4
HEIGHT = 300
"""Pixels of a row."""
TURN = 20.0
"""Degrees that the viewer has gone round."""


def solved_beside_true(model: Any, data: "Dataset", *, seed: int = 0) -> "Tensor":
    """Draw what a model makes of some poses of the data, of which it is asked as the protocol "protores" does.

    Args:
        model: a `PoseIK`.
        data: of poses.
        seed: names the poses and the effectors.

    Returns:
        A picture, (1, 3, H, W) in [-1, 1]: in pairs, the true body in the colour of clay and the solved one in blue.
    """
    from copy import deepcopy

    import torch

    from unveil.body import Figure, draw
    from unveil.body.drawing.figures import BLUE, CLAY, in_a_row
    from unveil.body.effectors import Pose
    from unveil.core.random import Streams
    from unveil.models.pose_ik import draw_effectors

    number = ROWS * COLUMNS
    places = [i * len(data) // number for i in range(number)]
    rotations, known = data.batch(places)
    body = deepcopy(model.body).cpu()  # that of a model on another device stays there
    betas, gender = known["shape"], known["gender"]
    truth = Pose(rotations, rotations.new_zeros(number, 3), betas, gender)
    positions, world = truth.joints(body)
    streams = Streams(seed, places)
    made = model.solve(draw_effectors("protores", positions, world, streams), betas, gender).to("cpu")
    bands = []
    for row in range(ROWS):
        figures = []
        for place in range(row * COLUMNS, (row + 1) * COLUMNS):
            for pose, colour in ((truth, CLAY), (made, BLUE)):
                one = pose[slice(place, place + 1)]
                posed = body(one.rotations, one.betas, one.gender, pelvis=one.pelvis)
                figures.append(Figure(posed.vertices[0], body.faces, colour))
        bands.append(draw(in_a_row(figures, turn=TURN), height=HEIGHT, turn=TURN))
    wide = max(band.shape[2] for band in bands)
    white = [band.new_ones(3, HEIGHT, wide - band.shape[2]) for band in bands]
    return torch.cat([torch.cat(pair, 2) for pair in zip(bands, white, strict=True)], 1)[None]
