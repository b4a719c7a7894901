"""A video as a path: what is known of a clip becomes a state, an ODE moves it to any time, and a state becomes a frame."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Batch, Move, Progress, Randomness, Stage
from unveil.core.random import Streams, randn, randn_like
from unveil.models.ode_video.encoders import Encoded, Encoder
from unveil.models.ode_video.given import (
    Times,
    checked_clock,
    checked_count,
    checked_frames,
    checked_mask,
    checked_query,
    warn_of_distance,
)
from unveil.models.ode_video.learning import Learning
from unveil.models.ode_video.long_clips import blended, concerned, windows
from unveil.models.ode_video.objectives import bound, certain, compared, hidden, quality
from unveil.models.ode_video.path import states_at
from unveil.models.still import evaluating
from unveil.ode import Solver

_FRAMES = 512  # that are decoded at a time where nothing is trained


class ODEVideo(nn.Module):
    """Encoder, ordinary differential equation, decoder.

    Videos are (B, T, C, H, W) in [-1, 1], or uint8; times are counted in frames, the first known frame being 0 unless its own
    time is given, and may be any numbers: between frames, before the first, after the last.

    Args:
        encoder: what is known of a clip -> the state at one time; see `RecurrentEncoder` and `StackEncoder`.
        dynamics: (t, z) -> dz/dt, t in lengths of a training clip. It has a `state`; what this has beyond the encoder's state
            begins as zeros.
        decoder: states (N, d) -> frames (N, C, H, W) in [-1, 1].
        shape: of a frame, (C, H, W).
        learning: how it learns.
        solver: after training.

    Raises:
        ConfigError: the parts do not fit each other.

    Source: Voleti et al. (2019), arXiv:2109.03292; Chen et al. (2018), arXiv:1806.07366, section 5.
    """

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
        if mask is not None and tuple(mask.shape) == tuple(frames.shape[:2]):
            rows = mask.bool().to(frames.device)[..., None, None, None]
            frames = torch.where(rows, frames, torch.zeros_like(frames))  # what is not there may hold anything
        frames = checked_frames(frames, "the known clip", self.shape).to(self.device)
        if not frames.shape[1]:
            raise ShapeError("No frame is known; give one or more, or generate.")
        if self.encoder.reads is None and frames.shape[1] == 1 and self.p > 1:
            warnings.warn("One known frame tells nothing of where things go; what follows is a guess.", stacklevel=3)
        at = checked_clock(times, frames.shape[1], "known frames").expand(len(frames), -1)
        return self.encoder(frames, at, checked_mask(mask, frames.shape[1], len(frames)))

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
        """States at some times, (B, n, d), of paths that are at z, (B, latent), at the start, (B,)."""
        return self._states(z, start, times, solver or self.solver)[0]

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
        clips = checked_frames(clips, "a training clip", self.shape)
        if clips.shape[1] != learning.window:
            raise ShapeError(
                f"The clips have {clips.shape[1]} frames, and training takes {learning.window}, of which {learning.context} "
                "are known. Give clips of so many (open_videos(frames=...)), or train with another window."
            )
        at = checked_clock(times, learning.window, "frames")
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

    # -- frames at any time ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def frames_at(
        self,
        known: Tensor,
        query: Times,
        *,
        times: Times = None,
        mask: Tensor | None = None,
        trajectories: int | None = None,
        mean: bool = False,
        generator: Randomness = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """What a clip looks like at any times.

        Args:
            known: frames, (B, m, C, H, W).
            query: when frames are wanted, (n,) or (B, n), ascending; before, between and after the known ones.
            times: when the known ones were taken, (m,) or (B, m), ascending; 0, 1, 2, ... when None.
            mask: which of them are there, (B, m); all when None.
            trajectories: how many answers for each clip; None for one, without an axis for it.
            mean: take the mean of the state's distribution rather than draw from it.
            generator: one stream per sample is drawn from it.
            progress: told when it is done.

        Returns:
            (B, n, C, H, W), or (B, trajectories, n, C, H, W).

        Raises:
            ConfigError: times out of order, or several answers of a model that knows one.
            ShapeError, DataError: the frames do not fit, or are no numbers in [-1, 1].
        """
        if query is None:
            raise ConfigError("Say when frames are wanted, such as [10, 10.5, 11].")
        at, clock = checked_query(query), checked_clock(times, known.shape[1], "known frames")
        several = checked_count(trajectories, mean=mean, variational=self.variational)
        warn_of_distance(at, clock, self.learning.window)
        with evaluating(self):
            encoded = self.encode(known, clock, mask)
            streams = None if mean or not self.variational else Streams.of(generator, len(known))
            if trajectories is not None:
                streams = None if streams is None else streams.split(several)
                spread = encoded.log_var if encoded.log_var is None else encoded.log_var.repeat_interleave(several, 0)
                encoded = Encoded(
                    encoded.mean.repeat_interleave(several, 0), spread, encoded.start.repeat_interleave(several)
                )
                at = at if at.ndim == 1 else at.repeat_interleave(several, 0)
            x = self.decode(self.states(self._drawn(encoded, streams), encoded.start, at))
        if progress is not None:
            progress(1, 1)
        return x if trajectories is None else x.unflatten(0, (-1, several))

    def predict(self, past: Tensor, n: int, **options: Any) -> Tensor:
        """The n frames after a past, (B, p or more, C, H, W), of which the last p are read; options as for `frames_at`."""
        check_whole("n", n)
        past = self._enough(past, "past")[:, -self.p :]
        return self.frames_at(past, torch.arange(self.p, self.p + n).double(), **options)

    def predict_past(self, future: Tensor, n: int, **options: Any) -> Tensor:
        """The n frames before a future, (B, p or more, C, H, W), of which the first p are read.

        The ODE is followed back in time, which training does not try; where paths run together forwards, errors grow.
        """
        check_whole("n", n)
        future = self._enough(future, "future")[:, : self.p]
        return self.frames_at(future, torch.arange(-n, 0).double(), **options)

    def reconstruct(self, video: Tensor, **options: Any) -> Tensor:
        """A video as its path gives it, frame for frame."""
        return self.interpolate(video, 1, **options)

    def interpolate(self, video: Tensor, factor: int = 2, **options: Any) -> Tensor:
        """A video at `factor` times the frame rate: (B, T, C, H, W) -> (B, (T - 1) factor + 1, C, H, W).

        Every factor-th frame is what factor 1 gives. All else is as for `along`.

        Raises:
            ConfigError: the factor is no whole number of 1 or more.
        """
        check_whole("factor", factor)
        at = torch.arange((video.shape[1] - 1) * factor + 1, dtype=torch.float64) / factor
        return self.along(video, at, **options)

    @torch.no_grad()
    def along(
        self, video: Tensor, query: Times, *, mean: bool = True, generator: Randomness = None,
        progress: Progress | None = None,
    ) -> Tensor:  # fmt: skip
        """A video of any length at any times: (B, T, C, H, W) -> (B, n, C, H, W).

        One that is longer than the context is read in windows that share a frame, and in the frame before a window begins the
        path passes over into that window's.

        Args:
            video: its frames are 1 apart.
            query: when frames are wanted, (n,), ascending.
            mean: take the mean of what each window tells rather than draw from it.
            generator, progress: as for `frames_at`.

        Raises:
            ConfigError: times out of order.
            ShapeError, DataError: the frames do not fit, or are too few.
        """
        at = checked_query(query)
        video = self._enough(video, "video", least=min(self.p, 2))
        streams = None if mean or not self.variational else Streams.of(generator, len(video))
        parts, spans = [], windows(video.shape[1], self.learning.context, self.p)
        with evaluating(self):
            for number, (first, stop) in enumerate(spans):
                encoded = self.encode(video[:, first:stop], torch.arange(first, stop, dtype=torch.float64))
                z, rows = self._drawn(encoded, streams), concerned(spans, number, at)
                part = z.new_zeros(len(z), len(at), self.state)
                if bool(rows.any()):
                    part[:, rows] = self.states(z, encoded.start, at[rows])
                parts.append(part)
                if progress is not None:
                    progress(number + 1, len(spans))
            return self.decode(blended(parts, spans, at))

    def generate(self, batch: int, n: int | None = None, **options: Any) -> Tensor:
        """Videos of n frames from nothing, (batch, n, C, H, W); as long as training clips where n is None."""
        return self.sample(batch, frames=n, **options)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        frames: int | None = None,
        generator: Randomness = None,
        progress: Progress | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw n videos from nothing, (n, frames, C, H, W): paths that begin at a draw from N(0, temperature^2 I).

        Raises:
            ConfigError: a model without a prior.
        """
        frames = self.learning.seen if frames is None else frames
        check_whole("frames", frames)
        x = self.render(self.draw(n, generator, temperature=temperature), torch.arange(frames, dtype=torch.float64))
        if progress is not None:
            progress(1, 1)
        return x

    def draw(self, n: int, generator: Randomness = None, *, temperature: float = 1.0) -> Tensor:
        """States from the prior, (n, latent): N(0, temperature^2 I).

        Raises:
            ConfigError: a model without a prior.
        """
        if not self.variational:
            raise ConfigError(
                "This model knows no prior, so it makes nothing from nothing; give it frames, or train a variational one, such "
                "as moving-digits-ode-variational."
            )
        check_whole("n", n, least=0)
        return temperature * randn((n, self.encoder.latent), Streams.of(generator, n)).to(self.device)

    @torch.no_grad()
    def render(self, z: Tensor, query: Times) -> Tensor:
        """Frames at some times of paths that are at z, (B, latent), at time 0."""
        start = torch.zeros(len(z), dtype=torch.float64)
        with evaluating(self):
            return self.decode(self.states(z, start, checked_query(query)))

    def _enough(self, frames: Tensor, name: str, least: int | None = None) -> Tensor:
        frames = checked_frames(frames, f"the {name}", self.shape)
        least = self.p if least is None else least
        if frames.shape[1] < least:
            raise ShapeError(
                f"The {name} has {frames.shape[1]} frames, and this model reads {least}; give {least} or more."
            )
        return frames.to(self.device)
