"""What an encoder, an ordinary differential equation and a decoder are together, and how they learn."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DivergenceError, ShapeError
from unveil.core.protocols import Batch, Move, Randomness, Stage
from unveil.core.random import Streams, randn_like
from unveil.models.ode_video.encoders import Encoded, Encoder
from unveil.models.ode_video.given import Times, checked_clock, checked_frames, checked_mask, without_missing
from unveil.models.ode_video.learning import Learning
from unveil.models.ode_video.objectives import bound, certain, compared, hidden, quality
from unveil.models.ode_video.path import states_at
from unveil.ode import Solver

_FRAMES = 512  # that are decoded at a time where nothing is trained


class LearningPaths(nn.Module):
    """The parts of an `ODEVideo`, which describes the arguments, and their training."""

    clock: Tensor

    def __init__(
        self,
        encoder: Encoder,
        dynamics: nn.Module,
        decoder: nn.Module,
        shape: Sequence[int],
        learning: Learning = Learning(),
        solver: Solver = Solver("dopri5", rtol=1e-5, atol=1e-5),
    ) -> None:
        super().__init__()
        state = cast(int, dynamics.state)
        if state < encoder.latent:
            raise ConfigError(
                f"The ODE moves {state} numbers, and the encoder tells {encoder.latent}; give it as many."
            )
        if encoder.reads is not None and learning.context < encoder.reads:
            raise ConfigError(
                f"The encoder reads {encoder.reads} frames, and {learning.context} are known in training; make the context "
                "longer."
            )
        self.encoder, self.dynamics, self.decoder = encoder, dynamics, decoder
        self.shape, self.learning, self.solver, self.state = torch.Size(shape), learning, solver, state
        # Frames in the ODE's unit of time: kept with the weights, whatever clips come later; whole, so no cast rounds it.
        self.register_buffer("clock", torch.tensor(learning.window - 1))

    @property
    def variational(self) -> bool:
        """Whether one clip has several futures."""
        return self.encoder.variational

    @property
    def p(self) -> int:
        """Frames of the past that it reads."""
        return self.encoder.reads or self.learning.context

    @property
    def f(self) -> int:
        """Frames of the future that it reads to recall what was before: as many."""
        return self.p

    @property
    def k(self) -> int:
        """Frames it is usually asked for."""
        return max(1, self.learning.window - self.learning.context)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can do."""
        return ("predict", "past", "interpolate", *(("generate",) if self.variational else ()))

    @property
    def time_scale(self) -> float:
        """One frame in the ODE's unit of time."""
        return 1 / int(self.clock)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.clock.device

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights, and so of its states and frames."""
        return next(self.parameters()).dtype

    # -- the three parts ----------------------------------------------------------------------------------------------

    def encode(self, frames: Tensor, times: Times = None, mask: Tensor | None = None) -> Encoded:
        """What is known of the state at one time.

        Args:
            frames: (B, m, C, H, W).
            times: when they were taken, (m,) or (B, m), ascending; 0, 1, 2, ... when None.
            mask: which are there, (B, m); all when None.

        Raises:
            ShapeError, DataError: the frames do not fit, or are no numbers in [-1, 1].
            ConfigError: the times cannot be, or all frames of a clip are missing.
        """
        return self.encoder(*self._known(frames, times, mask))

    def _known(self, frames: Tensor, times: Times, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the encoder takes, after a check."""
        frames = self._fitting(without_missing(frames, mask), "known clip")
        count = frames.shape[1]
        if not count:
            raise ShapeError("No frame is known; give one or more, or generate.")
        if self.encoder.reads is None and count == 1 and self.p > 1:
            warnings.warn("One known frame tells nothing of where things go; what follows is a guess.", stacklevel=3)
        at = checked_clock(times, count, "known frames", len(frames)).expand(len(frames), -1)
        return frames, at, checked_mask(mask, count, len(frames))

    def _fitting(self, frames: Tensor, name: str) -> Tensor:
        return checked_frames(frames, f"the {name}", self.shape).to(self.device, self.dtype)

    def decode(self, states: Tensor) -> Tensor:
        """Frames of states, (B, n, d) -> (B, n, C, H, W), each by itself."""
        flat = states.flatten(0, 1)
        if torch.is_grad_enabled() or len(flat) <= _FRAMES:
            return self.decoder(flat).unflatten(0, states.shape[:2])
        return torch.cat([self.decoder(part) for part in flat.split(_FRAMES)]).unflatten(0, states.shape[:2])

    def field(self, t: Tensor, z: Tensor) -> Tensor:
        """dz/dt with t in frames."""
        return self._velocity(self.time_scale, t, z)

    def _velocity(self, scale: float, t: Tensor, z: Tensor) -> Tensor:
        velocity: Tensor = scale * self.dynamics(t * scale, z)
        return velocity

    def states(self, z: Tensor, start: Tensor, times: Tensor, solver: Solver | None = None) -> Tensor:
        """States at some times, (B, n, d), of paths that are at z, (B, latent), at the start, (B,).

        Raises:
            ConfigError: a time is further from the start than any path is followed.
            DivergenceError: the states grow beyond all numbers, or the solver gives up.
        """
        found = self._states(z, start, times, solver or self.solver)[0]
        if not bool(found.isfinite().all()):
            raise DivergenceError(
                "On the way to the times asked for the path grew beyond all numbers; ask for nearer ones."
            )
        return found

    def _states(self, z: Tensor, start: Tensor, times: Tensor, solver: Solver) -> tuple[Tensor, int]:
        room = self.state - z.shape[1]
        lifted = torch.cat([z, z.new_zeros(len(z), room)], 1) if room else z
        # The scale is asked for once: on a GPU every question waits.
        return states_at(partial(self._velocity, self.time_scale), lifted, start, times, solver)

    # -- training -----------------------------------------------------------------------------------------------------

    def loss(
        self, clips: Tensor, generator: Randomness = None, times: Tensor | None = None, step: int = 0
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What training minimises, for a pixel, and what is worth a look.

        Args:
            clips: (B, window, C, H, W).
            generator: where states are drawn from.
            times: when the frames were taken, (T,) or (B, T); 0, 1, 2, ... when None.
            step: steps taken before, which the weight of the divergence may depend on.

        Raises:
            ShapeError: the clips have another number of frames.
        """
        learning = self.learning
        clips = checked_frames(clips, "a training clip", self.shape).to(self.device, self.dtype)
        if clips.shape[1] != learning.window:
            raise ShapeError(
                f"The clips have {clips.shape[1]} frames, and training takes {learning.window}, of which {learning.context} "
                "are known. Give clips of so many (open_videos(frames=...)), or train with another window."
            )
        at = checked_clock(times, learning.window, "frames", len(clips))
        streams = Streams.of(generator, len(clips))
        known, clock = clips[:, : learning.context], at[..., : learning.context].expand(len(clips), -1)
        encoded = self.encoder(known, clock, hidden(learning, self.encoder, len(clips), streams))
        ahead = (at if at.ndim == 1 else at[0]) - encoded.start[:1]
        rows = compared(learning, ahead, streams, step)
        x = clips[:, rows]
        start = self._drawn(encoded, streams)
        states, evaluations = self._states(start, encoded.start, at[..., rows], learning.solver)
        x_hat = self.decode(states)
        logs = {**quality(learning, rows, x, x_hat), "evaluations": torch.tensor(float(evaluations))}
        if encoded.log_var is not None:
            terms, more = bound(learning, x, x_hat, encoded.mean, encoded.log_var, step)
        else:
            terms, more = certain(
                learning, self.encoder, self.decode, clips[:, : learning.seen], rows, x, x_hat, states
            )
        return terms.mean() / max(1, x[:1].numel()), logs | more

    def _drawn(self, encoded: Encoded, streams: Streams | None) -> Tensor:
        if encoded.log_var is None or streams is None:
            return encoded.mean
        return encoded.mean + (0.5 * encoded.log_var).exp() * randn_like(encoded.mean, streams)

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        loss, logs = self.loss(batch.x, batch.generator, batch.cond.get("times"), batch.step)
        yield Move("model", loss, {"loss": loss.detach(), **logs})

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        shown = ("psnr_known",) if self.learning.objective == "reconstruct" else ("psnr_future",)
        return [Stage.only({"model": self}, steps, self.moves, shown)]
