"""BVH out."""

import gzip
import os
from pathlib import Path

import torch

from unveil.body.motion import Motion
from unveil.body.skeleton import Skeleton
from unveil.body.units import metres_per_unit
from unveil.core.errors import DataError
from unveil.core.files import new_file
from unveil.geometry import matrix_to_euler

_ORDER = "ZYX"
_POSITIONS = "Xposition Yposition Zposition"
_ROTATIONS = " ".join(f"{axis}rotation" for axis in _ORDER)
_TIP = 0.04  # metres: the length of a last bone whose end is not known


def write_bvh(motion: Motion, path: str | os.PathLike[str], *, units: str | float = "m") -> Path:
    """Write a motion as .bvh, or packed as .bvh.gz.

    Most programs expect that all angles 0 are the bind pose. They are if the skeleton's frames lie along the world's axes
    there, as those of `motion.aligned()` do.

    Args:
        motion: what to write.
        path: the file; what is there is replaced.
        units: what a length of 1 is: "m", "cm", "mm", "inch" or a number of metres.

    Returns:
        The path.
    """
    place, data = Path(path).expanduser(), bvh_bytes(motion, units=units)
    with new_file(place, force=True) as file:
        file.write_bytes(gzip.compress(data, mtime=0) if place.suffix == ".gz" else data)
    return place


def bvh_bytes(motion: Motion, *, units: str | float = "m") -> bytes:
    """What `write_bvh` writes, not packed."""
    skeleton, scale = motion.skeleton, metres_per_unit(units)
    if any(parent < 0 for parent in skeleton.parents[1:]):
        raise DataError("The skeleton has several roots; a BVH file has one.")
    angles = torch.rad2deg(matrix_to_euler(motion.rot.double(), _ORDER))  # (T, J, 3)
    order: list[int] = []
    lines = ["HIERARCHY", *_joint(skeleton, 0, 0, scale, motion.offsets is not None, order), "MOTION"]
    lines += [f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.9f}"]
    root = motion.root.double() / scale
    columns = []
    for joint in order:
        if joint == 0:
            columns.append(root)
        elif motion.offsets is not None:
            columns.append(motion.offsets[:, joint].double() / scale)
        columns.append(angles[:, joint])
    for row in torch.cat(columns, 1).tolist():
        lines.append(" ".join(f"{number:.6f}" for number in row))
    return ("\n".join(lines) + "\n").encode()


def _joint(skeleton: Skeleton, joint: int, depth: int, scale: float, moving: bool, order: list[int]) -> list[str]:
    """A joint's lines, and all below it; `order` gathers the joints as they come."""
    order.append(joint)
    pad, inner = "  " * depth, "  " * (depth + 1)
    channels = f"6 {_POSITIONS} {_ROTATIONS}" if depth == 0 or moving else f"3 {_ROTATIONS}"
    lines = [f"{pad}{'JOINT' if depth else 'ROOT'} {skeleton.names[joint]}", f"{pad}{{"]
    # The root is where its channels put it; an offset beside them would be counted twice by some programs.
    offset = skeleton.offsets[joint].double() / scale if depth else torch.zeros(3)
    lines += [f"{inner}OFFSET {_numbers(offset.tolist())}", f"{inner}CHANNELS {channels}"]
    for child in skeleton.children[joint]:
        lines += _joint(skeleton, child, depth + 1, scale, moving, order)
    ends = [[x / scale for x in end] for owner, end in skeleton.ends if owner == joint]
    if not ends and not skeleton.children[joint]:
        step = skeleton.offsets[joint].double()
        ends = [(_TIP / scale * step / step.norm().clamp_min(1e-9)).tolist()]
    for end in ends:
        lines += [f"{inner}End Site", f"{inner}{{", f"{inner}  OFFSET {_numbers(end)}", f"{inner}}}"]
    return [*lines, f"{pad}}}"]


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.6f}" for value in values)
