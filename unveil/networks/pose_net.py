"""A network that makes a whole pose of a set of effectors, in any number and of any mixture."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from unveil.core.numbers import check_amount, check_whole

_TURNS = 1  # the kind of effector that is a rotation; positions, 0, and targets, 2, are places in the world
_KINDS, _NUMBERS, _EMBEDDED = 3, 7, 32
_BLOCKS, _LAYERS, _SLOPE = 3, 3, 0.01
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class PoseBlock(nn.Module):
    """Fully connected layers with two answers: x -> (what goes on, what is added to the result).

    Args:
        inputs: numbers of x.
        width: of the layers.
        outputs: numbers that are added to the result.
        dropout: share of the first layer's numbers that are left out in training.
        goes_on: whether another block follows; if none does, x goes nowhere and is None.
        gain: of the first weights of the result's projection.

    Source: Oreshkin et al. (2022), ProtoRes, arXiv:2106.01981, eq. 1-2, with leaky rectifiers and dropout as in SMPL-IK.
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, *, dropout: float = 0.0, goes_on: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * _LAYERS]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.project = nn.Linear(width, outputs)
        self.past = nn.Linear(inputs, width) if goes_on else None
        self.dropout = nn.Dropout(dropout)
        # Twice as much as torch begins with: with less the rotations do not move for hundreds of steps.
        for layer in (*self.layers, self.project, *([self.past] if self.past else [])):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.project.weight.mul_(gain)

    def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """(..., inputs) -> (..., width), rectified, or None; and (..., outputs)."""
        h = x
        for number, layer in enumerate(self.layers):
            h = nn.functional.leaky_relu(layer(h), _SLOPE)
            if number == 0:
                h = self.dropout(h)
        return None if self.past is None else torch.relu(h + self.past(x)), self.project(h)


class PoseDecoder(nn.Module):
    """Blocks that each add to a result: (B, inputs) -> (B, outputs)."""

    def __init__(self, inputs: int, width: int, outputs: int, *, dropout: float = 0.0, gain: float = 0.1) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            PoseBlock(inputs if i == 0 else width, width, outputs, dropout=dropout, goes_on=i < _BLOCKS - 1, gain=gain)
            for i in range(_BLOCKS)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        result = x.new_zeros(())
        for block in self.blocks:
            x, added = block(x)
            result = result + added
        return result


class PoseNet(nn.Module):
    """Effectors of one person, as a set, to where its joints are, roughly, and to their local rotations.

    Every effector is read by the same blocks, and after each block it is compared with the average of all, weighted. A first
    decoder makes a draft of where the joints are, a second makes rotations of the draft. What forward kinematics then makes of
    the rotations is the pose; the draft says where its pelvis is.

    Moving all positions and targets moves the draft as much and leaves the rotations. The order of effectors says nothing, and
    effectors of weight 0 are not there.

    Args:
        width: of all layers; 1024 as published.
        told: numbers that tell whose body it is.
        joints: how many joints the body has.
        dropout: share of the first numbers of a block that are left out in training.

    Source: Oreshkin et al. (2022), ProtoRes, arXiv:2106.01981, section 3; Voleti et al. (2022), SMPL-IK, arXiv:2208.08274,
    section 3, whose body's shape is told to encoder and decoders. The last block of each of the three hands nothing on, so it
    has no such layer, which the released code has and does not use.
    """

    identity: Tensor

    def __init__(self, width: int = 1024, *, told: int = 13, joints: int = 24, dropout: float = 0.01) -> None:
        super().__init__()
        for name, value in (("width", width), ("told", told), ("joints", joints)):
            check_whole(name, value)
        check_amount("dropout", dropout)
        self.width, self.told, self.joints = width, told, joints
        self.joint = nn.Embedding(joints, _EMBEDDED)
        self.kind = nn.Embedding(_KINDS, _EMBEDDED)
        first = _NUMBERS + told + 2 * _EMBEDDED
        self.encoder = nn.ModuleList(
            PoseBlock(first if i == 0 else width, width, width, dropout=dropout, goes_on=i < _BLOCKS - 1, gain=0.5)
            for i in range(_BLOCKS)
        )
        self.places = PoseDecoder(width + told, width, 3 * joints, dropout=dropout)
        self.rotations = PoseDecoder(3 * joints + width + told, width, 6 * joints, dropout=dropout)
        self.register_buffer("identity", torch.tensor(_IDENTITY), persistent=False)

    def forward(
        self, kind: Tensor, joint: Tensor, data: Tensor, tolerance: Tensor, weight: Tensor, body: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Solve.

        Args:
            kind: of each effector, (B, N): 0 a position, 1 a rotation, 2 a target to look at.
            joint: that it is for, (B, N).
            data: a position and zeros, six numbers of a rotation, or a target and a direction, (B, N, 6).
            tolerance: (B, N).
            weight: (B, N); each row has a position of some weight.
            body: whose pose, (B, told).

        Returns:
            Places of the joints (B, joints, 3), a draft, and local rotations as six numbers each, (B, joints, 6).
        """
        anchors = weight * (kind == 0)
        centre = (anchors[..., None] * data[..., :3]).sum(1) / anchors.sum(1, keepdim=True)  # (B, 3)
        shift = centre[:, None] * (kind != _TURNS)[..., None]
        x = torch.cat(
            [
                torch.cat([data[..., :3] - shift, data[..., 3:]], -1),
                tolerance[..., None],
                body[:, None].expand(-1, kind.shape[1], -1),
                self.joint(joint),
                self.kind(kind),
            ],
            -1,
        )
        share = (weight / weight.sum(1, keepdim=True).clamp_min(1e-6))[:, None]  # (B, 1, N)
        told: Tensor = self._encode(x, share)
        known = torch.cat([told, body], -1)
        draft = self.places(known).unflatten(-1, (self.joints, 3))
        centred = (draft - draft[:, :1]).flatten(1)
        rotations = self.rotations(torch.cat([centred, known], -1)).unflatten(-1, (self.joints, 6))
        return draft + centre[:, None], rotations + self.identity

    def _encode(self, x: Tensor, share: Tensor) -> Tensor:
        """What the effectors say together: (B, N, inputs) -> (B, width)."""
        total = x.new_zeros(())
        prototype = x
        for number, block in enumerate(self.encoder, 1):
            past, added = block(x)
            total = total + added
            prototype = share @ total  # (B, 1, width)
            if past is not None:
                x = torch.relu(past - prototype / number)
        return prototype.squeeze(1)
