"""The animations of a glTF file."""

import warnings
from typing import Any

import numpy as np
import torch

from unveil.body.gltf.document import Document
from unveil.body.gltf.nodes import matrix_of
from unveil.geometry import slerp

_FIELDS = {"translation": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0), "scale": (1.0, 1.0, 1.0)}
_LONGEST = 100_000  # frames


def sample_animation(
    document: Document, animation: dict[str, Any], local: np.ndarray, fps: float | None
) -> tuple[np.ndarray, float]:
    """The nodes of every frame of an animation.

    Args:
        document: the file.
        animation: one of its.
        local: how nodes that do not move stand in their parents, (N, 4, 4).
        fps: frames per second; without it those of the channel with the most keys.

    Returns:
        How the nodes stand in their parents, (N, T, 4, 4), and the frames per second.
    """
    samplers = animation.get("samplers", [])
    tracks = []
    for channel in animation.get("channels", []):
        target, sampler = channel.get("target", {}), samplers[channel["sampler"]]
        if target.get("path") in _FIELDS and "node" in target:
            document.item("nodes", target["node"])
            times, values = (
                document.numbers(sampler["input"]).astype(float),
                document.numbers(sampler["output"]).astype(float),
            )
            tracks.append((target["node"], target["path"], times, values, sampler.get("interpolation", "LINEAR")))
    keys = [times for _, _, times, _, _ in tracks if len(times) > 1]
    end = max((float(times[-1]) for times in keys), default=0.0)
    if fps is None:
        most = max(keys, key=len, default=np.array([0.0, 1 / 30]))
        fps = (len(most) - 1) / max(float(most[-1] - most[0]), 1e-6)
        fps = float(round(fps)) if abs(fps - round(fps)) < 1e-3 * fps else fps
    count = int(end * fps + 1.001)
    if count > _LONGEST:
        warnings.warn(f"An animation of {count} frames is cut to {_LONGEST}.", stacklevel=2)
    moments = np.arange(min(count, _LONGEST)) / fps
    moved: dict[int, dict[str, np.ndarray]] = {}
    for node, path, times, values, interpolation in tracks:
        moved.setdefault(node, {})[path] = _interpolate(times, values, moments, interpolation, path == "rotation")
    frames = np.repeat(local[:, None], len(moments), 1)
    for node, fields in moved.items():
        still = document.item("nodes", node)
        parts = [
            fields.get(path, np.broadcast_to(np.array(still.get(path, rest), float), (len(moments), len(rest))))
            for path, rest in _FIELDS.items()
        ]
        frames[node] = matrix_of(*parts)
    return frames, fps


def _interpolate(times: np.ndarray, values: np.ndarray, moments: np.ndarray, kind: str, turns: bool) -> np.ndarray:
    cubic = kind == "CUBICSPLINE"
    if cubic:  # each key has a tangent in, a value and a tangent out
        values = values.reshape(len(times), 3, -1)
    low = np.clip(np.searchsorted(times, moments + 1e-9, "right") - 1, 0, len(times) - 1)
    high = np.minimum(low + 1, len(times) - 1)
    gap = times[high] - times[low]
    share = np.clip(np.where(gap > 0, (moments - times[low]) / np.where(gap > 0, gap, 1), 0), 0, 1)
    if cubic:
        s, d = share[:, None], gap[:, None]
        start, end = values[low, 1], values[high, 1]
        out, into = d * values[low, 2], d * values[high, 0]
        found = (
            (2 * s**3 - 3 * s**2 + 1) * start
            + (s**3 - 2 * s**2 + s) * out
            + (3 * s**2 - 2 * s**3) * end
            + (s**3 - s**2) * into
        )
    elif kind == "STEP":
        found = values[np.where(share >= 1, high, low)]
    elif turns:
        start, end = (torch.from_numpy(_unit(values[i])) for i in (low, high))
        found = slerp(start, end, torch.from_numpy(share)).numpy()
    else:
        found = values[low] + share[:, None] * (values[high] - values[low])
    return _unit(found) if turns else found


def _unit(quaternions: np.ndarray) -> np.ndarray:
    return quaternions / np.maximum(np.linalg.norm(quaternions, axis=-1, keepdims=True), 1e-12)
