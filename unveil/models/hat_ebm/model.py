"""The model of three networks: X = D(alpha G1(z1) + sigma z2) + Y, with one energy for X."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Batch, Move, Progress, Randomness, Stage
from unveil.core.random import Streams, randn_like
from unveil.inverse import DenoiserPrior
from unveil.mcmc import TruncatedKernel
from unveil.mcmc.langevin import Watch
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm.chains import Chain, LatentMove, refine_both, refine_residual
from unveil.models.hat_ebm.given import check_images, spread
from unveil.models.hat_ebm.health import Health
from unveil.models.hat_ebm.options import Lengths, Objective
from unveil.models.hat_ebm.pairs import Pairs, draw_latents, noise_of
from unveil.models.hat_ebm.training import stage_one, stage_two
from unveil.models.still import still
from unveil.samplers.walk import telling
from unveil.schedules.grids import draw_times

Part = Literal["proposal", "kernel", "one", "two"]
_FIRST_RESIDUAL = 0.01
_SHOWN = 8
_UNSTEADY = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class HatEBM(nn.Module):
    """A generator proposes, a one-step diffusion moves the proposal towards data, and an energy refines it.

    A sample is X = G2(G1(z1), z2) + Y with G2(x, z2) = D(alpha x + sigma z2): one step of a Markov chain made of a diffusion
    that is truncated at `distilled.until` and distilled to one step. Its density is exp(-U(X)) over Y, and in stage two over
    Y and the latents z = (z1, z2); chains are short and begin at Y = 0, z from N(0, 1). No Jacobian of G is needed.

    Four stages make it: the truncated diffusion ("diffusion"), its distillation ("4-steps", "2-steps", "1-steps"), generator
    and energy together ("one"), the energy with moving latents ("two").

    Args:
        generator: G1, z1 (B, latent) -> (B, ...), with `latent`.
        distilled: D, and how it comes to be.
        energy: U, (B, ...) -> (B,), low where data is. Neither it nor the generator may look at the batch or drop anything.
        one: the chains of the residual in stage one.
        two: those of stage two; like `one` when None.
        latent_move: how latents move in stage two.
        bank: pairs of a sample and its latents that are kept for the generator.
        objective: what the players are asked for.
        lengths: how long the stages are.

    Raises:
        ConfigError: a part that cannot be used.

    Source: Tackling Unconditional Generation for Highly Multimodal Distributions with Hat Diffusion EBM; Hill et al. (2022),
    Learning probabilistic models from generator latent spaces with Hat EBM.
    """

    reached: Tensor
    preview_columns = _SHOWN

    def __init__(
        self,
        generator: nn.Module,
        distilled: Distilled,
        energy: nn.Module,
        *,
        one: Chain,
        two: Chain | None = None,
        latent_move: LatentMove = LatentMove(),
        bank: int = 2000,
        objective: Objective = Objective(),
        lengths: Lengths = Lengths(),
    ) -> None:
        super().__init__()
        for name, part in (("generator", generator), ("energy", energy)):
            unsteady = [type(module).__name__ for module in part.modules() if isinstance(module, _UNSTEADY)]
            if unsteady:
                raise ConfigError(
                    f"The {name} has a {unsteady[0]}, and a sample's value must depend on that sample alone; use no batch norm "
                    "and no dropout there."
                )
        if distilled.steps != 1:
            raise ConfigError(
                f"The kernel's diffusion is distilled to one step; this one is distilled to {distilled.steps}."
            )
        if distilled.classes is not None:
            raise ConfigError("This model knows no labels; leave them out of the diffusion (labels=false).")
        self.generator, self.distilled, self.energy = generator, distilled, energy
        # Stage two goes on from the energy of stage one, which stays as it is.
        self.energy_two = copy.deepcopy(energy) if lengths.two else None
        self.diffusion = copy.deepcopy(distilled.student)
        self.one, self.two, self.latent_move = one, two or one, latent_move
        self.objective, self.lengths = objective, lengths
        self.shape, self.classes = distilled.shape, None
        self.latent = cast(int, generator.latent)
        self.pairs, self.health = Pairs(bank, self.shape, self.latent), Health()
        self.register_buffer("reached", torch.zeros((), dtype=torch.int64))
        self._seen: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.reached.device

    # -- the parts --------------------------------------------------------------------------------------------------

    @property
    def kernel(self) -> TruncatedKernel:
        """G2: (x, noise=z2) -> a step towards data."""
        return self.distilled.kernel

    def generate(self, z: Tensor, noise: Tensor) -> Tensor:
        """G of both latents, (B, latent) and (B, ...)."""
        return self.kernel(self.generator(z), noise=noise)

    def joined(self, z: Tensor, noise: Tensor) -> Tensor:
        """Both latents as one vector, (B, n)."""
        return torch.cat([z, noise.flatten(1)], 1)

    def generate_joined(self, z: Tensor) -> Tensor:
        """G of latents that are one vector."""
        return self.generate(z[:, : self.latent], z[:, self.latent :].unflatten(1, self.shape))

    def prior(self) -> DenoiserPrior:
        """The truncated diffusion as a prior for inverse problems, up to the noise that it has learned to take away."""
        alpha, sigma = self.diffusion.schedule(torch.tensor(self.distilled.until, dtype=torch.float64))
        return self.diffusion.prior(largest=float(sigma / alpha))

    # -- training ---------------------------------------------------------------------------------------------------

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        """The four stages; a number of steps is that of stage one, and `lengths` says how long the others are."""

        def length(name: str, share: float) -> int:
            return steps[name] if isinstance(steps, Mapping) else max(1, round(steps * share))

        count = length("diffusion", self.lengths.diffusion)
        yield Stage("diffusion", {"diffusion": self.diffusion}, count, partial(self._seeing, self._denoising))
        self.distilled.begin(self.diffusion)
        for stage in self.distilled.stages(steps if isinstance(steps, Mapping) else length("", self.lengths.distil)):
            yield replace(stage, moves=partial(self._seeing, stage.moves))
        players, shown = {"energy": self.energy, "generator": self.generator}, ("energy.gap", "energy.drift")
        count = length("one", 1.0)
        yield Stage("one", players, count, partial(stage_one, self, count), shown=shown)
        if self.energy_two is not None:
            self.energy_two.load_state_dict(self.energy.state_dict())
            count = length("two", self.lengths.two)
            yield Stage(
                "two",
                {"energy-two": self.energy_two},
                count,
                partial(stage_two, self, count),
                shown=("gap", "drift", "latent"),
            )

    def _denoising(self, batch: Batch) -> Iterator[Move]:
        """One training step of the truncated diffusion: times are uniform up to `until`."""
        t = draw_times(len(batch), self.diffusion.schedule, batch.generator, until=self.distilled.until)
        yield Move("diffusion", self.diffusion.loss_per_sample(batch.x, t, randn_like(batch.x, batch.generator)).mean())

    def _seeing(self, moves: Callable[[Batch], Iterator[Move]], batch: Batch) -> Iterator[Move]:
        """One training step as it is, whose data are shown in a preview."""
        self._seen = batch.x[:_SHOWN]
        return moves(batch)

    # -- samples ----------------------------------------------------------------------------------------------------

    @property
    def trained(self) -> tuple[Part, ...]:
        """The parts that samples can be taken from so far."""
        return get_args(Part)[: (0, 3, 4)[int(self.reached)]]

    def part_for(self, stage: str | None) -> Part:
        """Which part of the model a sample is taken from; the last that was trained when None.

        Raises:
            ConfigError: there is no such part, or it was not trained yet.
        """
        reached = int(self.reached)
        part = stage or ("two" if reached == 2 else "one")
        if part not in get_args(Part):
            raise ConfigError(f"There is no stage {part!r}; take {' or '.join(get_args(Part))}.")
        needed = 2 if part == "two" else 1
        if reached < needed:
            raise ConfigError(
                f"This run has not been trained through stage {'two' if needed == 2 else 'one'}"
                + ("; take --stage one, proposal or kernel." if reached else ": go on with unveil train RUN --resume.")
            )
        return cast(Part, part)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        stage: Part | None = None,
        steps: int | None = None,
        generator: Randomness = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Draw samples; those of one generator begin with the same latents whatever the stage.

        Args:
            n: how many.
            stage: "proposal" for G1 alone, "kernel" for G, "one" and "two" for the refined ones; the last that was trained
                when None.
            steps: of the chains; the model's own when None.
            generator: one stream per sample is drawn from it.
            progress: told (steps done, steps in all).
            watch: told (steps done, steps in all, the state).

        Returns:
            (n, ...); pictures in [-1, 1].

        Raises:
            ConfigError: a stage that was not trained.
            DivergenceError: a chain stopped being finite.
        """
        check_whole("n", n, least=0)
        part = self.part_for(stage)
        chain = self.two if part == "two" else self.one
        count = chain.test_steps if steps is None else steps
        check_whole("steps", count)
        if n == 0:
            return torch.empty(0, *self.shape, device=self.device)
        streams = Streams.of(generator, n)
        z, seed = draw_latents(n, self.latent, streams, self.device)
        noise = noise_of(seed, self.shape, self.device)
        tell = telling(progress, watch)
        with still(self):
            if part == "proposal":
                x = self.generator(z)
            elif part == "two":
                start = _FIRST_RESIDUAL * randn_like(noise, streams)
                assert self.energy_two is not None
                joined, y = refine_both(
                    self.energy_two, self.generate_joined, self.joined(z, noise), start, chain, self.latent_move,
                    steps=count, generator=streams, watch=tell,
                )  # fmt: skip
                x = self.generate_joined(joined) + y
            else:
                x = self.generate(z, noise)
                if part == "one":
                    start = _FIRST_RESIDUAL * randn_like(x, streams)
                    x = x + refine_residual(self.energy, x, start, chain, steps=count, generator=streams, watch=tell)
        if progress is not None and part in ("proposal", "kernel"):
            progress(1, 1)
        return self._shown(x)

    @torch.no_grad()
    def refine(
        self,
        x: Tensor,
        *,
        repeats: int = 1,
        steps: int | None = None,
        mask: Tensor | None = None,
        generator: Randomness = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Move images that there are: some steps of the kernel, then the chains of stage one.

        Args:
            x: (B, ...), pictures in [-1, 1].
            repeats: steps of the kernel; 0 leaves it out, more go farther.
            steps: of the chains; 0 leaves them out, the model's own when None.
            mask: images change where it is above 0, of the shape of x or one that spreads to it, and elsewhere stay to the bit.
            generator: one stream per sample is drawn from it.
            progress: told (steps done, steps in all).
            watch: told (steps done, steps in all, the state).

        Raises:
            ShapeError: images of another shape than the model's, or a mask that does not fit them.
            DataError: they are not floating point numbers in [-1, 1].
            ConfigError: kernel and energy were not trained yet, or numbers out of range.
        """
        check_images(x, self.shape)
        check_whole("repeats", repeats, least=0)
        count = self.one.test_steps if steps is None else steps
        check_whole("steps", count, least=0)
        if repeats or count:
            self.part_for("one" if count else "kernel")
        streams, given = Streams.of(generator, len(x)), x.to(self.device, self.pairs.z.dtype)
        where = None if mask is None else spread(mask.to(self.device), given)
        kept: Callable[[Tensor], Tensor] = (
            (lambda new: new) if where is None else lambda new: torch.where(where > 0, new, given)
        )
        at = given
        with still(self):
            for _ in range(repeats):
                at = kept(self.kernel(at, streams))
            if count:
                tell = telling(progress, watch)
                y = refine_residual(
                    self.energy,
                    at,
                    torch.zeros_like(at),
                    self.one,
                    steps=count,
                    mask=where,
                    generator=streams,
                    watch=tell,
                )
                at = at + y
        return kept(self._shown(at))

    def judge(self, x: Tensor, *, stage: Literal["one", "two"] | None = None) -> Tensor:
        """The energy of images that there are, (B, ...) -> (B,): low where data are, as far as the chains have come.

        Args:
            x: pictures in [-1, 1].
            stage: whose energy; that of the last that was trained when None.

        Raises:
            ShapeError: images of another shape than the model's.
            DataError: they are not floating point numbers in [-1, 1].
            ConfigError: that energy was not trained.
        """
        check_images(x, self.shape)
        energy = self.energy_two if self.part_for(stage) == "two" else self.energy
        assert energy is not None
        with still(self):
            found: Tensor = energy(x.to(self.device, self.pairs.z.dtype))
        return found

    def preview(self) -> Tensor:
        """Pictures of how training goes: of the proposal, of the kernel and of the chains, a row each, of the same latents.

        Before stage one there are data, and what the diffusion makes of them in many steps and in one.
        """
        if self.reached:
            count = _SHOWN if len(self.shape) == 3 else 1000
            parts: list[Part] = (
                ["proposal", "kernel", self.part_for(None)] if len(self.shape) == 3 else [self.part_for(None)]
            )
            return torch.cat([self.sample(count, stage=part, generator=Streams(0, count)) for part in parts])
        data = self._seen
        if data is None:
            return torch.zeros(_SHOWN, *self.shape)
        several = replace(self.kernel, denoise=self.diffusion.denoise, steps=self.distilled.first_steps)
        with torch.no_grad(), still(self):
            rows = [data, *(kernel(data, Streams(0, len(data))) for kernel in (several, self.kernel))]
        return self._shown(torch.cat(rows))

    def _shown(self, x: Tensor) -> Tensor:
        return x.clamp(-1, 1) if len(self.shape) == 3 else x
