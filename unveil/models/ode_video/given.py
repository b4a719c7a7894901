"""Frames and times that are given to a model of paths, looked at before they are used. Times are in frames."""

import warnings

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.models.video_diffusion.given import checked_range, checked_shape

_FAR = 10  # times the training clip; beyond it the path is a guess

Times = Tensor | list[float] | tuple[float, ...] | None


def checked_frames(frames: Tensor, name: str, shape: torch.Size) -> Tensor:
    """Frames as floating point numbers in [-1, 1], (B, T, C, H, W).

    Raises:
        ShapeError: of another shape; where the axes look swapped, the message says how to turn them.
        DataError: no numbers in [-1, 1].
    """
    if frames.ndim == 5 and frames.shape[2:] != shape and frames.shape[2:] == (*shape[1:], shape[0]):
        raise ShapeError(
            f"The frames of {name} are {tuple(frames.shape)}, with the channels last; this model takes (B, T, "
            f"{', '.join(map(str, shape))}), which frames.permute(0, 1, 4, 2, 3) gives."
        )
    if frames.ndim == 4 and frames.shape[1:] == shape:
        raise ShapeError(
            f"The frames of {name} are {tuple(frames.shape)}, which is one clip; give some, (B, T, "
            f"{', '.join(map(str, shape))}), which frames[None] makes of it."
        )
    if frames.ndim == 4 and frames.shape[2:] == shape[1:] and shape[0] == 1:
        raise ShapeError(
            f"The frames of {name} are {tuple(frames.shape)}, without channels; this model takes (B, T, 1, {shape[1]}, "
            f"{shape[2]}), which frames[:, :, None] gives, or frames.transpose(0, 1)[:, :, None] where time comes first."
        )
    return checked_range(checked_shape(frames, name, shape), name)


def without_missing(frames: Tensor, mask: Tensor | None) -> Tensor:
    """Frames of which those that are not there, and may hold anything, hold zeros; a mask that fits no frames does nothing."""
    if mask is None or tuple(mask.shape) != tuple(frames.shape[:2]):
        return frames
    rows = mask.bool().to(frames.device).reshape(*mask.shape, *[1] * (frames.ndim - 2))
    return torch.where(rows, frames, torch.zeros_like(frames))


def checked_clock(times: Times, count: int, name: str, clips: int) -> Tensor:
    """When known frames were taken: 0, 1, 2, ... where nobody says otherwise; (T,) or (clips, T), float64.

    Raises:
        ConfigError: not one for each frame, not finite, not ascending, or of other clips.
    """
    if times is None:
        return torch.arange(count, dtype=torch.float64)
    at = torch.as_tensor(times, dtype=torch.float64).detach().cpu()
    if at.ndim not in (1, 2) or at.shape[-1] != count:
        raise ConfigError(f"{at.shape[-1] if at.ndim else 1} times were given for {count} {name}; give one for each.")
    if not bool(at.isfinite().all()):
        raise ConfigError(f"The times of the {name} are not all finite; each is a number of frames, such as 2.5.")
    if told := _disorder(at, at.diff(dim=-1) <= 0):
        raise ConfigError(f"The times of the {name} must ascend, none twice; {told}. Sort the frames by their times.")
    return _of_clips(at, clips)


def checked_query(times: Times, clips: int) -> Tensor:
    """When frames are wanted, (n,) or (clips, n), float64; in ascending order, where one may come twice.

    Raises:
        ConfigError: none, not finite, out of order, or of other clips.
    """
    at = torch.as_tensor(times, dtype=torch.float64).detach().cpu()
    if at.ndim not in (1, 2) or not at.shape[-1]:
        raise ConfigError(
            f"Frames are wanted at {tuple(at.shape)} times; give one or more in a row, such as [10, 10.5, 11]."
        )
    if not bool(at.isfinite().all()):
        raise ConfigError(
            "Not all times at which frames are wanted are finite; each is a number of frames, such as 10.5."
        )
    if told := _disorder(at, at.diff(dim=-1) < 0):
        raise ConfigError(f"The times at which frames are wanted must ascend; {told}. Sort them.")
    return _of_clips(at, clips)


def _of_clips(at: Tensor, clips: int) -> Tensor:
    """Times (n,) for all clips, or (clips, n)."""
    if at.ndim == 1:
        return at
    if len(at) not in (1, clips):
        raise ConfigError(
            f"Times of {len(at)} clips were given, and there are {clips}; give a row for each, or one row for all."
        )
    return at.expand(clips, -1)


def _disorder(at: Tensor, wrong: Tensor) -> str:
    """The first two times, (n,) or (B, n), between which a step, (n - 1,) or (B, n - 1), is wrong; nothing if none is."""
    places = wrong.nonzero()
    if not len(places):
        return ""
    *row, place = places[0].tolist()
    return f"{at[(*row, place + 1)]:g} comes after {at[(*row, place)]:g}"


def checked_mask(mask: Tensor | None, count: int, clips: int) -> Tensor | None:
    """Which known frames are there, (B, T), bool.

    Raises:
        ShapeError: of another shape.
        ConfigError: a clip has none.
    """
    if mask is None:
        return None
    if tuple(mask.shape) != (clips, count):
        raise ShapeError(
            f"The mask is {tuple(mask.shape)}; it must be {(clips, count)}, 1 for each frame that is there."
        )
    there = mask.bool()
    if not bool(there.any(1).all()):
        raise ConfigError(
            f"The mask hides every frame of clip {int((~there.any(1)).nonzero()[0])}; leave one there, or generate."
        )
    return there


def checked_count(trajectories: int | None, *, mean: bool, variational: bool) -> int:
    """How many answers to give for each clip.

    Raises:
        ConfigError: several of a model that knows one, or of the mean.
    """
    if trajectories is None:
        return 1
    check_whole("trajectories", trajectories)
    if trajectories > 1 and not variational:
        raise ConfigError(
            f"{trajectories} trajectories were asked for, and this model knows one future of a clip; leave trajectories out, "
            "or train a variational one."
        )
    if trajectories > 1 and mean:
        raise ConfigError(
            f"{trajectories} trajectories were asked for, and the mean of the state has one; leave mean out."
        )
    return trajectories


def warn_of_distance(query: Tensor, clock: Tensor, window: int) -> None:
    """Say that a path is a guess where it is followed very far."""
    far = max(float(query.max() - clock.min()), float(clock.max() - query.min()))
    if far > _FAR * window:
        warnings.warn(
            f"Frames {far:g} frames away were asked for, and training clips had {window}; so far the path is a guess.",
            stacklevel=4,
        )
