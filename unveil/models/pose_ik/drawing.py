"""Effectors at random, taken from poses that are known: what a model is asked as it learns, and when it is measured."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unveil.body.effectors import LOOK_AT, POSITION, ROTATION
from unveil.body.joints import JOINTS
from unveil.core.random import Streams
from unveil.geometry import euler_to_matrix, matrix_to_6d

_NEAREST, _FAR = 1e-3, 5.0  # metres: targets of looks are this far away at least, and about


class Counts(NamedTuple):
    """How many effectors there are of each kind; the same for every pose."""

    positions: int
    rotations: int
    looks: int


class Asked(NamedTuple):
    """Effectors as the network reads them: first the positions, then the rotations, then the looks.

    Attributes:
        counts: of each kind.
        kind, joint, tolerance, weight: (B, N).
        data: (B, N, 6).
    """

    counts: Counts
    kind: Tensor
    joint: Tensor
    data: Tensor
    tolerance: Tensor
    weight: Tensor

    @property
    def positions(self) -> slice:
        """The places of the positions."""
        return slice(0, self.counts.positions)

    @property
    def rotations(self) -> slice:
        """The places of the rotations."""
        return slice(self.counts.positions, self.counts.positions + self.counts.rotations)

    @property
    def looks(self) -> slice:
        """The places of the looks."""
        return slice(self.counts.positions + self.counts.rotations, None)


def draw_counts(streams: Streams, least: int, most: int, positions: int) -> Counts:
    """Draw how many effectors there are, and share them out to the kinds.

    Args:
        streams: all rows draw together.
        least: effectors in all.
        most: effectors in all, before positions are raised.
        positions: at least so many are positions.

    Returns:
        No more positions and rotations than there are joints; what is beyond looks.
    """
    numbers = np.random.default_rng(int(streams.shared() * 2**53))
    total = int(numbers.integers(least, most + 1))
    places, turns, looks = (int(count) for count in numbers.multinomial(total, (1 / 3, 1 / 3, 1 / 3)))
    placed, turned = min(max(places, positions), len(JOINTS)), min(turns, len(JOINTS))
    return Counts(placed, turned, looks + max(places - placed, 0) + turns - turned)


def draw_joints(streams: Streams, counts: Counts, first: tuple[tuple[int, ...], ...] = ()) -> Tensor:
    """Draw which joints are asked, (B, N): positions and rotations each of different joints, looks of any.

    Args:
        streams: one for each row.
        counts: of each kind.
        first: sets of joints, of each of which one has a position.
    """
    batch, joints = len(streams), len(JOINTS)
    u = streams.rand((batch, 2 * joints + counts.looks))
    keys, turns = u[:, :joints], u[:, joints : 2 * joints]
    for place, zone in enumerate(first):
        of = torch.tensor(zone)
        chosen = of[keys[:, of].argmax(1)]
        keys = keys.scatter(1, chosen[:, None], 2.0 + len(first) - place)
    return torch.cat(
        [
            keys.argsort(1, descending=True)[:, : counts.positions],
            turns.argsort(1)[:, : counts.rotations],
            (u[:, 2 * joints :] * joints).long(),
        ],
        1,
    )


def ask(
    positions: Tensor,
    rotations: Tensor,
    joint: Tensor,
    counts: Counts,
    streams: Streams,
    *,
    spread: float = 0.0,
    power: float = 13.0,
) -> Asked:
    """Effectors that a pose meets, but for some noise of a size that is told as their tolerance.

    Args:
        positions: of all joints, (B, 24, 3).
        rotations: of all joints in the world, (B, 24, 3, 3).
        joint: which are asked, (B, N).
        counts: of each kind.
        streams: one for each row.
        spread: the largest tolerance, metres and radians; 0 adds no noise.
        power: that a uniform number is raised to, to be the share of it.

    Source: Oreshkin et al. (2022), arXiv:2106.01981, section 3.4.
    """
    batch, device = len(positions), positions.device
    joint = joint.to(device)
    row = torch.arange(batch, device=device)[:, None]
    places, turns, looks = counts
    z = streams.randn((batch, 4 * looks + (3 * (places + turns) if spread else 0))).to(positions)
    tolerance = torch.zeros(batch, places + turns + looks).to(positions)
    place = positions[row, joint[:, :places]]
    turn = rotations[row, joint[:, places : places + turns]]
    if spread:
        drawn = spread * streams.rand((batch, places + turns)) ** power
        tolerance[:, : places + turns] = drawn.to(positions)
        noise = z[:, 4 * looks :].unflatten(1, (-1, 3)) * tolerance[:, : places + turns, None]
        place = place + noise[:, :places]
        turn = euler_to_matrix(noise[:, places:], "XYZ") @ turn
    data = [torch.cat([place, torch.zeros_like(place)], -1), matrix_to_6d(turn)]
    if looks:
        direction = torch.nn.functional.normalize(z[:, : 3 * looks].unflatten(1, (looks, 3)), dim=-1)
        seen = joint[:, places + turns :]
        ahead = (rotations[row, seen] @ direction[..., None]).squeeze(-1)
        far = _NEAREST + _FAR * z[:, 3 * looks : 4 * looks].abs()
        data.append(torch.cat([positions[row, seen] + far[..., None] * ahead, direction], -1))
    kinds = [POSITION] * places + [ROTATION] * turns + [LOOK_AT] * looks
    kind = torch.tensor(kinds, device=device).expand(batch, -1)
    return Asked(counts, kind, joint, torch.cat(data, 1), tolerance, torch.ones_like(tolerance))
