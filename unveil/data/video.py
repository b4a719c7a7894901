"""One clip in and out, as plain numbers."""

import io
import json
import os
import warnings
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ImageChops
from PIL.GifImagePlugin import getdata, getheader
from torch import Tensor

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.files import new_file, reason, shown
from unveil.core.numbers import check_whole
from unveil.data.clip_sources import find_clips
from unveil.data.clips import FPS, Clip, take
from unveil.data.decoding import UnreadableError
from unveil.data.saving import as_image, save_images, to_uint8
from unveil.data.sources import check_source
from unveil.data.video_file import load_av
from unveil.data.writing import check_clip, check_rate

_ENCODERS = {
    ".mp4": ("mp4", "libx264", "yuv420p", {"crf": "16", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", "yuv420p", {"crf": "18", "b": "0", "row-mt": "1"}),
}


def read_video(
    path: str | os.PathLike[str], *, start: int = 0, frames: int | None = None, stride: int = 1
) -> tuple[np.ndarray, float]:
    """Read a clip, or some of its frames, as they are.

    Of a video only what lies between the last key frame before `start` and the last frame is decoded.

    Args:
        path: a video, a gif, an .npz or .npy file of one clip, or a folder of frames.
        start: the first frame, counted from 0.
        frames: how many; None for all that follow.
        stride: every how many frames one is taken.

    Returns:
        Frames (T, H, W, C), uint8, C = 1 for grey and 3 for RGB, and how many a second are played (12.5 where nothing
        says so), each `stride` of which are one.

    Raises:
        DataError: it cannot be read, holds several clips, or has fewer frames.
    """
    check_whole("start", start, 0)
    check_whole("stride", stride)
    if frames is not None:
        check_whole("frames", frames)
    clip = open_clip(path)
    count = max(1, -(-(clip.count - start) // stride)) if frames is None else frames
    need = start + (count - 1) * stride + 1
    if need > clip.count:
        raise DataError(
            f"'{shown(path)}' has {clip.count} frames, and {need} are needed: give a longer clip, or ask for less."
        )
    return take(clip, start, count, stride), (clip.fps or FPS) / stride


def open_clip(path: str | os.PathLike[str]) -> Clip:
    """Open the only clip of a file, or of a folder of frames, without decoding it.

    Raises:
        DataError: it cannot be read, or holds several clips.
    """
    found = find_clips(check_source(path))
    if len(found.items) > 1:
        raise DataError(
            f"'{shown(path)}' holds {len(found.items)} clips; give one of them, such as '{found.items[0].name}'."
        )
    try:
        clips = found.items[0].open()
    except (OSError, UnreadableError) as error:
        raise DataError(f"'{shown(path)}' cannot be read as a clip: {reason(error)}.") from None
    if len(clips) > 1:
        raise DataError(f"'{shown(path)}' holds {len(clips)} clips, and one is needed; save it in a file of its own.")
    return clips[0]


def write_video(
    x: Tensor | np.ndarray,
    path: str | os.PathLike[str],
    *,
    fps: float = FPS,
    scale: int = 1,
    force: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a clip as .mp4 (H.264), .webm (VP9), .gif, .npz (frames and fps, which loses nothing), or a folder of PNGs.

    The two kinds of video need even sides; an odd one is made even by repeating the last row or column, with a warning.

    Args:
        x: frames (T, C, H, W) in [-1, 1], or uint8, grey or RGB; also uint8 (T, H, W, C) as `read_video` gives them.
        path: the file, told by its ending, or a folder, which has none.
        fps: frames a second. A gif counts in hundredths of a second, and keeps the rate by frames of different length.
        scale: enlarges each pixel to scale x scale.
        force: overwrite what is there.
        metadata: written beside the frames, as JSON.

    Returns:
        The path.

    Raises:
        ExistsError: something is there, and `force` is false.
        ShapeError: x is no clip.
        ConfigError: the ending or the rate cannot be.
        UnveilError: it cannot be written, as on a full disk.
    """
    path = Path(path).expanduser()
    check_clip(path, force)
    frames = _frames(x)
    check_whole("scale", scale)
    suffix = path.suffix.lower()
    check_rate(path, fps)
    frames = frames.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    comment = json.dumps(dict(metadata), default=str) if metadata else ""
    if not suffix:
        return save_images(frames, path, force=force, metadata={"fps": fps, **(metadata or {})})
    with new_file(path, force) as file:
        if suffix == ".gif":
            _write_gif(frames, file, fps, comment)
        elif suffix == ".npz":
            pixels = frames.permute(0, 2, 3, 1).numpy()
            with file.open("wb") as opened:
                np.savez_compressed(opened, frames=pixels, fps=np.float32(fps), comment=np.array(comment))
        else:
            _encode(frames, file, suffix, fps, comment)
    return path


def _frames(x: Tensor | np.ndarray) -> Tensor:
    """Frames (T, C, H, W) in uint8."""
    if isinstance(x, np.ndarray):
        x = torch.from_numpy(np.ascontiguousarray(x))
    if x.ndim == 4 and x.dtype == torch.uint8 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.numel():
        one = " Of a batch write each clip by itself." if x.ndim == 5 else ""
        raise ShapeError(f"A clip to write has the shape (T, C, H, W), C = 1 or 3; got {tuple(x.shape)}.{one}")
    return to_uint8(x)


def _write_gif(frames: Tensor, file: Path, fps: float, comment: str) -> None:
    """Each frame is one of the file, told by what differs from the one before; Pillow alone makes one of equal frames."""
    ends = [round(100 * (i + 1) / fps) for i in range(len(frames))]
    colour = frames.shape[1] == 3
    before = as_image(frames[0])
    with file.open("wb") as out:
        for i, picture in enumerate(map(as_image, frames)):
            changed = ImageChops.difference(picture, before).getbbox() or (0, 0, 1, 1)
            box = changed if i else (0, 0, *picture.size)
            before, part = picture, picture.crop(box)
            part = part.quantize() if colour else part.convert("P")
            if not i:
                out.writelines(getheader(part, info={"loop": 0, "comment": comment})[0])
            time = 10 * (ends[i] - (ends[i - 1] if i else 0))
            out.writelines(getdata(part, box[:2], duration=time, include_color_table=colour and i > 0))
        out.write(b";")


def _encode(frames: Tensor, file: Path, suffix: str, fps: float, comment: str) -> None:
    av = load_av()
    container, codec, pixels, options = _ENCODERS[suffix]
    tall, wide = frames.shape[-2:]
    if tall % 2 or wide % 2:
        frames = torch.nn.functional.pad(frames.float(), (0, wide % 2, 0, tall % 2), mode="replicate").byte()
        warnings.warn(
            f"{suffix[1:]} needs even sides, so the frames of {tall}x{wide} pixels are written as "
            f"{frames.shape[-2]}x{frames.shape[-1]}, the last row or column repeated.",
            stacklevel=3,
        )
    rate = Fraction(fps).limit_denominator(1001)
    memory = (
        io.BytesIO()
    )  # a container goes back to its beginning when it is closed, and a full disk must be ours to tell
    try:
        with av.open(memory, "w", format=container) as out:
            out.metadata["comment"] = comment
            stream = out.add_stream(codec, rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = frames.shape[-1], frames.shape[-2], pixels
            for picture in frames:
                rgb = picture.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
                out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            out.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise ConfigError(f"The clip cannot be written as {suffix}: {error.strerror or reason(error)}.") from None
    file.write_bytes(memory.getvalue())
