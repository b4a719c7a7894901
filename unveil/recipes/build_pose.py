"""From a recipe to objects: inverse kinematics."""

from collections.abc import Sequence
from pathlib import Path

from unveil.body import Body, load_body
from unveil.core.errors import ConfigError
from unveil.core.protocols import Progress
from unveil.data.poses import Poses, open_poses
from unveil.data.random_poses import RandomPoses
from unveil.data.split import Split
from unveil.models.pose_ik import Learning, PoseIK
from unveil.networks.pose_net import PoseNet
from unveil.recipes.pose import PoseIKSpec
from unveil.recipes.schema import DataSpec

_LEARNING = ("loss", "least", "most", "positions", "spread", "power", "mirror", "turn", "bodies")
_OF_PICTURES = ("size", "channels", "dimension", "crop", "resize", "upsample", "flip", "classes")
_TOLD = {"one-hot": 13, "number": 11}


def build_pose_ik(spec: PoseIKSpec, shape: Sequence[int]) -> PoseIK:
    """Make a model of inverse kinematics.

    Raises:
        ConfigError: the data are no poses.
        DataError: the body's files are missing or damaged.
    """
    if tuple(shape) != RandomPoses.shape:
        raise ConfigError("A pose-ik learns from poses; give motions, .bvh or AMASS's .npz files (--data).")
    net = PoseNet(spec.network.width, told=_TOLD[spec.gender], dropout=spec.network.dropout)
    learning = Learning(**{name: getattr(spec, name) for name in _LEARNING})
    return PoseIK(net, build_body(spec.body), learning, spec.gender)


def build_body(body: str) -> Body:
    """The embedded body, or that of a file or a folder."""
    return Body.embedded() if body == "embedded" else load_body(body)


def build_poses(
    spec: PoseIKSpec, data: DataSpec, source: str | Path, split: Split, progress: Progress | None = None
) -> Poses | RandomPoses:
    """Open the poses of a recipe.

    Raises:
        ConfigError: the recipe says of poses what is only true of pictures.
    """
    of_pictures = [name for name in _OF_PICTURES if getattr(data, name)]
    if of_pictures:
        raise ConfigError(f"data.{of_pictures[0]} is for pictures, and a pose-ik learns from poses; leave it out.")
    return open_poses(
        source,
        build_body(spec.body),
        split=split,
        fps=spec.fps,
        held_out=spec.held_out,
        validation=spec.validation,
        limit=data.limit,
        progress=progress,
    )
