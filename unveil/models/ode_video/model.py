"""A video as a path: what is known of a clip becomes a state, an ODE moves it to any time, and a state becomes a frame."""

from typing import Any

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress, Randomness
from unveil.core.random import Streams, randn
from unveil.models.ode_video.encoders import Encoded
from unveil.models.ode_video.given import (
    Times,
    checked_clock,
    checked_count,
    checked_mask,
    checked_query,
    warn_of_distance,
    without_missing,
)
from unveil.models.ode_video.learning_paths import LearningPaths
from unveil.models.ode_video.long_clips import blended, concerned, windows
from unveil.models.still import evaluating


class ODEVideo(LearningPaths):
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
        several = checked_count(trajectories, mean=mean, variational=self.variational)
        known, clock, there = self._known(known, times, mask)
        at = checked_query(query, len(known))
        if len(known):
            warn_of_distance(at, clock, self.learning.window)
        with evaluating(self):
            encoded = self.encoder(known, clock, there)
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

    def predict(
        self, past: Tensor, n: int, *, times: Times = None, mask: Tensor | None = None, **options: Any
    ) -> Tensor:
        """The n frames after a past, (B, p or more, C, H, W), of which the last p are read; options as for `frames_at`.

        They are 1 apart, and follow the last of the past's times.
        """
        check_whole("n", n)
        read = slice(-self.p, None)
        past, times, mask = self._part(self._enough(past, "past", mask=mask), read, times, mask)
        last = self.p - 1 if times is None else times[..., -1:]
        return self.frames_at(past, last + torch.arange(1, n + 1).double(), times=times, mask=mask, **options)

    def predict_past(
        self, future: Tensor, n: int, *, times: Times = None, mask: Tensor | None = None, **options: Any
    ) -> Tensor:
        """The n frames before a future, (B, p or more, C, H, W), of which the first p are read.

        The ODE is followed back in time, which training does not try; where paths run together forwards, errors grow.
        """
        check_whole("n", n)
        read = slice(self.p)
        future, times, mask = self._part(self._enough(future, "future", mask=mask), read, times, mask)
        first = 0 if times is None else times[..., :1]
        return self.frames_at(future, first + torch.arange(-n, 0).double(), times=times, mask=mask, **options)

    def _part(
        self, frames: Tensor, read: slice, times: Times, mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The frames that are read, with what was said of them."""
        count, clips = frames.shape[1], len(frames)
        at = None if times is None else checked_clock(times, count, "known frames", clips)[..., read]
        there = checked_mask(mask, count, clips)
        return frames[:, read], at, None if there is None else there[:, read]

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
        video = self._enough(video, "video", least=min(self.p, 2))
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
        video = self._enough(video, "video", least=min(self.p, 2))
        at = checked_query(query, len(video))
        if at.ndim > 1:
            raise ConfigError("Frames of long videos are wanted at times that all clips share; give one row of times.")
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
        return temperature * randn((n, self.encoder.latent), Streams.of(generator, n)).to(self.device, self.dtype)

    @torch.no_grad()
    def render(self, z: Tensor, query: Times) -> Tensor:
        """Frames at some times of paths that are at z, (B, latent), at time 0."""
        start = torch.zeros(len(z), dtype=torch.float64)
        with evaluating(self):
            return self.decode(self.states(z, start, checked_query(query, len(z))))

    def _enough(self, frames: Tensor, name: str, *, least: int | None = None, mask: Tensor | None = None) -> Tensor:
        frames = self._fitting(without_missing(frames, mask), name)
        least = self.p if least is None else least
        if frames.shape[1] < least:
            raise ShapeError(
                f"The {name} has {frames.shape[1]} frames, and this model reads {least}; give {least} or more."
            )
        return frames
