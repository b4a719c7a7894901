"""One pose and what was asked of it as plain values for JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unveil.body import Effectors, Pose


def plain_pose(
    pose: "Pose", effectors: "Effectors | None", joints: Any, scale: float = 1.0, floor: Sequence[int] = ()
) -> dict[str, Any]:
    """One pose as plain values, which `pose solve` and the pose editor read.

    Args:
        pose: of the body in its own size.
        effectors: what was asked of it in that size.
        joints: where its joints are, (24, 3), metres of that size.
        scale: how many times that size the body stands in its scene; the effectors are written in metres of the scene.
        floor: numbers of the joints whose positions are on the floor.
    """
    from unveil.body import JOINTS
    from unveil.body.pose_json import PoseRecord, rows_of

    rows = () if effectors is None else rows_of(effectors, scale, floor)
    return {**PoseRecord.of(pose, rows, scale).plain(), "joints": dict(zip(JOINTS, joints.tolist(), strict=True))}
