"""How well poses are found again from some effectors of them, as published tables measure it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_seed, check_whole
from unveil.core.protocols import Progress
from unveil.models.pose_protocols import PROTOCOLS

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Body, Effectors, Pose
    from unveil.core.protocols import Dataset
    from unveil.models.pose_ik import Protocol

    Solver = Callable[[Effectors, Tensor, Tensor], Pose]
    """Effectors, shapes (B, 10) and genders (B,) to poses."""

GROUP = 50
"""Poses that are asked as many effectors of each kind."""


@dataclass(frozen=True)
class PoseQuality:
    """Means over all poses and draws.

    Attributes:
        protocol: how effectors were drawn.
        mpjpe: distance of joints with the pelvises brought together, mm.
        mpjpe_abs: distance of joints where they are, mm.
        pa_mpjpe: the same after the best turn, scale and shift, mm.
        geodesic: angle between local rotations, radians.
        position: what positions that were asked are missed by, mm; None where none was asked.
        rotation: the same of rotations, radians.
        look: the same of looks, radians.
    """

    protocol: str
    mpjpe: float
    mpjpe_abs: float
    pa_mpjpe: float
    geodesic: float
    position: float | None
    rotation: float | None
    look: float | None


def check_measuring(protocol: str, *, poses: int, draws: int, seed: int) -> None:
    """Refuse how nothing can be measured, before torch is loaded. Arguments and errors are those of `measure_poses`."""
    for name, number in (("poses", poses), ("draws", draws)):
        check_whole(name, number)
    check_seed(seed)
    if protocol not in PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}.")


def measure_poses(
    solve: "Solver",
    data: "Dataset",
    body: "Body",
    protocol: "Protocol",
    *,
    poses: int = 500,
    draws: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> PoseQuality:
    """Let a solver find poses again, each of several draws of effectors, and say how far it is off.

    Args:
        solve: a `PoseIK`'s `solve`, or anything like it.
        data: poses, and whose they are.
        body: whose joints they are, where the data are: on the CPU.
        protocol: how effectors are drawn; see `unveil.models.pose_ik.draw_effectors`.
        poses: how many, evenly spread over the data.
        draws: of effectors of each pose; published figures have 20 or more.
        seed: names the effectors; a solver is measured on the same ones whatever it is.
        progress: told how far it is.

    Raises:
        ConfigError: a number or the protocol cannot be.
    """
    check_measuring(protocol, poses=poses, draws=draws, seed=seed)

    import torch

    from unveil.body.effectors import Pose
    from unveil.core.random import Streams
    from unveil.metrics.pose import effector_error, geodesic_error, mpjpe_abs, mpjpe_root, pa_mpjpe
    from unveil.models.pose_ik import draw_effectors

    count = min(poses, len(data))
    places = [i * len(data) // count for i in range(count)]
    groups = [places[start : start + GROUP] for start in range(0, count, GROUP)]
    sums: dict[str, list[float]] = {}
    for number, group in enumerate(groups):
        rotations, known = data.batch(group)
        truth = Pose(rotations, rotations.new_zeros(len(group), 3), known["shape"], known["gender"])
        positions, world = truth.joints(body)
        for draw in range(draws):
            streams = Streams(seed, group).child(number * draws + draw)
            asked = draw_effectors(protocol, positions, world, streams)
            with torch.no_grad():
                made = solve(asked, truth.betas, truth.gender).to(rotations.device)
            found, turned = made.joints(body)
            figures = {
                "mpjpe": mpjpe_root(found, positions),
                "mpjpe_abs": mpjpe_abs(found, positions),
                "pa_mpjpe": pa_mpjpe(found, positions),
                "geodesic": geodesic_error(made.rotations, rotations),
            }
            for name, values in figures.items():
                sums.setdefault(name, []).extend(values.tolist())
            for name, value in effector_error(asked, found, turned).items():
                sums.setdefault(name.removesuffix("-at"), []).append(value)
            if progress is not None:
                progress(number * draws + draw + 1, len(groups) * draws)
    names = [one.name for one in fields(PoseQuality) if one.name != "protocol"]
    means: dict[str, Any] = {name: sum(sums[name]) / len(sums[name]) if name in sums else None for name in names}
    return PoseQuality(protocol, **means)
