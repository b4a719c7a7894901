"""The body whose bones are as long as a character's."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unveil.body.arrays import SHAPES
from unveil.body.joint_maps import JointMap, find_joints
from unveil.body.joints import GENDERS, JOINTS, PARENTS, find_gender
from unveil.body.motion import Motion
from unveil.body.parametric import Body
from unveil.body.retargeting import retarget
from unveil.body.skeleton import Skeleton
from unveil.core.errors import DataError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams

FEATURES = (
    ("hip", "knee"),
    ("knee", "ankle"),
    ("head", "ankle"),
    ("head", "wrist"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
)
"""The distances that a shape is told by, each the mean of both sides, of a skeleton in a T-pose."""

BANDWIDTH = 0.02  # metres
_STATURE = 1.45  # metres from head to ankle that a character is scaled to
_LEAST_MANY = 8.0  # samples that should have a say
_FARTHEST = 0.15  # metres from the nearest sample
_BENT = 0.17  # radians by which a limb may differ from a T-pose's
_RANGE, _SCALES = 5.0, (0.2, 2.0)
_POLISHING, _RIDGE = 10, 1e-4


class ShapeInversionError(DataError):
    """A skeleton that no body is like."""


@dataclass(frozen=True, eq=False)
class ShapeBank:
    """Bodies drawn at random, and their distances.

    Args:
        shape: uniform from -5 to 5, (K, 10).
        scale: uniform from 0.2 to 2, (K,).
        features: metres, (K, 6).
        rest: joints of the average shape, (24, 3).
        directions: how each number of a shape moves them, (24, 3, 10).
        gender: of all.
    """

    shape: Tensor
    scale: Tensor
    features: Tensor
    rest: Tensor
    directions: Tensor
    gender: str

    @classmethod
    def draw(
        cls, body: Body, gender: str | int = "neutral", samples: int = 20_000, generator: Randomness = None
    ) -> "ShapeBank":
        """Draw a bank.

        Args:
            body: whose shapes they are.
            gender: of all.
            samples: how many.
            generator: where they are drawn from; without it they are always the same.
        """
        check_whole("samples", samples)
        streams = Streams.of(torch.Generator().manual_seed(0) if generator is None else generator, 1)
        u = streams.rand((1, samples, SHAPES + 1))[0].double()
        shape, scale = _RANGE * (2 * u[:, :SHAPES] - 1), _SCALES[0] + (_SCALES[1] - _SCALES[0]) * u[:, SHAPES]
        number = find_gender(gender)
        rest = body.rest_joints(None, number).detach().cpu().double()
        moved = body.rest_joints(torch.eye(SHAPES, device=body.rest.device), number).detach().cpu().double()
        directions = (moved - rest).permute(1, 2, 0)
        bank = cls(shape, scale, shape[:, :0], rest, directions, GENDERS[number])
        return cls(shape, scale, bank.measure(shape, scale), rest, directions, GENDERS[number])

    def measure(self, shape: Tensor, scale: Tensor) -> Tensor:
        """The distances of bodies, (..., 6), from shapes (..., 10) and scales (...)."""
        joints = self.rest + (self.directions @ shape[..., None, :, None]).squeeze(-1)
        return scale[..., None] * _distances(joints, {name: j for j, name in enumerate(JOINTS)})


class ShapeInversion(NamedTuple):
    """The body that was found.

    Attributes:
        shape: (10,).
        scale: how much larger the character is than that body.
        gender: of the body.
        features: the character's distances, (6,), in its own units.
        found: the same of the body, scaled.
        samples: how many samples of the bank had a say, as an effective number.
        nearest: how far the nearest was, metres at human size.
        bandwidth: of the weights, metres at human size.
    """

    shape: Tensor
    scale: float
    gender: str
    features: Tensor
    found: Tensor
    samples: float
    nearest: float
    bandwidth: float

    @property
    def error(self) -> float:
        """The mean error of the distances, in the character's units."""
        return float((self.found - self.features).abs().mean())


