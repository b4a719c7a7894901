"""Gaussian diffusion: a network that learns to remove noise of any covariance under any schedule.

DDPM is a variance-preserving schedule with white noise, SMLD a variance-exploding one, and the non-isotropic models
are these two with another covariance: recipes of one class.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, RunError, ShapeError
from unveil.core.protocols import Batch, Covariance, Denoiser, Move, Progress, Randomness, Schedule, Stage
from unveil.core.random import Streams, rand, randn, randn_like
from unveil.core.shapes import expand_as
from unveil.covariance import Identity
from unveil.inverse import DenoiserPrior
from unveil.models.diffusion.checks import (
    check_choices,
    check_covariance,
    check_data,
    check_numbers,
    check_sampling,
    check_schedule,
    check_starts,
    checked_labels,
    warn_of_range,
    warn_of_scores,
)
from unveil.models.diffusion.fingerprint import fingerprint, same
from unveil.models.diffusion.loss import Distance, Reduction, Space, in_space, min_snr_weight, reduce
from unveil.models.diffusion.places import Place, Places, harmonic_sigma
from unveil.models.diffusion.prediction import Condition, Network, Predict, target, to_eps, to_x_hat
from unveil.models.diffusion.sampling import Tabulated, in_packs, sampler_named, takes_noise, times_for
from unveil.models.still import evaluating, still
from unveil.samplers import Clip, Likelihood, Watch, encode, guided, log_likelihood
from unveil.samplers.walk import telling
from unveil.schedules.grids import Spacing, draw_times, even


class Diffusion(nn.Module):
    """Gaussian diffusion for any schedule and covariance: x_t = alpha x + sigma R e.

    Args:
        net: (x_t, time) -> prediction, (B, C, H, W) -> (B, C, H, W); with classes also `label`. Times are (B,), in float32
            at least, whatever type the network computes in. Where it has a method `steering(times)`, a walk calls that
            once for all its steps, and gives each call its row, (1, n), as `steering`.
        schedule: t -> (alpha, sigma).
        shape: of one sample, (C, H, W).
        cov: covariance of the noise.
        predict: what the network's output means, see `unveil.models.diffusion.prediction`.
        space: where its error is measured; without one where the network speaks: "white" for eps, else "pixel".
        min_snr: cap of the signal-to-noise weighting, published as 5; without one all times weigh the same.
        distance: "mse", "l1" or "huber".
        reduction: "mean" over elements, or "half-sum" to reproduce published code.
        condition: what the network is told of time: "time" t, "log-sigma", or "none".
        sigma_data: spread of the data; where given, the network's input is divided by sqrt(alpha^2 sigma_data^2 +
            sigma^2), which variance-exploding schedules need.
        classes: number of labels, 0 .. classes - 1, that the network takes; `classes` itself says "no label".
        label_dropout: share of labels hidden in training, for guidance.
        stratified: spread the times of a training batch evenly.
        harmonic: for a network that is told no sigma, scale its output by sigma_H / sigma with sigma_H the harmonic mean
            of the levels. In image dimensions this is wrong (the network can see sigma), hence off.
        first_index: the index by which the network knows the first step of a discrete schedule; 0 in some published code.

    Source: Ho et al. (2020), arXiv:2006.11239; Song and Ermon (2020), arXiv:2006.09011; Voleti et al. (2022),
    arXiv:2210.12254, for the covariance.
    """

    process: Tensor

    def __init__(
        self,
        net: nn.Module,
        schedule: Schedule,
        shape: Sequence[int],
        cov: Covariance = Identity(),
        *,
        predict: Predict = "eps",
        space: Space | None = None,
        min_snr: float | None = None,
        distance: Distance = "mse",
        reduction: Reduction = "mean",
        condition: Condition = "time",
        sigma_data: float | None = None,
        classes: int | None = None,
        label_dropout: float = 0.0,
        stratified: bool = False,
        harmonic: bool = False,
        first_index: int = 1,
    ) -> None:
        super().__init__()
        self.space: Space = space or ("white" if predict == "eps" else "pixel")
        check_choices(predict, self.space, distance, reduction, condition)
        check_numbers(min_snr, sigma_data, classes, label_dropout, first_index)
        check_schedule(schedule, predict, condition, harmonic)
        check_covariance(cov, torch.Size(shape))
        if self.space == "score":
            warn_of_scores(cov)
        self.net, self.schedule, self.cov, self.shape = net, schedule, cov, torch.Size(shape)
        self.predict, self.min_snr, self.distance, self.reduction = predict, min_snr, distance, reduction
        self.condition, self.sigma_data = condition, sigma_data
        self.classes, self.label_dropout, self.stratified, self.harmonic = classes, label_dropout, stratified, harmonic
        self.first_index = first_index
        self.last_sigma = float(schedule(torch.ones((), dtype=torch.float64))[1])
        self.places = Places(schedule, condition, sigma_data, first_index)
        self._range_checked = False
        self.register_buffer("process", self._process())

    # -- the network, seen through its parameterisation -------------------------------------------------------------

    def _predict(self, x_t: Tensor, place: Place, label: Tensor | None, net: Network | None) -> Tensor:
        """What the network says of x_t."""
        kind, own = place.kind, x_t.dtype
        if place.gain is not None:
            x_t = x_t * place.gain
        known = {} if self.classes is None else {"label": label}
        if place.steering is not None:
            known["steering"] = place.steering
        out: Tensor = (net or self.net)(x_t if own == kind else x_t.to(kind), place.told, **known)
        if out.shape != x_t.shape:
            raise ShapeError(
                f"The network answered {tuple(out.shape)} to an input of {tuple(x_t.shape)}; both must be the same."
            )
        if own != kind:
            out = out.to(own)
        return out * (harmonic_sigma(self.schedule) / place.sigma) if self.harmonic else out

    def _kind(self, x: Tensor) -> torch.dtype:
        """The type the network computes in."""
        return next((p.dtype for p in self.net.parameters()), x.dtype)

    def add_noise(self, x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The state x_t = alpha x + sigma R eps at times t, () or (B,), of data x and white noise eps, (B, C, H, W)."""
        alpha, sigma = (expand_as(c.to(x), x) for c in self.schedule(t))
        return alpha * x + sigma * self.cov.sqrt(eps)

    def convert(self, out: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The estimated data and white noise, each (B, C, H, W), that a network's output at times t stands for."""
        alpha, sigma = (expand_as(c.to(x_t), x_t) for c in self.schedule(t))
        return (
            to_x_hat(self.predict, out, x_t, alpha, sigma, self.cov),
            to_eps(self.predict, out, x_t, alpha, sigma, self.cov),
        )

    def denoise(
        self,
        x_t: Tensor,
        t: Tensor,
        label: Tensor | None = None,
        *,
        places: Mapping[float, Place] | None = None,
        net: Network | None = None,
    ) -> Tensor:
        """E[x | x_t] as the network sees it.

        Args:
            x_t: noisy data, (B, C, H, W).
            t: times in (0, 1], () or (B,).
            label: (B,), int64.
            places: what belongs to single times, worked out before.
            net: the network with all it is told besides; this model's own as it is when None.
        """
        place = places.get(float(t)) if places and t.ndim == 0 else None
        place = place or self.places.of(t, x_t, self._kind(x_t))
        out = self._predict(x_t, place, label, net)
        return to_x_hat(self.predict, out, x_t, place.alpha, place.sigma, self.cov)

    def score(self, x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """The gradient of ln p_t at x_t, which is -R^-T e_hat / sigma, (B, C, H, W)."""
        if x_t.dtype != torch.float64:
            warn_of_scores(self.cov)
        alpha, sigma = (expand_as(c.to(x_t), x_t) for c in self.schedule(t))
        noise = (x_t - alpha * self.denoise(x_t, t, label)) / sigma
        return -self.cov.solve(noise) / sigma

    # -- training ---------------------------------------------------------------------------------------------------

    def loss_per_sample(
        self, x: Tensor, t: Tensor, eps: Tensor, label: Tensor | None = None, *, net: Network | None = None
    ) -> Tensor:
        """The weighted loss of each sample at given times and white noise, (B,); `net` as for `denoise`."""
        place = self.places.of(t, x, self._kind(x))
        alpha, sigma = place.alpha, place.sigma
        n = self.cov.sqrt(eps)
        out = self._predict(alpha * x + sigma * n, place, label, net)
        error = out - target(self.predict, x, eps, n, alpha, sigma)
        each = reduce(in_space(error, self.predict, self.space, self.cov), self.distance, self.reduction)
        if self.min_snr is None:
            return each
        return each * min_snr_weight(self.predict, alpha.flatten(), sigma.flatten(), self.min_snr)

    def loss(self, x: Tensor, generator: Randomness = None, label: Tensor | None = None) -> Tensor:
        """Denoising score matching at random times: the mean over a batch x, (B, C, H, W)."""
        return self.drawn_loss(x, generator, label)[0].mean()

    def drawn_loss(
        self, x: Tensor, generator: Randomness = None, label: Tensor | None = None, *, net: Network | None = None
    ) -> tuple[Tensor, Tensor]:
        """Losses at random times, and the times, (B,) each; `net` as for `denoise`."""
        check_data(x, self.shape)
        if len(x) == 0:
            raise ShapeError("A loss is a mean over a batch, and this batch is empty.")
        if not self._range_checked:  # once: looking costs a wait for the device
            warn_of_range(x)
            self._range_checked = True
        t = draw_times(len(x), self.schedule, generator, stratified=self.stratified)
        eps = randn_like(x, generator)
        if self.classes is not None and self.label_dropout and label is not None:
            hidden = rand((len(x),), generator, device=label.device) < self.label_dropout
            label = torch.where(hidden, self.classes, label)
        return self.loss_per_sample(x, t, eps, label, net=net), t

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        label = batch.cond.get("label") if self.classes is not None else None
        losses, t = self.drawn_loss(batch.x, batch.generator, label)
        loss = losses.mean()
        yield Move("model", loss, {"loss": loss.detach(), "t": t})

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        return [Stage.only({"model": self}, steps, self.moves)]

    # -- sampling ---------------------------------------------------------------------------------------------------

    def denoiser(
        self,
        label: Tensor | None = None,
        guidance: float = 1.0,
        *,
        places: Mapping[float, Place] | None = None,
        net: Network | None = None,
    ) -> Denoiser:
        """This model as a denoiser with a label and a scale of guidance bound; `places` and `net` as for `denoise`."""
        conditional = partial(self.denoise, label=label, places=places, net=net)
        if guidance == 1.0:
            return conditional
        if label is None:
            raise ConfigError("Guidance needs labels to follow; give label, or leave guidance at 1.")
        if not self.label_dropout:
            raise ConfigError(
                "Guidance needs a model that has seen data without labels; train with a label_dropout above 0."
            )
        return guided(conditional, partial(self.denoise, label=None, places=places, net=net), guidance)

    def prior(self, *, net: Network | None = None, **levels: Any) -> DenoiserPrior:
        """This model as a prior for inverse problems: images that are not scaled, (B, C, H, W).

        Args:
            net: as for `denoise`.
            levels: what else `DenoiserPrior` takes: `levels`, `largest`.
        """
        return DenoiserPrior(self.denoiser(net=net), self.schedule, cov=self.cov, **levels)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.process.device

    def noise(self, n: int, generator: Randomness = None, *, temperature: float = 1.0) -> Tensor:
        """Draw the state at t = 1 from which sampling starts, (n, C, H, W)."""
        white = randn((n, *self.shape), generator, device=self.device)
        return temperature * self.last_sigma * self.cov.sqrt(white)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        steps: int = 50,
        sampler: str = "ddim",
        generator: Randomness = None,
        progress: Progress | None = None,
        label: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        clip: bool = True,
        spacing: Spacing = "trailing",
        image: Tensor | None = None,
        start: float = 1.0,
        latent: Tensor | None = None,
        watch: Watch | None = None,
        net: Network | None = None,
        **options: Any,
    ) -> Tensor:
        """Draw samples.

        Args:
            n: how many.
            steps: times to visit.
            sampler: a name from `SAMPLERS`.
            generator: one stream per sample is drawn from it, so a sample does not depend on its batch.
            progress: told (steps done, steps in all).
            label: (n,), int64, for models with classes.
            guidance: above 1 follows the label more closely; needs a model trained with label_dropout.
            temperature: scales the noise at the start.
            clip: keep every estimate within [-1, 1].
            spacing: which of a discrete schedule's steps are visited: "trailing", "leading" or "quadratic".
            image: data to start from, (n, C, H, W); they are noised to time `start` first.
            start: time in (0, 1] to start at; below 1 it needs `image`.
            latent: the state to start from at t = 1, (n, C, H, W), such as `encode` and `slerp` give; drawn when None.
            watch: told (steps done, steps in all, the state).
            net: the network with all it is told besides; this model's own as it is when None. What it is told of each
                sample it must be able to tell of some, by a method `rows(index)`.
            options: the sampler's own, such as eta for "ddim".

        Returns:
            Samples, (n, C, H, W), in [-1, 1].

        Raises:
            ConfigError: a number out of range, or what does not fit this model.
            ShapeError: an image or a latent of another shape than the samples.
            DivergenceError: the state stopped being finite on the way.
        """
        check_sampling(n, steps, guidance, temperature)
        check_starts(n, image, latent, start, self.shape)
        walk, times = sampler_named(sampler, options), times_for(sampler, self.schedule, steps, start, spacing)
        if label is None and self.classes is not None and not self.label_dropout:
            raise ConfigError("This model has only seen data with labels; say which by label.")
        label = checked_labels(label, n, self.classes, self.device)
        if n == 0:
            return torch.empty(0, *self.shape, device=self.device)
        streams = Streams.of(generator, n)
        x = self.noise(n, streams, temperature=temperature) if latent is None else latent.to(self.device)
        if image is not None:
            alpha, sigma = self.schedule(times[0])
            x = alpha * image.to(x) + sigma / self.last_sigma * x

        extras: dict[str, Any] = {"clip": Clip() if clip else None}
        if (told := telling(progress, watch)) is not None:
            extras["watch"] = told
        if takes_noise(sampler):
            extras |= {"cov": self.cov, "generator": streams}
        schedule = Tabulated(self.schedule, times)

        # Labels would make another row for every sample.
        steering = getattr(net or self.net, "steering", None) if self.classes is None else None

        def walked(x: Tensor, label: Tensor | None, net: Network | None) -> Tensor:
            places = self.places.table(times[times > 0], x, self._kind(x), schedule, steering)
            return walk(self.denoiser(label, guidance, places=places, net=net), x, schedule, times, **extras)

        with evaluating(self):
            x = in_packs(walked, x, label, net) if sampler == "rk45" else walked(x, label, net)
        return x.clamp(-1, 1) if clip else x

    @torch.no_grad()
    def encode(
        self,
        x: Tensor,
        *,
        steps: int = 50,
        method: Literal["euler", "heun", "rk4", "rk45"] = "heun",
        label: Tensor | None = None,
    ) -> Tensor:
        """Carry data, (B, C, H, W), to their latents at t = 1 along the probability flow.

        `sample(n, latent=..., sampler="heun")` carries them back.
        """
        check_data(x, self.shape)
        warn_of_range(x)
        length = getattr(self.schedule, "steps", None)
        times = even(steps, 1 / length if length else 1e-3, 1.0)
        with evaluating(self):
            return encode(self.denoiser(label), x, self.schedule, times, method=method)

    def log_likelihood(self, x: Tensor, *, label: Tensor | None = None, **options: Any) -> Likelihood:
        """The exact likelihood of dequantised data, (B, C, H, W); options are those of `unveil.samplers.log_likelihood`.

        Integration starts at a chain's first step, before which its network knows no time.
        """
        check_data(x, self.shape)
        warn_of_range(x)
        label = checked_labels(label, len(x), self.classes, self.device)
        length = getattr(self.schedule, "steps", None)
        options.setdefault("t_eps", 1 / length if length else 1e-5)
        with still(self):  # only the derivative in x is wanted
            return log_likelihood(self.denoiser(label), x.double(), self.schedule, cov=self.cov, **options)

    # -- weights know the noise they were trained with ----------------------------------------------------------------

    def _process(self) -> Tensor:
        words = (("eps", "n", "x", "v").index(self.predict), ("time", "log-sigma", "none").index(self.condition))
        length = getattr(self.schedule, "steps", None) or 0
        numbers = (self.sigma_data or 0.0, self.first_index, self.harmonic, self.classes or 0, length)
        return fingerprint(self.schedule, self.cov, self.shape, [*words, *numbers])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "process")
        if saved is not None and not same(saved, self._process()):
            raise RunError(
                "These weights were trained with another noise than this model's: schedule, covariance, predict, condition "
                "or classes differ. Build the model from the recipe that is saved beside the weights."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
