"""What a recipe may say of videos as paths."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unveil.recipes.multires_cnf import SolverSpec
from unveil.recipes.spec import Count, Positive, Row, Share, Spec, Whole


class RecurrentSpec(Spec):
    """A recurrent network reads all known frames (`unveil.models.ode_video.RecurrentEncoder`)."""

    kind: Literal["recurrent"]
    hidden: Count = Field(default=128, description="width of the recurrent network")
    cell: Literal["gru", "rnn"] = "gru"
    anchor: Literal["first", "last"] = Field(default="first", description="the known frame where the path begins")
    gaps: bool = Field(default=True, description="tell the network how long ago the frame before was")
    between: bool = Field(default=False, description="move the network's memory by an ODE from frame to frame")


class StackSpec(Spec):
    """The first few known frames side by side (`unveil.models.ode_video.StackEncoder`)."""

    kind: Literal["stack"]
    count: Count = Field(default=2, description="frames; one alone tells no velocity")
    hidden: Count | None = Field(default=128, description="width of a layer between features and state")


class ODEVideoSpec(Spec):
    """Encoder, ordinary differential equation, decoder (`unveil.models.ode_video.ODEVideo`)."""

    kind: Literal["ode-video"]
    encoder: Annotated[RecurrentSpec | StackSpec, Field(discriminator="kind")] = RecurrentSpec(kind="recurrent")
    widths: Row = Field(default=(8, 16, 32), min_length=1, description="channels of each level, which halves the sides")
    blocks: Literal["plain", "residual"] = "plain"
    features: Count | None = Field(
        default=64, description="numbers that describe a frame; all of the last level without it"
    )
    decoder_hidden: Count | None = Field(default=128, description="width of a layer between state and frame")
    latent: Count = Field(default=32, description="numbers of a state")
    augment: Whole = Field(default=0, ge=0, description="further numbers of a state, which begin as zeros")
    hidden: Row = Field(default=(128, 128), min_length=1, description="widths between the layers of the velocity")
    order: Literal[1, 2] = Field(default=1, description="2 takes half of the state for velocities of the other half")
    still: Whole = Field(default=0, ge=0, description="numbers of a state that never change")
    time_dependent: bool = Field(default=False, description="tell the velocity the time")
    window: Annotated[Count, Field(ge=2)] = Field(default=20, description="frames of a training clip")
    context: Count = Field(default=10, description="those that are known")
    objective: Literal["reconstruct", "predict", "both"] = Field(
        default="both", description="which frames of a training clip are compared: the known ones, the rest, or all"
    )
    compared: Count | None = Field(
        default=None, description="how many of these are compared in a step, drawn anew for each; all without it"
    )
    horizon: Whole = Field(
        default=0, ge=0, description="steps in which these grow from the two next to where the path begins to all"
    )
    sigma: Positive = Field(default=0.3, description="spread of a pixel; variational models")
    beta: float = Field(default=1.0, ge=0, description="weight of the divergence from the prior; variational models")
    warmup: Whole = Field(default=0, ge=0, description="steps in which that weight rises from 0")
    free_bits: float = Field(default=0.0, ge=0, description="nats that each number of the state may say at no cost")
    hide: Share = Field(default=0.0, description="share of the known frames that are missing in training")
    agreement: float = Field(default=1.0, ge=0, description="weight of the second of the two terms; stack encoders")
    stop: Literal["none", "encoder", "ode"] = Field(
        default="none", description="which side of the second term is not moved by it"
    )
    autoencode: float = Field(default=0.0, ge=0, description="weight of frames that are encoded and decoded alone")
    solver: SolverSpec = Field(
        default=SolverSpec(method="rk4", steps=1), description="in training; steps are from frame to frame"
    )
    test_solver: SolverSpec = Field(default=SolverSpec(), description="after training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.context > self.window or (self.context == self.window and self.objective == "predict"):
            raise ValueError(f"context is {self.context} of a window of {self.window} frames; leave some to predict")
        targets = {"reconstruct": self.context, "predict": self.window - self.context, "both": self.window}[
            self.objective
        ]
        if self.compared is not None and self.compared > targets:
            raise ValueError(f"compared is {self.compared}, and to {self.objective} there are {targets} frames")
        if isinstance(self.encoder, StackSpec) and self.encoder.count > self.context:
            raise ValueError(f"encoder.count is {self.encoder.count}, and the context has {self.context} frames")
        moving = self.latent + self.augment - self.still
        if moving < 1 or moving % self.order:
            raise ValueError(
                f"{moving} numbers of the state move (latent and augment less still), of which the order {self.order} needs "
                + ("one or more" if self.order == 1 else "an even number")
            )
        return self

    @property
    def variational(self) -> bool:
        """Whether one clip has several futures."""
        return isinstance(self.encoder, RecurrentSpec)

    @property
    def known(self) -> int:
        """Frames that are read when nobody says which."""
        return self.encoder.count if isinstance(self.encoder, StackSpec) else self.context

    @property
    def past(self) -> int:
        """Frames of the past that are read to predict."""
        return self.known

    @property
    def frames(self) -> int:
        """Frames that are made when nobody says how many."""
        return max(1, self.window - self.context)

    @property
    def strides(self) -> tuple[int, ...]:
        """How far apart the frames of training clips are."""
        return (1,)

    @property
    def levels(self) -> int:
        """Clips are trained at one spacing only."""
        return 0

    @property
    def tasks(self) -> tuple[str, ...]:
        """What a model can do; `unveil.models.ode_video.ODEVideo.tasks` is the same."""
        return ("predict", "past", "interpolate", *(("generate",) if self.variational else ()))
