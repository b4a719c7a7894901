"""What a recipe may say of inverse kinematics."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.spec import Count, Share, Spec

POSE = (24, 3, 3)
"""The shape of a pose: a rotation matrix for each joint."""


class PoseNetSpec(Spec):
    """The network of `unveil.networks.pose_net`."""

    kind: Literal["pose-net"] = "pose-net"
    width: Count = Field(default=1024, description="of all layers")
    dropout: Share = Field(default=0.01, description="share of the first numbers of each block left out in training")


class PoseIKSpec(Spec):
    """A few effectors to a whole pose (`unveil.models.pose_ik.PoseIK`)."""

    kind: Literal["pose-ik"]
    network: PoseNetSpec = PoseNetSpec()
    body: str = Field(default="embedded", description="embedded, or the file or folder of a body model such as SMPL")
    gender: Literal["one-hot", "number"] = Field(default="one-hot", description="how it is told to the network")
    loss: Literal["protores", "release"] = Field(
        default="protores", description="compare all joints and the draft too, or less, as released code does"
    )
    least: Count = Field(default=3, description="effectors of a training step, at least")
    most: Count = Field(default=16, description="effectors of a training step, at most")
    positions: Count = Field(default=3, description="how many of them are positions, at least")
    spread: float = Field(default=0.1, ge=0, description="largest tolerance that is asked for, metres and radians")
    power: Annotated[float, Field(ge=0)] = Field(default=13.0, description="how rare large tolerances are")
    mirror: bool = Field(default=True, description="mirror poses at random")
    turn: bool = Field(default=True, description="turn poses about the vertical at random")
    bodies: Literal["drawn", "varied", "given"] = Field(
        default="drawn", description="shapes at random, around those of the data, or those of the data"
    )
    fps: float = Field(default=30.0, gt=0, description="frames a second that are taken of motions in files")
    held_out: tuple[str, ...] = Field(
        default=(), description="subjects or folders for testing; a fifth of the subjects without it"
    )
    validation: tuple[str, ...] = Field(default=(), description="subjects or folders that are in neither part")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least is {self.least}, above most, which is {self.most}")
        both = sorted(set(self.held_out) & set(self.validation))
        if both:
            raise ValueError(f"{both[0]} is in held_out and in validation; leave it out of one")
        return self
