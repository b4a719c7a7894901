"""BVH in: a skeleton and its motion, in metres."""

import gzip
import os
import re
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unveil.body.bvh.errors import BvhError
from unveil.body.bvh.hierarchy import Joint, read_hierarchy
from unveil.body.motion import Motion
from unveil.body.skeleton import Skeleton
from unveil.body.units import CMU_UNIT, metres_per_unit
from unveil.geometry import euler_to_matrix

_LARGEST = 1 << 30  # bytes of text
_CMU_NAMES = {"LHipJoint", "RHipJoint", "LowerBack", "LeftFingerBase", "LThumb"}


def read_bvh(
    path: str | os.PathLike[str],
    *,
    units: str | float | None = None,
    bind: Literal["zero", "first-frame"] | None = None,
) -> Motion:
    """Read a motion from a .bvh file, or from one that is packed as .bvh.gz.

    Any order of channels is understood, and positions on any joint. Those of joints below the root stand for their
    offsets.

    Args:
        path: the file.
        units: what a length of 1 is: "m", "cm", "mm", "inch" or a number of metres. Without it metres are taken where a
            human fits; files of the CMU database as converted by cgspeed are recognised, and are in 0.056444 m.
        bind: the pose that counts as the skeleton's own: "zero", all angles 0, or "first-frame", which is then left out of
            the motion. Without it "zero", but "first-frame" for those of CMU, where it is a T-pose that was added.

    Raises:
        BvhError: the file is damaged, or has nothing that can be read; the message tells the line.
        DataError: the size of the skeleton is no human's in these units.
    """
    try:
        text = _text(Path(path).expanduser())
        joints, fps, numbers = _parse(text)
        _check_finite(joints, numbers)
        return _motion(joints, fps, numbers, units, bind)
    except OSError as error:
        raise BvhError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except BvhError as error:
        raise BvhError(f"'{path}' is no BVH file that can be read: {error}.") from None


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            unpacked = zlib.decompressobj(31)
            data = unpacked.decompress(data, _LARGEST)
            if not unpacked.eof:
                raise BvhError("it is larger than a gigabyte of text, or its packed data end too early")
        except (zlib.error, gzip.BadGzipFile) as error:
            raise BvhError(f"it cannot be unpacked ({error})") from None
    if len(data) > _LARGEST:
        raise BvhError("it is larger than a gigabyte")
    if not data.strip():
        raise BvhError("it is empty")
    if b"\0" in data[:4096]:
        raise BvhError("it is not text")
    return data.decode("utf-8-sig", "replace")


def _parse(text: str) -> tuple[list[Joint], float, np.ndarray]:
    cut = re.search(r"^\s*MOTION\b.*$", text, re.M | re.I)
    if cut is None:
        joints = read_hierarchy(text)  # says where the hierarchy is cut off, if it is
        raise BvhError(f"it ends after the {len(joints)} joints; the MOTION is missing")
    joints = read_hierarchy(text[: cut.start()])
    rest = text[cut.end() :]
    head = re.match(r"\s*Frames\s*:\s*(\d+)\s+Frame\s+Time\s*:\s*(\S+)[^\S\n]*", rest, re.I)
    if head is None:
        raise BvhError("after MOTION should follow 'Frames: N' and 'Frame Time: SECONDS'")
    try:
        seconds = float(head[2])
    except ValueError:
        seconds = float("nan")
    if not 1e-5 < seconds < 100:
        raise BvhError(f"the Frame Time is {head[2][:30]}; it should be a number of seconds such as 0.008333")
    first_line = text.count("\n", 0, cut.end() + head.end()) + 1
    numbers = _frames(rest[head.end() :], sum(len(joint.channels) for joint in joints), int(head[1]), first_line)
    fps = 1 / seconds  # written with few digits: 0.0083333 means 120
    return joints, float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps, numbers


