"""AMASS's motion files: poses of a parametric body as .npz."""

import io
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch

from unveil.body.array_files import DAMAGED, check_unpacked
from unveil.body.arrays import SHAPES
from unveil.body.body_motion import BodyMotion
from unveil.body.joints import GENDERS, JOINTS, find_gender
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError, DataError
from unveil.core.files import new_file
from unveil.geometry import axis_angle_to_matrix, matrix_to_axis_angle

_WIDTHS = (66, 72, 156, 165)  # numbers a frame: 22 joints, SMPL, SMPL-H and SMPL-X
_BODY_JOINTS = 22
_TO_Y_UP = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # a quarter turn back about X: z becomes y
_LARGEST = 1 << 30


def read_amass(path: str | os.PathLike[str], body: Body) -> BodyMotion:
    """Read a motion, turned so that Y is up.

    Only the 22 joints of the body are read of files with fingers and faces; hands lie straight. The file says how far the
    body was moved, and where the pelvis then is follows from the body: with another one than the file was made with, here
    the official SMPL-H, it is off by the difference of the two at rest.

    Args:
        path: the .npz file.
        body: whose rest pose tells where the pelvis is.

    Raises:
        DataError: the file is damaged, or has no poses, shape or gender.
    """
    place = Path(path).expanduser()
    try:
        if place.stat().st_size > _LARGEST:
            raise DataError("it is larger than a gigabyte")
        with zipfile.ZipFile(place) as archive:
            check_unpacked(archive)
        with np.load(place, allow_pickle=False) as file:
            fields = {name: file[name] for name in file.files if name not in ("marker_data", "markers", "dmpls")}
        return _motion(fields, body)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except DAMAGED as error:
        raise DataError(f"'{path}' is no AMASS file that can be read: {str(error).rstrip('.')}.") from None


def write_amass(motion: BodyMotion, path: str | os.PathLike[str], body: Body, *, up: str = "y") -> Path:
    """Write a motion as AMASS does, with the rotations of 52 joints, those of the fingers 0.

    Args:
        motion: what to write.
        path: the .npz file; what is there is replaced.
        body: whose rest pose tells how far the pelvis was moved.
        up: "y" keeps our axes and says so in the file; "z" turns it to AMASS's own.

    Returns:
        The path.
    """
    place, data = Path(path).expanduser().with_suffix(".npz"), amass_bytes(motion, body, up=up)
    with new_file(place, force=True) as file:
        file.write_bytes(data)
    return place


def amass_bytes(motion: BodyMotion, body: Body, *, up: str = "y") -> bytes:
    """What `write_amass` writes."""
    if up not in ("y", "z"):
        raise ConfigError(f"up is '{up}'; it must be 'y' or 'z'.")
    rest = body.rest_joints(motion.shape, motion.gender)[0]
    pose, pelvis = motion.pose.clone(), motion.pelvis
    if up == "z":
        pose[:, 0] = _TO_Y_UP.T @ pose[:, 0]
        pelvis = pelvis @ _TO_Y_UP
    vectors = matrix_to_axis_angle(pose)
    poses = torch.zeros(len(motion), 156)
    poses[:, : 3 * _BODY_JOINTS] = vectors[:, :_BODY_JOINTS].flatten(1)
    fields = {
        "poses": poses.numpy(),
        "trans": (pelvis - rest).numpy(),
        "betas": np.pad(motion.shape.numpy(), (0, 6)),
        "gender": np.array(motion.gender),
        "mocap_framerate": np.array(motion.fps),
        "up": np.array(up),
    }
    if bool((vectors[:, _BODY_JOINTS:] != 0).any()):
        fields["hand_poses"] = vectors[:, _BODY_JOINTS:].flatten(1).numpy()  # AMASS has no such joints
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **fields)
    return packed.getvalue()


def _motion(fields: dict[str, np.ndarray], body: Body) -> BodyMotion:
    missing = [name for name in ("poses", "betas", "gender") if name not in fields]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    poses = _numbers(fields, "poses")
    if poses.ndim != 2 or poses.shape[1] not in _WIDTHS or not len(poses):
        raise ValueError(f"its poses have the shape {poses.shape}; they must be (T, {', '.join(map(str, _WIDTHS))})")
    if not np.isfinite(poses).all():
        raise ValueError(f"frame {int(np.argwhere(~np.isfinite(poses))[0, 0])} of its poses is not finite")
    frames = len(poses)
    vectors = torch.zeros(frames, len(JOINTS), 3)
    kept = len(JOINTS) if poses.shape[1] == 72 else _BODY_JOINTS
    vectors[:, :kept] = torch.from_numpy(poses[:, : 3 * kept]).unflatten(1, (-1, 3))
    if "hand_poses" in fields:
        vectors[:, _BODY_JOINTS:] = torch.from_numpy(_numbers(fields, "hand_poses")).reshape(frames, 2, 3)
    trans = _numbers(fields, "trans") if "trans" in fields else np.zeros((frames, 3), np.float32)
    if trans.shape != (frames, 3) or not np.isfinite(trans).all():
        raise ValueError("its trans does not fit its poses, or is not finite")
    shape = torch.from_numpy(_betas(_numbers(fields, "betas")))
    gender = GENDERS[find_gender(_word(fields["gender"]))]
    own = gender if gender in body.genders else body.genders[0]
    pose = axis_angle_to_matrix(vectors)
    pelvis = body.rest_joints(shape, own)[0] + torch.from_numpy(trans)
    if _word(fields.get("up", np.array("z"))) != "y":
        pose[:, 0] = _TO_Y_UP @ pose[:, 0]
        pelvis = pelvis @ _TO_Y_UP.T  # the pelvis is turned: turning trans alone would leave the body beside its place
    rate = fields.get("mocap_framerate", fields.get("mocap_frame_rate", np.array(120.0)))
    return BodyMotion(pose, pelvis, shape, own, float(rate))


def _numbers(fields: dict[str, np.ndarray], name: str) -> np.ndarray:
    values = fields[name]
    if values.dtype.kind not in "fiub":
        raise ValueError(f"its {name} are no numbers")
    with np.errstate(over="ignore"):  # what is too large for a float is not finite then
        return values.astype(np.float32)


def _betas(betas: np.ndarray) -> np.ndarray:
    betas = betas.reshape(-1) if betas.ndim < 2 else betas[0]
    if not np.isfinite(betas).all():
        raise ValueError("its betas are not finite")
    if len(betas) < SHAPES:
        warnings.warn(f"The motion's shape has {len(betas)} numbers; those missing are put to 0.", stacklevel=2)
    return np.pad(betas[:SHAPES], (0, max(0, SHAPES - len(betas))))


def _word(value: np.ndarray) -> str:
    word = value.item() if value.size == 1 else ""
    return word.decode() if isinstance(word, bytes) else str(word)
