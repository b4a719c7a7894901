"""From a few effectors, a body's shape and its gender to one plausible pose, in one pass of a network."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from unveil.body.effectors import POSITION, Effectors, Pose
from unveil.body.joints import GENDERS, PARENTS
from unveil.body.kinematics import forward_kinematics
from unveil.body.limits import mirror_pose
from unveil.body.parametric import Body, warn_of_shapes
from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Batch, Move, Randomness, Stage
from unveil.core.random import Streams
from unveil.geometry import axis_angle_to_matrix, matrix_from_6d
from unveil.models.pose_ik.drawing import Asked, ask, draw_counts, draw_joints
from unveil.models.pose_ik.learning import Learning
from unveil.models.pose_ik.losses import Placed, pose_loss
from unveil.models.still import evaluating
from unveil.networks.pose_net import PoseNet

_SHAPES, _LARGEST = 10, 4.0
_ABOVE = list(PARENTS[1:])


class Solved(NamedTuple):
    """What the network makes of effectors.

    Attributes:
        draft: where its first decoder has the joints, (B, 24, 3), metres; the pelvis of the pose is there.
        pose: with all of its joints.
    """

    draft: Tensor
    pose: Placed


class PoseIK(nn.Module):
    """Inverse kinematics that has learned what poses of people look like.

    Bodies of any shape are told by ten numbers and a gender. The answer's bones have the body's lengths exactly; what was asked
    for is met nearly, within some centimetres: `unveil.body.refine` makes it exact.

    Args:
        net: effectors and a body's numbers -> a draft of the joints' places, and six numbers for each rotation.
        body: whose joints they are; it has nothing to train and is not kept with the weights, only a name of its numbers.
        learning: how it learns.
        gender: told to the network as three numbers of which one is 1 ("one-hot"), or as its number, as released code has it.

    Raises:
        ConfigError: the network is told another number of things.

    Source: Voleti et al. (2022), SMPL-IK, arXiv:2208.08274; Oreshkin et al. (2022), ProtoRes, arXiv:2106.01981.
    """

    trained_with: Tensor

    def __init__(
        self,
        net: PoseNet,
        body: Body,
        learning: Learning = Learning(),
        gender: Literal["one-hot", "number"] = "one-hot",
    ) -> None:
        super().__init__()
        told = _SHAPES + (len(GENDERS) if gender == "one-hot" else 1)
        if net.told != told:
            raise ConfigError(
                f"The network is told {net.told} numbers of a body, and a gender as {gender} makes {told}; make it so."
            )
        self.net, self.body, self.learning, self.gender = net, body, learning, gender
        self.register_buffer("trained_with", torch.tensor(list(bytes.fromhex(body.fingerprint)), dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_compare_bodies)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.trained_with.device

    def forward(self, asked: Asked | Effectors, betas: Tensor, gender: Tensor) -> Solved:
        """What the network makes of effectors, with gradients; shapes (B, 10), genders (B,)."""
        return self._solved(asked, betas, gender, self._offsets(betas, gender))

    def _solved(self, asked: Asked | Effectors, betas: Tensor, gender: Tensor, offsets: Tensor) -> Solved:
        draft, six = self.net(
            asked.kind, asked.joint, asked.data, asked.tolerance, asked.weight, self._told(betas, gender)
        )
        with torch.autocast(betas.device.type, enabled=False):  # millimetres need all digits
            draft, rotations = draft.float(), matrix_from_6d(six.float())
            return Solved(draft, _placed(rotations, offsets, draft[:, 0]))

    def _told(self, betas: Tensor, gender: Tensor) -> Tensor:
        if self.gender == "one-hot":
            return torch.cat([betas, nn.functional.one_hot(gender, len(GENDERS)).to(betas)], 1)
        return torch.cat([betas, gender[:, None].to(betas)], 1)

    def _offsets(self, betas: Tensor, gender: Tensor) -> Tensor:
        """Each joint's place in its parent's frame, (B, 24, 3)."""
        rest = self.body.rest_joints(betas, gender)
        return torch.cat([rest[:, :1], rest[:, 1:] - rest[:, _ABOVE]], 1)

    # -- training -----------------------------------------------------------------------------------------------------

    def loss(
        self, pose: Tensor, generator: Randomness = None, betas: Tensor | None = None, gender: Tensor | None = None
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What training minimises, and what is worth a look.

        Args:
            pose: local rotations, (B, 24, 3, 3).
            generator: where bodies, effectors and noise are drawn from.
            betas: shapes that the data tells, (B, 10).
            gender: genders that the data tells, (B,).

        Raises:
            ConfigError: the data must tell bodies and does not.
        """
        learning = self.learning
        streams = Streams.of(generator, len(pose))
        betas, gender = self._bodies(pose, streams, betas, gender)
        pose = self._moved(pose, streams)
        offsets = self._offsets(betas, gender)
        truth = _placed(pose, offsets, pose.new_zeros(3))
        counts = draw_counts(streams, learning.least, learning.most, learning.positions)
        joint = draw_joints(streams, counts)
        asked = ask(truth.positions, truth.world, joint, counts, streams, spread=learning.spread, power=learning.power)
        solved = self._solved(asked, betas, gender, offsets)
        total, parts = pose_loss(learning.loss, asked, truth, solved.draft, solved.pose)
        with torch.no_grad():
            apart = (solved.pose.positions - truth.positions) - (solved.draft[:, :1] - truth.positions[:, :1])
            error = 1000 * apart.norm(dim=-1).mean()
        return total, {**parts, "mpjpe": error}

    def _bodies(
        self, pose: Tensor, streams: Streams, betas: Tensor | None, gender: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        how = self.learning.bodies
        if betas is None or gender is None:
            if how != "drawn":
                raise ConfigError(f"Bodies are {how}, and the data tells none; train with model.bodies=drawn.")
        elif how == "given":
            return betas, gender
        z = streams.randn((len(pose), _SHAPES)).clamp(-_LARGEST, _LARGEST).to(pose)
        own = torch.tensor([GENDERS.index(name) for name in self.body.genders])
        drawn = own[(streams.rand((len(pose),)) * len(own)).long()].to(pose.device)
        return (z if betas is None or how == "drawn" else betas + z), drawn

    def _moved(self, pose: Tensor, streams: Streams) -> Tensor:
        """Mirrored as often as not, and turned anyhow; the data knows no left from right, and no north."""
        u = streams.rand((len(pose), 2)).to(pose)
        if self.learning.mirror:
            pose = torch.where((u[:, 0] < 0.5)[:, None, None, None], mirror_pose(pose), pose)
        if self.learning.turn:
            about = pose.new_tensor([0.0, 2 * torch.pi, 0.0]) * u[:, 1:]
            pose = torch.cat([axis_angle_to_matrix(about)[:, None] @ pose[:, :1], pose[:, 1:]], 1)
        return pose

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        loss, logs = self.loss(batch.x, batch.generator, batch.cond.get("shape"), batch.cond.get("gender"))
        yield Move("model", loss, {"loss": loss.detach(), **logs})

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        return [Stage.only({"model": self}, steps, self.moves, ("mpjpe",))]

    # -- use ----------------------------------------------------------------------------------------------------------

    def solve(self, effectors: Effectors, betas: Tensor, gender: Tensor, *, anchor: Tensor | None = None) -> Pose:
        """One pose for each row of effectors.

        Tolerances beyond the largest that it learned with are taken as that.

        Args:
            effectors: what is asked, of B poses.
            betas: shapes, (B, 10).
            gender: numbers of genders, (B,).
            anchor: where the pelvis is of those of which no position is asked, (3,) or (B, 3).

        Raises:
            ShapeError: there are other numbers of effectors and bodies.
            ConfigError: no position is asked, or the body is not of a gender.
        """
        if betas.shape != (len(effectors), _SHAPES) or gender.shape != (len(effectors),):
            raise ShapeError(
                f"Effectors of {len(effectors)} poses got shapes {tuple(betas.shape)} and genders {tuple(gender.shape)}; they "
                f"need ({len(effectors)}, {_SHAPES}) and ({len(effectors)},)."
            )
        warn_of_shapes(betas)
        if anchor is not None:
            effectors = _anchored(effectors, anchor)
        if effectors.data.device != self.device:
            effectors = effectors.to(self.device)
        effectors.centre()
        most = self.learning.spread
        if bool((effectors.tolerance > most).any()):
            effectors = replace(effectors, tolerance=effectors.tolerance.clamp_max(most))
        betas, gender = betas.to(self.device, torch.float32), gender.to(self.device)
        with torch.inference_mode(), evaluating(self):
            solved = self(effectors, betas, gender)
        # Numbers made in inference mode could not be trained through afterwards; copies can.
        return Pose(solved.pose.rotations.clone(), solved.draft[:, 0].clone(), betas, gender)


def _placed(rotations: Tensor, offsets: Tensor, pelvis: Tensor) -> Placed:
    world, positions = forward_kinematics(rotations, offsets, PARENTS, pelvis)
    return Placed(rotations, world, positions)


def _anchored(effectors: Effectors, anchor: Tensor) -> Effectors:
    """With a position of the pelvis where a pose has no position of any weight."""
    lacking = ((effectors.kind == POSITION) & (effectors.weight > 0)).sum(1) == 0
    place = anchor.to(effectors.data).expand(len(effectors), 3)
    none = torch.zeros_like(effectors.kind[:, :1])
    return Effectors(
        torch.cat([effectors.kind, none + POSITION], 1),
        torch.cat([effectors.joint, none], 1),
        torch.cat([effectors.data, torch.cat([place, torch.zeros_like(place)], 1)[:, None]], 1),
        torch.cat([effectors.tolerance, none.to(effectors.tolerance)], 1),
        torch.cat([effectors.weight, lacking[:, None].to(effectors.weight)], 1),
    )


def _compare_bodies(model: "PoseIK", state: Mapping[str, Tensor], prefix: str, *_: object) -> None:
    """Warn where weights were trained with another body than the model has."""
    other = state.get(f"{prefix}trained_with")
    if other is not None and not torch.equal(other.cpu(), model.trained_with.cpu()):
        warnings.warn(
            "The weights were trained with another body than this one, whose bones have other lengths; poses will be less "
            "exact. Give the body that they were trained with (model.body).",
            stacklevel=2,
        )
