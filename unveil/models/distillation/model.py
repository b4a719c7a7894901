"""A diffusion that was taught to take few steps: its student, and the teacher of the round that it is in."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Batch, Move, Progress, Randomness, Stage
from unveil.core.random import Streams, rand, randn_like
from unveil.core.shapes import mean_per_sample
from unveil.mcmc import TruncatedKernel
from unveil.models.diffusion import Diffusion
from unveil.models.diffusion.checks import check_sampling, checked_labels
from unveil.models.distillation.target import two_steps_in_one
from unveil.models.halving import rounds
from unveil.models.still import evaluating
from unveil.samplers import Clip, Watch, ddim
from unveil.samplers.walk import telling

Weighting = Literal["v", "snr-trunc"]
_FAINT = 0.1


class Distilled(nn.Module):
    """A diffusion whose student halves the steps of its teacher, round by round.

    A student begins each round with its teacher's weights, which are the student's of the round before; the first teacher
    is the diffusion itself, whose weights `student` and `teacher` must both have before training begins (`begin`).
    With N steps on [0, until] the student knows the times until j / N alone.

    Args:
        diffusion: what is distilled. It is the student from then on.
        steps: of the last student.
        first_steps: of the first teacher: `steps` times 2, 4, 8, ...
        until: the latest time that is distilled, in (0, 1]. Below 1 nothing can be drawn from noise; see `carry`.
        weighting: "v" measures the error of the velocity; "snr-trunc" takes the larger of the errors of data and noise.
        last_rounds: how many times longer the last two rounds are.

    Raises:
        ConfigError: a number out of range.

    Source: Salimans and Ho (2022), arXiv:2202.00512.
    """

    begun: Tensor

    def __init__(
        self,
        diffusion: Diffusion,
        *,
        steps: int = 1,
        first_steps: int = 64,
        until: float = 1.0,
        weighting: Weighting = "v",
        last_rounds: float = 2.0,
    ) -> None:
        super().__init__()
        if not 0 < until <= 1:
            raise ConfigError(f"A schedule is distilled up to a time in (0, 1]; it got until={until}.")
        if weighting not in get_args(Weighting):
            raise ConfigError(f"weighting is {weighting!r}; it can be {' or '.join(get_args(Weighting))}.")
        if not last_rounds > 0:
            raise ConfigError(f"last_rounds is {last_rounds}; it must be above 0.")
        self.rounds = rounds(first_steps, steps)
        self.student, self.teacher = diffusion, copy.deepcopy(diffusion).requires_grad_(False)
        self.steps, self.first_steps, self.until = steps, first_steps, until
        self.weighting, self.last_rounds = weighting, last_rounds
        self.shape, self.classes, self.schedule = diffusion.shape, diffusion.classes, diffusion.schedule
        self.register_buffer("begun", torch.zeros((), dtype=torch.int64))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.student.device

    def begin(self, diffusion: Diffusion | None = None) -> None:
        """Take up a trained diffusion of the same kind; the student as it is when None."""
        if diffusion is not None:
            self.student.load_state_dict(diffusion.state_dict())
        self.teacher.load_state_dict(self.student.state_dict())
        self.begun.fill_(1)
        alpha = float(self.schedule(torch.tensor(self.until, dtype=torch.float64))[0])
        if self.student.predict in ("eps", "n") and alpha < _FAINT:
            warnings.warn(
                f"At the last time only {alpha:.2g} of the data is left, and from an estimate of the noise few steps cannot "
                "make it out. Distil a diffusion with model.predict=v, or less of the schedule (until).",
                stacklevel=2,
            )

    # -- training ---------------------------------------------------------------------------------------------------

    def prepare(self, data: Any, generator: torch.Generator) -> None:
        """Refuse to begin without a teacher.

        Raises:
            ConfigError: nothing was taken up.
        """
        if not self.begun:
            raise ConfigError("There is nothing to distil yet: begin with a trained diffusion, unveil distil RUN.")

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        """A stage a round, called by the steps that its student takes, "4-steps"; a number is that of every round.

        The last two rounds are `last_rounds` times as long.
        """
        for place, count in enumerate(self.rounds):
            name = f"{count}-steps"
            if place:  # the student of the round before teaches now
                self.teacher.load_state_dict(self.student.state_dict())
            longer = self.last_rounds if place >= len(self.rounds) - 2 else 1.0
            length = max(1, round(steps * longer)) if isinstance(steps, int) else steps[name]
            yield Stage(name, {"student": self.student}, length, partial(self.moves, count))

    def moves(self, count: int, batch: Batch) -> Iterator[Move]:
        """One training step of the student that takes so many steps, without the dropout that its diffusion learned with."""
        label = batch.cond.get("label") if self.classes is not None else None
        with evaluating(self.student):
            loss = self.loss(batch.x, count, batch.generator, label).mean()
        yield Move("student", loss)

    def loss(self, x: Tensor, count: int, generator: Randomness = None, label: Tensor | None = None) -> Tensor:
        """How far a student of so many steps is from two steps of its teacher, at random times of its own, (B,).

        As many labels are hidden from both as were from the diffusion, so that what it knows without any is distilled too.
        """
        check_whole("count", count)
        place = (rand((len(x),), generator, dtype=torch.float64).cpu() * count).floor()
        t, u = ((place + more) * (self.until / count) for more in (1, 0))
        x_t = self.student.add_noise(x, t, randn_like(x, generator))
        if label is not None and self.classes is not None and self.student.label_dropout:
            hidden = rand((len(x),), generator, device=label.device) < self.student.label_dropout
            label = torch.where(hidden, self.classes, label)
        wanted = two_steps_in_one(self.teacher.denoiser(label), x_t, self.schedule, t, u)
        error = mean_per_sample((self.student.denoise(x_t, t, label) - wanted).square())
        alpha, sigma = self.schedule(t)
        snr = (alpha / sigma).square()
        return error * (snr + 1 if self.weighting == "v" else snr.clamp(min=1)).to(error)

    # -- sampling ---------------------------------------------------------------------------------------------------

    def times(self) -> Tensor:
        """The times that the student visits, from `until` down to 0, (steps + 1,) in float64."""
        return torch.linspace(self.until, 0, self.steps + 1, dtype=torch.float64)

    @property
    def kernel(self) -> TruncatedKernel:
        """A step that hides data up to `until` and takes the noise away in the student's steps."""
        return TruncatedKernel(self.student.denoise, self.schedule, self.until, self.steps, self.student.cov)

    def carry(self, x_t: Tensor, label: Tensor | None = None) -> Tensor:
        """Carry states at the time `until`, (B, ...), to data, in the student's steps; a graph is kept."""
        return replace(self.kernel, denoise=partial(self.student.denoise, label=label)).bring_back(x_t)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        generator: Randomness = None,
        progress: Progress | None = None,
        label: Tensor | None = None,
        temperature: float = 1.0,
        watch: Watch | None = None,
        clip: bool = True,
    ) -> Tensor:
        """Draw samples in `steps` steps; the arguments are those of `Diffusion.sample`.

        Raises:
            ConfigError: only a part of the schedule was distilled, which begins with data.
        """
        if self.until < 1:
            raise ConfigError(
                f"This run knows noise up to t = {self.until:g} alone, so it draws nothing from noise; it moves pictures that "
                "there are (unveil refine). Distil the whole schedule to sample: leave --until out."
            )
        check_sampling(n, self.steps, 1.0, temperature)
        label = checked_labels(label, n, self.classes, self.device)
        if n == 0:
            return torch.empty(0, *self.shape, device=self.device)
        x = self.student.noise(n, Streams.of(generator, n), temperature=temperature)

        bounds, told = Clip() if clip else None, telling(progress, watch)
        with evaluating(self.student):
            x = ddim(self.student.denoiser(label), x, self.schedule, self.times(), clip=bounds, watch=told)
        return x.clamp(-1, 1) if clip else x
