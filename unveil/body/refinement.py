"""Poses that do exactly what effectors ask, from poses that nearly do."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unveil.body.array_rotations import Array, cross_matrix, exponential, from_angles, logarithm, turn_between, unit
from unveil.body.effector_lists import CLOSEST
from unveil.body.effectors import LOOK_AT, POSITION, ROTATION, Effectors, Pose
from unveil.body.joints import JOINTS, PARENTS
from unveil.body.limits import LIMITS, pose_to_angles
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.geometry import matrix_from_6d

_DAMPING = 0.02
TURN = 0.3  # metres that count as much as a radian
METRE = 0.01  # metres of tolerance that halve what a position counts
_FAR = 0.5  # weighted metres of the largest residual that one step tries to undo at most
_DONE = 1e-12  # squared residuals below this are nothing
_NEAR_METRES, _NEAR_RADIANS = 0.005, 0.02
_ANGLES = 3 * len(JOINTS)
_ABOVE = [max(parent, 0) for parent in PARENTS]


class Refined(NamedTuple):
    """Poses and what they leave undone.

    Attributes:
        pose: the nearest that was found.
        residuals: of each effector, (B, N), metres for positions, radians for rotations and look-ats.
        reached: whether that is within twice the tolerance, or 5 mm, or about a degree, (B, N).
    """

    pose: Pose
    residuals: Tensor
    reached: Tensor


def refine(body: Body, pose: Pose, effectors: Effectors, steps: int = 10, *, limits: bool = True) -> Refined:
    """Move poses as little as need be until they do what effectors ask.

    Each step is a damped least-squares one over the turns of all joints and the place of the pelvis, and is taken only if it
    makes the sum of squares smaller. Bones keep their lengths: what cannot be reached is approached as nearly as can be, and
    the residuals say how nearly. A position counts less the greater its tolerance, and any effector by its weight.

    Args:
        body: whose joints they are.
        pose: where to start, B poses.
        effectors: what is asked, (B, N).
        steps: 3 do while something is dragged, 10 for a result to keep.
        limits: whether joints keep within the limits of a human's; one that starts outside may stay there.

    Raises:
        ShapeError: poses and effectors are not as many.
        ConfigError: a number of the poses cannot be, or a joint looks at a target that is where it is itself.

    Source: Wampler (1986), Manipulator inverse kinematic solutions based on vector formulations and damped least-squares
    methods; Buss (2004), Introduction to inverse kinematics, section 6.
    """
    check_whole("steps", steps, least=0)
    if len(pose) != len(effectors):
        raise ShapeError(
            f"{len(pose)} poses got effectors for {len(effectors)}; give one row of effectors for each pose."
        )
    with torch.no_grad():
        pose = pose.checked()
        chain = _Chain(body, pose, effectors, limits)
        for _ in range(steps):
            if not chain.step():
                break
        like = pose.rotations
        found = Pose(_tensor(chain.state.local, like), _tensor(chain.state.pelvis, like), pose.betas, pose.gender)
        residuals = _tensor(chain.residuals(), like)
        return Refined(found, residuals, reached(effectors, residuals))


def reached(effectors: Effectors, residuals: Tensor) -> Tensor:
    """Which effectors are met: within twice the tolerance, or 5 mm, or about a degree, (B, N)."""
    least = torch.where(effectors.kind == POSITION, _NEAR_METRES, _NEAR_RADIANS)
    return residuals <= torch.maximum(2 * effectors.tolerance, least)


class _State(NamedTuple):
    numbers: Array  # the angles about x, y and z of all joints, and where the pelvis is, (B, 75)
    local: Array  # (B, 24, 3, 3)
    world: Array  # rotations and places, (B, 24, 3, 4)
    rest: Array  # what is left to do, weighted, (B, N, 3)
    cost: Array  # (B,)

    @property
    def pelvis(self) -> Array:
        return self.numbers[:, _ANGLES:]

    @property
    def angles(self) -> Array:
        return self.numbers[:, :_ANGLES].reshape(-1, len(JOINTS), 3)


class _Chain:
    """The poses in double precision, as steps change them."""

    def __init__(self, body: Body, pose: Pose, effectors: Effectors, limits: bool) -> None:
        joints = _array(body.rest_joints(pose.betas, pose.gender))
        self.offsets = joints - joints[:, _ABOVE]
        self.joint, kind, data = effectors.joint.cpu().numpy(), effectors.kind.cpu().numpy(), _array(effectors.data)
        self.position, self.rotation, self.look = (kind == each for each in (POSITION, ROTATION, LOOK_AT))
        self.target, self.direction = data[..., :3], data[..., 3:, None]
        self.goal = matrix_from_6d(torch.from_numpy(data)).numpy() if self.rotation.any() else None
        tolerance = _array(effectors.tolerance) / METRE
        self.weight = np.where(self.position, 1 / (1 + tolerance), TURN / (1 + tolerance * TURN))
        self.weight = self.weight * np.sqrt(_array(effectors.weight))
        self.row = np.arange(len(pose))[:, None]
        self.below = _ancestors()[self.joint][..., None]  # (B, N, 24, 1)
        self.damping = np.full(len(pose), _DAMPING)
        self.free = [0] if limits else list(range(len(JOINTS)))  # joints without limits
        local = _array(pose.rotations)
        numbers = np.concatenate([pose_to_angles(torch.from_numpy(local)).flatten(1).numpy(), _array(pose.pelvis)], 1)
        low, high = _bounds(limits)
        self.low, self.high = np.minimum(low, numbers), np.maximum(high, numbers)
        self.state = self._placed(numbers, local)
        self._check_targets()
        self._come_near()

    def _check_targets(self) -> None:
        away = np.linalg.norm(self.target - self.state.world[self.row, self.joint, :, 3], axis=-1)
        wrong = self.look & (self.weight > 0) & (away < CLOSEST)
        if wrong.any():
            row, place = np.argwhere(wrong)[0]
            raise ConfigError(
                f"Effector [{row}, {place}] makes the {JOINTS[self.joint[row, place]]} look at where it is itself; move the "
                "target away."
            )

    def _come_near(self) -> None:
        """Move bodies that are elsewhere to where their positions are; steps only go so far."""
        weight = np.where(self.position, self.weight, 0)
        total = np.maximum((weight * weight).sum(1, keepdims=True), 1e-12)
        shift = (self.state.rest * weight[..., None]).sum(1) / total
        shift[np.linalg.norm(shift, axis=1) < _FAR] = 0
        if shift.any():
            moved = np.concatenate([np.zeros((len(shift), _ANGLES)), shift], 1)
            self.state = self._placed(self.state.numbers + moved, self.state.local)

    def residuals(self) -> Array:
        return np.linalg.norm(self._rest(self.state.world), axis=-1)

    def step(self) -> bool:
        """Try one step; false if no pose has anything left to do."""
        state = self.state
        if (state.cost < _DONE).all():
            return False
        change = self._solved(self._columns(state), state)
        numbers = np.minimum(np.maximum(state.numbers + change, self.low), self.high)
        turns = change[:, :_ANGLES].reshape(-1, len(JOINTS), 3)[:, self.free]
        local = from_angles(numbers[:, :_ANGLES].reshape(-1, len(JOINTS), 3))
        local[:, self.free] = state.local[:, self.free] @ exponential(turns)
        tried = self._placed(numbers, local)
        better = tried.cost < state.cost
        self.damping = np.where(better, np.maximum(self.damping / 3, _DAMPING), self.damping * 5)
        if better.all():
            self.state = tried
        elif better.any():
            pairs = zip(tried, state, strict=True)
            self.state = _State(*(np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in pairs))
        return True

    def _placed(self, numbers: Array, local: Array) -> _State:
        steps = np.concatenate([local, self.offsets[..., None]], -1)
        steps[:, 0, :, 3] = numbers[:, _ANGLES:]
        world = np.empty_like(steps)
        world[:, 0] = steps[:, 0]
        for joints, parents in _levels():
            above = world[:, parents]
            level = above[..., :3] @ steps[:, joints]
            level[..., 3] += above[..., 3]
            world[:, joints] = level
        rest = self._rest(world) * self.weight[..., None]
        return _State(numbers, local, world, rest, (rest * rest).sum((1, 2)))

    def _rest(self, world: Array) -> Array:
        """What is left to do: a way to go, or a turn to make, (B, N, 3)."""
        own = world[self.row, self.joint]
        rest = self.target - own[..., 3]
        if self.look.any():
            turn = turn_between((own[..., :3] @ self.direction)[..., 0], unit(rest))
            rest = np.where(self.look[..., None], turn, rest)
        if self.goal is not None:
            turn = logarithm(self.goal @ own[..., :3].swapaxes(-1, -2))
            rest = np.where(self.rotation[..., None], turn, rest)
        return rest

    def _columns(self, state: _State) -> Array:
        """How each of the 75 numbers moves what the effectors hold, weighted: (B, 3 N, 75)."""
        axes = self._axes(state)  # columns: what an angle turns about
        place = state.world[self.row, self.joint, :, 3]
        arm = place[:, :, None] - state.world[:, None, :, :, 3]  # (B, N, 24, 3)
        x, y, z = arm[..., 0, None], arm[..., 1, None], arm[..., 2, None]
        about = [axes[:, None, :, i] * self.below for i in range(3)]  # (B, N, 24, 3): component i of the axes
        moved = np.zeros((*self.joint.shape, 3, _ANGLES + 3))
        by_angle = moved[..., :_ANGLES].reshape(*self.joint.shape, 3, len(JOINTS), 3)
        by_angle[:, :, 0] = about[1] * z - about[2] * y
        by_angle[:, :, 1] = about[2] * x - about[0] * z
        by_angle[:, :, 2] = about[0] * y - about[1] * x
        moved[..., :_ANGLES] = by_angle.reshape(*self.joint.shape, 3, _ANGLES)
        moved[..., _ANGLES:] = np.eye(3)
        columns = moved
        if not self.position.all():
            turned = np.zeros_like(moved)
            for i in range(3):
                turned[:, :, i, :_ANGLES] = about[i].reshape(*self.joint.shape, _ANGLES)
            columns = np.where(self.position[..., None, None], moved, turned)
            if self.look.any():
                seen = self._seen(state, place, moved, turned)
                columns = np.where(self.look[..., None, None], seen, columns)
        return (columns * self.weight[..., None, None]).reshape(len(columns), -1, _ANGLES + 3)

    def _seen(self, state: _State, place: Array, moved: Array, turned: Array) -> Array:
        """The same of look-ats: a turn about the line of sight does nothing, and where the joint goes changes what is ahead."""
        away = self.target - place
        aim = (state.world[self.row, self.joint, :, :3] @ self.direction)[..., 0]
        distance = np.maximum(np.linalg.norm(away, axis=-1), CLOSEST)[..., None, None]
        ahead = away[..., None] / distance
        passed = moved - ahead * (ahead * moved).sum(-2, keepdims=True)
        across = turned - aim[..., None] * (aim[..., None] * turned).sum(-2, keepdims=True)
        return across + cross_matrix(ahead[..., 0]) @ passed / distance

    def _axes(self, state: _State) -> Array:
        """The world's directions that the angles about x, y and z turn a joint about, as columns; R = R_y R_z R_x.

        A free joint turns about its own axes.
        """
        above = state.world[:, _ABOVE]
        y = state.angles[..., 1, None]
        axes = state.world[..., :3].copy()
        axes[..., 1] = above[..., 1]
        axes[..., 2] = np.sin(y) * above[..., 0] + np.cos(y) * above[..., 2]
        axes[:, self.free] = state.world[:, self.free, :, :3]
        return axes

    def _solved(self, columns: Array, state: _State) -> Array:
        """The least change that undoes what is left, within the limits, (B, 75)."""
        length = np.sqrt((state.rest * state.rest).sum(-1)).max(1, initial=1e-12)
        rest = (state.rest * np.minimum(1, _FAR / length)[:, None, None]).reshape(len(columns), -1, 1)
        low, high = self.low - state.numbers, self.high - state.numbers
        damped = self.damping[:, None, None] ** 2 * np.eye(columns.shape[1])
        change, held = np.zeros_like(low), np.zeros_like(low, dtype=bool)
        free, left = columns, rest
        for _ in range(3):  # what a limit holds back is left to the other joints
            across = free.swapaxes(-1, -2)
            found = (across @ np.linalg.solve(free @ across + damped, left))[..., 0]
            change = np.where(held, change, found)
            beyond = (change < low) | (change > high)
            if not beyond.any():
                break
            change = np.minimum(np.maximum(change, low), high)
            held = held | beyond
            free = np.where(held[:, None], 0, columns)
            left = rest - columns @ np.where(held, change, 0)[..., None]
        return change


def _array(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()


def _tensor(values: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device, like.dtype)


@cache
def _bounds(limits: bool) -> tuple[Array, Array]:
    """The least and the greatest of the 75 numbers."""
    low, high = np.full(_ANGLES + 3, -np.inf), np.full(_ANGLES + 3, np.inf)
    if limits:
        low[3:_ANGLES], high[3:_ANGLES] = LIMITS[1:, :, 0].flatten().numpy(), LIMITS[1:, :, 1].flatten().numpy()
    return low, high


@cache
def _levels() -> list[tuple[slice, list[int]]]:
    """The joints of each depth but the first, which follow one another, and their parents."""
    depth = [0]
    for parent in PARENTS[1:]:
        depth.append(depth[parent] + 1)
    levels = []
    for level in range(1, max(depth) + 1):
        joints = [joint for joint, own in enumerate(depth) if own == level]
        levels.append((slice(joints[0], joints[-1] + 1), [PARENTS[joint] for joint in joints]))
    return levels


@cache
def _ancestors() -> Array:
    """1 where the second joint carries the first, or is it, (24, 24)."""
    carried = np.eye(len(JOINTS))
    for joint, parent in enumerate(PARENTS[1:], 1):
        carried[joint] += carried[parent]
    return carried
