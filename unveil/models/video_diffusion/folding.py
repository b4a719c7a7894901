"""Frames as channels, and back; nothing else reshapes videos."""

from torch import Tensor


def fold(video: Tensor) -> Tensor:
    """Lay the frames of videos side by side: (B, T, C, H, W) -> (B, T C, H, W), channel t C + c being channel c of frame t."""
    return video.flatten(1, 2)


def unfold(channels: Tensor, frames: int) -> Tensor:
    """The inverse: (B, T C, H, W) -> (B, T, C, H, W) for T frames."""
    return channels.unflatten(1, (frames, -1))
