"""The ways in which solvers of poses are measured: which effectors they are given of a pose that is known."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from unveil.body.effectors import Effectors
from unveil.body.joints import JOINTS
from unveil.core.errors import ConfigError
from unveil.core.random import Randomness, Streams
from unveil.models.pose_ik.drawing import Counts, ask, draw_counts, draw_joints
from unveil.models.pose_protocols import PROTOCOLS as PROTOCOLS
from unveil.models.pose_protocols import Protocol as Protocol


def _named(*names: str) -> tuple[int, ...]:
    return tuple(JOINTS.index(name) for name in names)


_SIX = ("pelvis", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
_ZONES = (
    _named("pelvis", "left_hip", "right_hip"),
    _named("neck", "head"),
    *(_named(f"{side}_elbow", f"{side}_wrist", f"{side}_hand") for side in ("left", "right")),
    *(_named(f"{side}_knee", f"{side}_ankle", f"{side}_foot") for side in ("left", "right")),
)


def draw_effectors(protocol: Protocol, positions: Tensor, rotations: Tensor, generator: Randomness = None) -> Effectors:
    """Exact effectors of poses, as a protocol draws them; all poses of a call have as many of each kind.

    - "thesis": 2 to 64 of any kind, a position at least;
    - "release": 3 to 16 of any kind, three positions at least, as published code is measured;
    - "protores": 6 to 12, of which one position each at the hips, the head, either arm and either leg;
    - "six": positions of the pelvis, the neck, the wrists and the ankles, and nothing else.

    Args:
        protocol: which.
        positions: of all joints, (B, 24, 3).
        rotations: of all joints in the world, (B, 24, 3, 3).
        generator: where they are drawn from.

    Raises:
        ConfigError: there is no such protocol.

    Source: Voleti (2023), Conditional generative modeling for images, 3D animations, and video, section 5.6; Oreshkin et
    al. (2022), arXiv:2106.01981, section 4.
    """
    streams = Streams.of(generator, len(positions))
    if protocol not in PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}.")
    counts, zones = _DRAWN[protocol](streams)
    asked = ask(positions, rotations, draw_joints(streams, counts, zones), counts, streams)
    return Effectors(asked.kind, asked.joint, asked.data, asked.tolerance, asked.weight)


def _protores(streams: Streams) -> tuple[Counts, tuple[tuple[int, ...], ...]]:
    numbers = np.random.default_rng(int(streams.shared() * 2**53))
    rest = int(numbers.integers(0, 7))
    more, turns, looks = (int(count) for count in numbers.multinomial(rest, (1 / 3, 1 / 3, 1 / 3)))
    return Counts(len(_ZONES) + more, turns, looks), _ZONES


_DRAWN: dict[str, Callable[[Streams], tuple[Counts, tuple[tuple[int, ...], ...]]]] = {
    "thesis": lambda streams: (draw_counts(streams, 2, 64, 1), ()),
    "release": lambda streams: (draw_counts(streams, 3, 16, 3), ()),
    "protores": _protores,
    "six": lambda _: (Counts(len(_SIX), 0, 0), tuple((joint,) for joint in _named(*_SIX))),
}