def _frames(body: str, width: int, frames: int, first_line: int) -> np.ndarray:
    words = body.split()
    if width == 0:
        raise BvhError("no joint has a channel")
    if len(words) != frames * width:
        found = len(words) / width
        raise BvhError(
            f"{frames} frames of {width} numbers were announced, and {len(words)} numbers follow, {found:.6g} frames; "
            "it was cut off, or its channels are wrong"
        )
    if frames == 0:
        raise BvhError("it holds no frame")
    try:
        return np.array(words, np.float64).reshape(frames, width)
    except ValueError:
        for number, line in enumerate(body.splitlines(), start=first_line):
            for word in line.split():
                try:
                    float(word)
                except ValueError:
                    raise BvhError(f"line {number}: '{word[:30]}' is no number") from None
        raise


def _check_finite(joints: list[Joint], numbers: np.ndarray) -> None:
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        frame, column = wrong[0]
        names = [f"{joint.name} {channel}" for joint in joints for channel in joint.channels]
        raise BvhError(f"frame {frame} holds {numbers[frame, column]} as the {names[column]}")


def _motion(
    joints: list[Joint], fps: float, numbers: np.ndarray, units: str | float | None, bind: str | None
) -> Motion:
    cmu = {joint.name for joint in joints} >= _CMU_NAMES
    parents = tuple(joint.parent for joint in joints)
    offset = np.array([joint.offset for joint in joints])
    size = float(np.linalg.norm(offset[1:], axis=1).sum()) if len(joints) > 1 else 0.0
    if units is None and cmu and 30 < size < 300:
        units = CMU_UNIT
    skeleton = Skeleton.at_rest([joint.name for joint in joints], parents, torch.from_numpy(_summed(parents, offset)))
    scale = metres_per_unit(units, skeleton.positions)
    rot, places, moved = _channels(joints, torch.from_numpy(numbers), torch.from_numpy(offset))
    ends = [(j, tuple(scale * x for x in end)) for j, joint in enumerate(joints) for end in joint.ends]
    positions = (scale * skeleton.positions).float()
    skeleton = Skeleton.at_rest(skeleton.names, parents, positions, [(j, (x, y, z)) for j, (x, y, z) in ends])
    places = (scale * places).float()
    motion = Motion(skeleton, rot.float(), places[:, 0], fps, places if moved else None)
    if bind == "zero" or (bind is None and not cmu):
        return motion
    bound = skeleton.bound(motion.rot[0], motion.root[0])
    rest = motion if len(motion) == 1 else motion[1:]
    return Motion(bound, rest.rot, rest.root, fps, rest.offsets)


def _summed(parents: tuple[int, ...], offset: np.ndarray) -> np.ndarray:
    places = offset.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            places[joint] += places[parent]
    return places


def _channels(joints: list[Joint], numbers: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Local rotations (T, J, 3, 3), offsets (T, J, 3), and whether any joint but the root has some of its own."""
    frames = len(numbers)
    rot = torch.eye(3, dtype=torch.float64).expand(frames, len(joints), 3, 3).clone()
    places = offset.expand(frames, -1, -1).clone()
    by_order: dict[str, tuple[list[int], list[list[int]]]] = {}
    column, moved = 0, False
    for j, joint in enumerate(joints):
        turns = [(column + i, name[0]) for i, name in enumerate(joint.channels) if name.endswith("rotation")]
        if turns:
            members, columns = by_order.setdefault("".join(axis for _, axis in turns), ([], []))
            members.append(j)
            columns.append([place for place, _ in turns])
        for i, name in enumerate(joint.channels):
            if name.endswith("position"):
                axis = "XYZ".index(name[0])
                moved |= j > 0 and bool((numbers[:, column + i] - offset[j, axis]).abs().max() > 1e-6)
                places[:, j, axis] = numbers[:, column + i]
        column += len(joint.channels)
    for order, (members, columns) in by_order.items():  # all joints of one order at once
        rot[:, members] = euler_to_matrix(torch.deg2rad(numbers[:, columns]), order)
    return rot, places, moved
