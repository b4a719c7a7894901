"""Restoration-based generative models: what restores any level of a degradation generates, level by level.

A generator is trained to fit the degraded image (fidelity) and to look like data once it is degraded again (a learned
prior), instead of giving the mean of what an image may have been; so a few steps suffice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.protocols import Batch, Move, Progress, Randomness, Stage
from unveil.core.random import Streams, rand, randn
from unveil.models.diffusion.checks import warn_of_range
from unveil.models.diffusion.fingerprint import same
from unveil.models.restoration.bridges import Bridges
from unveil.models.restoration.degradation import Degradation
from unveil.models.restoration.priors import MMSE, LearnedPrior
from unveil.models.restoration.solver_prior import RestorationPrior
from unveil.models.still import evaluating

Sampling = Literal["prior", "posterior"]
Match = Literal["level", "data"]
FidelitySpace = Literal["full", "native"]


class Restoration(nn.Module):
    """A generator for every level of a degradation, trained as a maximum a posteriori estimator with a learned prior.

    Args:
        generator: (y_{k+1}, k, z) -> x_hat, with `latent`, the numbers of z.
        degradation: the chain; any levels do.
        shape: of one sample, (C, H, W) or (d,).
        learned: the prior, `KLD`, `MMD`, `DSWD`, or `MMSE` for none; it is an nn.Module.
        fidelity_weight: w, how much the fit to the measurement counts beside the prior: the sum of both has w times the
            mean over a sample's numbers of |A x_hat - y|^2 / (2 std^2). The paper's lambda is d / w; 1 to 10 is useful for
            images, 0 leaves it out.
        fidelity_space: "full" counts every number of the full-size sample, so that a perfect fit costs 1/2 at every level;
            "native" counts a measured number once, however large it is shown.
        sampling: "prior" degrades a restored sample afresh; "posterior" goes one step back from y_{k+1} and the restored
            sample, in training and in generation, which only chains of noise allow.
        match: "level" lets the prior compare samples degraded to level k; "data" compares restored with clean ones.
        latent: whether the generator is given random latents; if not, and always with MMSE, zeros.

    Raises:
        ConfigError: a value that cannot work, or a chain that has no posterior.
        ShapeError: the degradation does not fit the shape.

    Source: Choi et al. (2023), arXiv:2303.05456: eq. 5 to 8, algorithms 1 to 3.
    """

    process: Tensor

    def __init__(
        self,
        generator: nn.Module,
        degradation: Degradation,
        shape: Sequence[int],
        learned: LearnedPrior,
        *,
        fidelity_weight: float = 3.0,
        fidelity_space: FidelitySpace = "full",
        sampling: Sampling = "prior",
        match: Match = "level",
        latent: bool = True,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("fidelity_space", fidelity_space, get_args(FidelitySpace)),
            ("sampling", sampling, get_args(Sampling)),
            ("match", match, get_args(Match)),
        ):
            if value not in known:
                raise ConfigError(f"Restoration got {name}={value!r}; it can be {' or '.join(map(repr, known))}.")
        if not 0 <= fidelity_weight < float("inf"):
            raise ConfigError(f"fidelity_weight={fidelity_weight}: it must be a number, 0 or more; 3 is usual.")
        if sampling == "posterior" and match == "data":
            raise ConfigError(
                "match='data' compares restored samples themselves, so sampling='posterior' would mean nothing."
            )
        if not isinstance(learned, nn.Module):
            raise ConfigError(
                f"The prior is a {type(learned).__name__}; give KLD, MMD, DSWD, MMSE or another nn.Module."
            )
        self.generator, self.degradation, self.shape, self.learned = generator, degradation, torch.Size(shape), learned
        self.fidelity_weight, self.fidelity_space = fidelity_weight, fidelity_space
        self.sampling, self.match = sampling, match
        self.latent = latent and not isinstance(learned, MMSE)  # a mean has nothing to choose
        self.classes: int | None = None
        numbers = degradation.measured_numbers(shape)
        self._width = max(numbers)
        self._shares = torch.tensor([count / self.shape.numel() for count in numbers])
        self.bridges = Bridges(degradation) if sampling == "posterior" else None
        self._range_checked = len(self.shape) != 3  # points may lie anywhere
        self.register_buffer("process", self._process())

    @property
    def steps(self) -> int:
        """T: levels to restore from, and calls of the generator for a sample."""
        return self.degradation.steps

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.process.device

    # -- the parts of the objective ---------------------------------------------------------------------------------

    def generate(self, y: Tensor, k: Tensor | int, z: Tensor) -> Tensor:
        """The clean samples (B, ...) that the generator sees behind y_{k+1}, given latents z (B, latent).

        Args:
            y: of level k + 1, (B, ...), scaled as `Degradation.observe` leaves it.
            k: one level less than that of y, an integer or (B,).
            z: ignored by a model without latents.
        """
        k = k if isinstance(k, Tensor) else torch.full((len(y),), k, device=y.device)
        x_hat: Tensor = self.generator(y, k, z if self.latent else torch.zeros_like(z))
        if x_hat.shape != y.shape:
            raise ShapeError(
                f"The generator answered {tuple(x_hat.shape)} to an input of {tuple(y.shape)}; both must be the same."
            )
        return x_hat

    def fidelity(self, x_hat: Tensor, y: Tensor, k: Tensor | int) -> Tensor:
        """How badly restored samples fit y of level k, (B,): 1/2 on average for the truth, in "full" space."""
        misfit = self.degradation.misfit(x_hat, y, k)
        return misfit if self.fidelity_space == "full" else misfit * self._shares.to(misfit)[k]

    def _numbers(self, x: Tensor, copies: int, generator: Randomness) -> tuple[list[Tensor], Tensor]:
        """White noise for some degradations, and a latent: one draw, since each stream is dear."""
        latent = int(getattr(self.generator, "latent", 0))
        numbers = randn((len(x), copies * self._width + latent), generator, dtype=x.dtype, device=x.device)
        *noises, z = numbers.split([self._width] * copies + [latent], dim=1)
        return noises, z

    def _levels(self, n: int, generator: Randomness, device: torch.device) -> Tensor:
        """Levels 0 .. T - 1 to restore to: of each sample, or the first one's for all where sets are compared."""
        k = (rand((n,), generator, dtype=torch.float64, device=device) * self.steps).long().clamp(max=self.steps - 1)
        return k[:1].expand(n) if self.learned.whole_batch else k

    def _again(self, x_hat: Tensor, y: Tensor, k: Tensor, noise: Tensor) -> Tensor:
        """What the prior is shown of restored samples."""
        if self.match == "data":
            return x_hat
        if self.bridges is not None:
            return self.bridges.back(x_hat, y, k, noise)
        return self.degradation.observe(x_hat, k, noise)

    def _real(self, x: Tensor, k: Tensor, noise: Tensor) -> Tensor:
        """What it is shown of data."""
        return x if self.match == "data" else self.degradation.observe(x, k, noise)

    # -- training ---------------------------------------------------------------------------------------------------

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step: algorithm 2, or 1 with sampling="posterior"."""
        x, generator = batch.x, batch.generator
        self._check_data(x)
        if isinstance(self.learned, MMSE):
            yield from self._mean_move(x, generator)
            return
        if self.learned.discriminator is not None:
            k = self._levels(len(x), generator, x.device)
            (for_real, for_y, for_fake), z = self._numbers(x, 3, generator)
            with torch.no_grad():
                y = self.degradation.observe(x, k + 1, for_y)
                fake = self._again(self.generate(y, k, z), y, k, for_fake)
                real = self._real(x, k, for_real)
            loss, logs = self.learned.judge(real, fake, k, batch.step)
            yield Move("discriminator", loss, logs)

        k = self._levels(len(x), generator, x.device)
        (for_real, for_y, for_fake), z = self._numbers(x, 3, generator)
        y = self.degradation.observe(x, k + 1, for_y)
        x_hat = self.generate(y, k, z)
        fake = self._again(x_hat, y, k, for_fake)
        data = self._real(x, k, for_real) if self.learned.whole_batch else None
        prior = yield from self.learned.term(data, fake, k, generator)
        each = self.bridges.misfit(fake, y, k) if self.bridges is not None else self.fidelity(x_hat, y, k + 1)
        misfit = each.mean()
        loss = prior + self.fidelity_weight * misfit
        yield Move("generator", loss, {"prior": prior.detach(), "fidelity": misfit.detach()})

    def _mean_move(self, x: Tensor, generator: Randomness) -> Iterator[Move]:
        k = self._levels(len(x), generator, x.device)
        (for_y,), z = self._numbers(x, 1, generator)
        y = self.degradation.observe(x, k + 1, for_y)
        yield Move("generator", (self.generate(y, k, z) - x).square().mean())

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"; its players are the generator and those of the prior."""
        return [Stage.only({**self.learned.players(), "generator": self.generator}, steps, self.moves)]

    def _check_data(self, x: Tensor) -> None:
        if x.shape[1:] != self.shape:
            raise ShapeError(f"This model was made for data of shape {tuple(self.shape)}; it got {tuple(x.shape[1:])}.")
        if not x.is_floating_point():
            raise DataError(f"Data are floating point numbers; these are {x.dtype}. Scale images to [-1, 1] first.")
        if not self._range_checked:  # once: looking costs a wait for the device
            warn_of_range(x)
            self._range_checked = True

    # -- use --------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        generator: Randomness = None,
        progress: Progress | None = None,
        noise_scale: float = 0.999,
        path: bool = False,
    ) -> Tensor:
        """Draw samples in T calls of the generator.

        Args:
            n: how many.
            generator: one stream per sample is drawn from it, so a sample does not depend on its batch.
            progress: told (steps done, steps in all).
            noise_scale: what the noise of each degradation on the way is multiplied by.
            path: give what was restored at every step, from the first guess to the last.

        Returns:
            (n, ...), or (T, n, ...) with `path`.
        """
        if n < 0 or noise_scale < 0:
            raise ConfigError(f"{n} samples with noise_scale={noise_scale} were asked for; both are 0 or more.")
        if n == 0:
            return torch.empty(*((self.steps,) if path else ()), 0, *self.shape, device=self.device)
        streams = Streams.of(generator, n)
        kind = next((p.dtype for p in self.generator.parameters()), torch.float32)
        y = self.degradation.start(n, self.shape, streams, dtype=kind, device=self.device)
        restored = []
        with evaluating(self):
            for done, k in enumerate(reversed(range(self.steps)), start=1):
                (noise,), z = self._numbers(y, 1, streams)
                x_hat = self.generate(y, k, z)
                restored.append(x_hat)
                if k > 0 and self.bridges is not None:
                    y = self.bridges.back(x_hat, y, k, noise, scale=noise_scale)
                elif k > 0:
                    y = self.degradation.observe(x_hat, k, noise, scale=noise_scale)
                if progress is not None:
                    progress(done, self.steps)
        return torch.stack(restored) if path else restored[-1]

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """Restore y of a level 1 .. T, scaled as `Degradation.observe` leaves it, (B, ...); a latent is drawn.

        Gradients flow to y.
        """
        if not 1 <= level <= self.steps:
            raise ConfigError(f"This model restores from levels 1 to {self.steps}; it was asked for level {level}.")
        _, z = self._numbers(y, 0, generator)
        with evaluating(self):
            return self.generate(y, level - 1, z)

    def prior(self) -> RestorationPrior:
        """This model as a prior for inverse problems: images that are not scaled, (B, C, H, W)."""
        return RestorationPrior(self.degradation, self.restore)

    # -- weights know the chain they were trained with ----------------------------------------------------------------

    def _process(self) -> Tensor:
        """What tells one chain from another, as int64 bits of float64, which no cast of the model rounds."""
        numbers = torch.arange(self.shape.numel(), dtype=torch.float32)
        probe = (numbers * 1.37 + numbers**2 * 0.11).sin().reshape(1, *self.shape)
        seen = torch.stack([level.shown(probe).flatten().double() for level in self.degradation.levels])
        signs = torch.linspace(-1, 1, self.shape.numel(), dtype=torch.float64)
        of_levels = torch.stack([self.degradation.alphas, self.degradation.stds, seen @ signs, seen.square().mean(1)])
        words = [float(self.latent), float(self.sampling == "posterior"), *self.shape]
        return torch.cat([of_levels.flatten(), torch.tensor(words, dtype=torch.float64)]).view(torch.int64)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "process")
        if saved is not None and not same(saved, self._process()):
            raise RunError(
                "These weights were trained with another degradation than this model's: levels, noise, shape, latents or "
                "the way of sampling differ. Build the model from the recipe that is saved beside the weights."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