def invert_shape(
    skeleton: Skeleton,
    bank: ShapeBank,
    *,
    joint_map: JointMap | None = None,
    prescale: bool = True,
    adaptive: bool = True,
    polish: bool = False,
) -> ShapeInversion:
    """Find the shape and the size of a body that has a skeleton's proportions.

    Six distances are compared with those of bodies drawn at random, and the shapes of those like it are averaged, weighted by
    a Gaussian of how far they are. Ten numbers do not follow from six: the body is one of many of these proportions. A
    skeleton that is not bound in a T-pose is straightened first.

    Args:
        skeleton: of the character, standing along Y.
        bank: bodies to compare it with.
        joint_map: which joints are a human's; found by names and tree unless given.
        prescale: whether the character is brought to a human's size first, so that its units do not matter.
        adaptive: whether the Gaussian is widened where fewer than eight samples would count; this warns.
        polish: whether the average is improved by least squares.

    Raises:
        ShapeInversionError: joints are missing, which are named, or no body is like the skeleton.

    Source: Voleti et al. (2022), arXiv:2208.08274, section 3.3; Nadaraya (1964) and Watson (1964) for the average.
    """
    features = skeleton_features(skeleton, joint_map, bank)
    size = float(features[2]) / _STATURE if prescale else 1.0
    goal = features / size
    squared = (bank.features - goal).square().sum(1)
    nearest = float(squared.min().sqrt())
    if not nearest <= _FARTHEST:
        own = bank.features[squared.argmin()]
        pairs = ", ".join(
            f"{a} to {b} {x:.2f} (nearest {y:.2f})"
            for (a, b), x, y in zip(FEATURES, goal.tolist(), own.tolist(), strict=True)
        )
        raise ShapeInversionError(
            f"No body is like this skeleton; in metres{' at human size' if prescale else ''} it measures {pairs}. "
            + (
                "Are its joints the right ones?"
                if prescale
                else "If it is not in metres, let it be scaled: prescale=True."
            )
        )
    width = BANDWIDTH
    weights = _weights(squared, width)
    if _effective(weights) < _LEAST_MANY:
        if adaptive:
            width = _widened(squared)
            weights = _weights(squared, width)
        warnings.warn(
            f"Few bodies are like this skeleton; the average is over {_effective(weights):.1f} of them"
            + (f", with a bandwidth of {1000 * width:.0f} mm." if adaptive else "."),
            stacklevel=2,
        )
    found = torch.cat([weights @ bank.shape, (weights @ bank.scale)[None]])
    if polish:
        found = _polished(bank, found, goal)
    shape, scale = found[:SHAPES], found[SHAPES] * size
    return ShapeInversion(
        shape.float(),
        float(scale),
        bank.gender,
        features,
        bank.measure(shape, scale),
        _effective(weights),
        nearest,
        width,
    )


def skeleton_features(skeleton: Skeleton, joint_map: JointMap | None, bank: ShapeBank) -> Tensor:
    """The distances of a skeleton in a T-pose, (6,), in its own units.

    Raises:
        ShapeInversionError: joints are missing.
    """
    found = find_joints(skeleton) if joint_map is None else joint_map
    if found.missing:
        raise ShapeInversionError(
            f"The skeleton has no joint for {', '.join(found.missing)}, so its proportions are not known. If they are there "
            "under names of their own, give a joint map that names them."
        )
    joints = found.indices(skeleton)
    places = skeleton.positions.double()
    if _is_bent(places, joints):
        upright = Skeleton.at_rest(JOINTS, PARENTS, bank.rest)
        still = Motion(upright, torch.eye(3).double().expand(1, len(JOINTS), 3, 3), bank.rest[:1])
        places = retarget(still, skeleton, target_map=found).world()[1][0].double()
    return _distances(places, joints)


def _distances(places: Tensor, joints: dict[str, int]) -> Tensor:
    def along(side: str, start: str, end: str) -> Tensor:
        a, b = (joints[name if name == "head" else f"{side}_{name}"] for name in (start, end))
        return (places[..., a, :] - places[..., b, :]).norm(dim=-1)

    return torch.stack([(along("left", *pair) + along("right", *pair)) / 2 for pair in FEATURES], -1)


def _is_bent(places: Tensor, joints: dict[str, int]) -> bool:
    """Whether a limb is not as in a T-pose."""
    for side, sign in (("left", 1.0), ("right", -1.0)):
        out, down = places.new_tensor([sign, 0, 0]), places.new_tensor([0, -1.0, 0])
        for start, end, way in (
            ("shoulder", "elbow", out),
            ("elbow", "wrist", out),
            ("hip", "knee", down),
            ("knee", "ankle", down),
        ):
            bone = places[joints[f"{side}_{end}"]] - places[joints[f"{side}_{start}"]]
            if float(torch.acos((bone @ way / bone.norm().clamp_min(1e-12)).clamp(-1, 1))) > _BENT:
                return True
    return False


def _weights(squared: Tensor, width: float) -> Tensor:
    return torch.softmax(-squared / (2 * width**2), 0)


def _effective(weights: Tensor) -> float:
    return 1 / float(weights.square().sum())


def _widened(squared: Tensor) -> float:
    """The smallest bandwidth with which enough samples count."""
    low, high = BANDWIDTH, 1e3
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _effective(_weights(squared, middle)) >= _LEAST_MANY else (middle, high)
    return high


def _polished(bank: ShapeBank, start: Tensor, goal: Tensor) -> Tensor:
    """Least squares on the distances, near to where it started."""

    def measured(numbers: Tensor) -> Tensor:
        return bank.measure(numbers[:SHAPES], numbers[SHAPES])

    found = start
    identity = torch.eye(len(start), dtype=start.dtype)
    for _ in range(_POLISHING):
        slope = torch.autograd.functional.jacobian(measured, found)
        pull = slope.T @ (goal - measured(found)) + _RIDGE * (start - found)
        found = found + torch.linalg.solve(slope.T @ slope + _RIDGE * identity, pull)
        found = torch.cat([found[:SHAPES].clamp(-_RANGE, _RANGE), found[SHAPES:].clamp_min(1e-3)])
    return found
