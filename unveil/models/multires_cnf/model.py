"""Multi-resolution continuous normalizing flows: the details of every resolution, given the coarser picture, as noise.

The likelihood of a picture is the sum of those of its coarsest version and of the details of every resolution, so each
flow is trained by itself, and any small picture can be given the details of larger ones.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.core.protocols import Batch, Move, Progress, Randomness, Stage
from unveil.core.random import Streams, randn, randn_like
from unveil.core.shapes import sum_per_sample
from unveil.models.multires_cnf.critic import Critic
from unveil.models.multires_cnf.drawing import enlarged, grown, images, steps_of
from unveil.models.multires_cnf.flow import Encoded, ResolutionFlow
from unveil.models.multires_cnf.learning import learn
from unveil.models.multires_cnf.likelihood import Trace, terms
from unveil.models.multires_cnf.preprocessing import Levels
from unveil.models.multires_cnf.pyramid import Level, Pyramid
from unveil.models.multires_cnf.training import Training
from unveil.models.still import evaluating
from unveil.ode import Solver
from unveil.samplers import Likelihood

Noise = Literal["multi-resolution", "unit"]


class MultiResolutionCNF(nn.Module):
    """A pyramid with a continuous flow for every resolution, of exact likelihood.

    Args:
        pyramid: how images become the numbers that flows carry.
        flows: one for each resolution, finest first.
        levels: the values that a pixel takes.
        training: how the flows are trained.
        solver: for likelihoods and samples.
        noise: what the noise of `encode` and `decode` is: "multi-resolution" parts of one white image, or of variance 1.

    Raises:
        ConfigError: flows do not fit the pyramid.

    Source: Voleti et al. (2021), arXiv:2106.08462.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        flows: Sequence[ResolutionFlow],
        *,
        levels: Levels = Levels(),
        training: Training = Training(),
        solver: Solver = Solver(),
        noise: Noise = "multi-resolution",
    ) -> None:
        super().__init__()
        if noise not in get_args(Noise):
            raise ConfigError(f"noise is {noise!r}; it can be {' or '.join(get_args(Noise))}.")
        if len(flows) != pyramid.resolutions:
            raise ConfigError(
                f"A pyramid of {pyramid.resolutions} resolutions needs as many flows; it got {len(flows)}."
            )
        for resolution, flow in enumerate(flows, start=1):
            wanted = pyramid.state_shape(resolution)[0], 0 if resolution == pyramid.resolutions else pyramid.shape[0]
            if (flow.channels, flow.condition) != wanted:
                raise ConfigError(
                    f"The flow of resolution {resolution} carries {wanted[0]} channels and is told {wanted[1]}; this one "
                    f"carries {flow.channels} and is told {flow.condition}."
                )
            flow.name = self._name(pyramid, resolution)
        training.check(pyramid.resolutions, [len(flow.blocks) for flow in flows])
        self.pyramid, self.flows, self.levels, self.training_options = pyramid, nn.ModuleList(flows), levels, training
        self.solver, self.noise = solver, noise
        self.shape, self.classes = torch.Size(pyramid.shape), None
        self.critics = nn.ModuleList(Critic(pyramid.shape[0]) for _ in flows if training.adversarial)

    @staticmethod
    def _name(pyramid: Pyramid, resolution: int) -> str:
        return "x".join(map(str, pyramid.size(resolution)))

    @property
    def resolutions(self) -> int:
        """S, how many there are."""
        return self.pyramid.resolutions

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The kind of its numbers."""
        return next(self.parameters()).dtype

    # -- training ---------------------------------------------------------------------------------------------------

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        """A stage for every resolution, coarsest first, or one for all together; see `Training`.

        Stages and players are called by the size of their pictures, "14x14". A number of steps is that of each stage.
        """
        options = self.training_options
        chosen = [options.only] if options.only else list(range(self.resolutions, 0, -1))
        groups = [chosen] if options.together else [[resolution] for resolution in chosen]
        for group in groups:
            name = "all" if len(group) > 1 else self._name(self.pyramid, group[0])
            players: dict[str, nn.Module] = {}
            for resolution in group:
                player = self._name(self.pyramid, resolution)
                players[player] = self.flows[resolution - 1]
                if options.adversarial:
                    players[f"{player}-critic"] = self.critics[resolution - 1]
            count = steps if isinstance(steps, int) else steps[name]
            yield Stage(name, players, count, partial(self.moves, resolutions=group))

    def moves(self, batch: Batch, resolutions: Sequence[int]) -> Iterator[Move]:
        """One training step of some resolutions: their parts of the likelihood of one dequantised batch."""
        with torch.no_grad():
            u = self.levels.dequantise(batch.x, batch.generator)
            parts = {resolution: self.pyramid.levels(u, only=resolution)[-1] for resolution in resolutions}
        for resolution, level in parts.items():
            if batch.step == 0:
                self.flow(resolution).settle(level.state, level.condition)
            yield from learn(self, resolution, level, batch.generator)

    def flow(self, resolution: int) -> ResolutionFlow:
        """The flow of a resolution, 1 the finest."""
        flow = self.flows[resolution - 1]
        assert isinstance(flow, ResolutionFlow)
        return flow

    # -- likelihood -------------------------------------------------------------------------------------------------

    @staticmethod
    def nats_of(level: Level, found: Encoded) -> Tensor:
        """The logarithm of a resolution's part of the density, (B,)."""
        z = found.z.flatten(1)
        return found.change + level.change - (sum_per_sample(z.square()) + z.shape[1] * math.log(2 * math.pi)) / 2

    def dequantise(self, x: Tensor, generator: Randomness = None) -> Tensor:
        """Pixels in [-1, 1], or uint8, spread evenly over the model's levels, in [-1, 1)."""
        return 2 * self.levels.dequantise(x, generator) - 1

    @torch.no_grad()
    def terms(
        self,
        x: Tensor,
        *,
        generator: Randomness = None,
        trace: Trace = "auto",
        probes: int = 1,
        solver: Solver | None = None,
    ) -> tuple[Tensor, list[Tensor], int]:
        """The parts of ln p of every resolution, (S, B), finest first, where they are as noise, and evaluations.

        Args as for `log_likelihood`. Densities are those of images in [0, 1].
        """
        self._check_images(x)
        return terms(self, x, generator=generator, trace=trace, probes=probes, solver=solver)

    def log_likelihood(
        self,
        x: Tensor,
        *,
        generator: Randomness = None,
        trace: Trace = "auto",
        probes: int = 1,
        solver: Solver | None = None,
    ) -> Likelihood:
        """ln p of dequantised images in [-1, 1], as a density there.

        Args:
            x: (B, C, H, W), as `dequantise` gives them.
            generator: where probes come from.
            trace: "exact" takes one backward pass per number, "hutchinson" one per probe; "auto" is exact for resolutions
                of up to 256 numbers.
            probes: independent ones to average over.
            solver: the model's own when None.

        Raises:
            ShapeError: images of another shape than the model's.
            DataError: images beyond [-1, 1], not finite or not floating point.
            DivergenceError: the solver gives up.
        """
        parts, noise, evaluations = self.terms(x, generator=generator, trace=trace, probes=probes, solver=solver)
        numbers = self.shape.numel()
        scaled = [z * self.pyramid.spread(place) for place, z in enumerate(noise, start=1)]
        return Likelihood(parts.sum(0) - numbers * math.log(2), self.pyramid.merge_noise(scaled), evaluations)

    def bits_per_dim(self, x: Tensor, *, generator: Randomness = None, draws: int = 1, **options: Any) -> Tensor:
        """Bits per dimension of pixels of whole levels, (B,), averaged over some draws of the dequantisation.

        Args:
            x: pixels in [-1, 1], or uint8, (B, C, H, W).
            generator: of dequantisation and probes.
            draws: of both.
            options: of `log_likelihood`.
        """
        check_whole("draws", draws)
        if x.ndim != 4 or not len(x):
            raise DataError(f"Bits are those of images (B, C, H, W), one or more; these are {tuple(x.shape)}.")
        streams = Streams.of(generator, len(x))
        found = [
            self.log_likelihood(self.dequantise(x.to(self.device), streams), generator=streams, **options).bits_per_dim(
                levels=self.levels.count
            )
            for _ in range(draws)
        ]
        return torch.stack(found).mean(0)

    # -- noise and back -----------------------------------------------------------------------------------------------

    def _scales(self) -> list[float]:
        if self.noise == "unit":
            return [1.0] * self.resolutions
        return [self.pyramid.spread(resolution) for resolution in range(1, self.resolutions + 1)]

    @torch.no_grad()
    def encode(self, x: Tensor, *, solver: Solver | None = None) -> list[Tensor]:
        """The noise of dequantised images in [-1, 1] at every resolution, finest first; `merge_noise` makes it one image."""
        self._check_images(x)
        levels = self.pyramid.levels(((x + 1) / 2).clamp(0, 1))
        found = []
        with evaluating(self):
            for resolution, (level, scale) in enumerate(zip(levels, self._scales(), strict=True), start=1):
                flow = self.flow(resolution)
                found.append(scale * flow.carry(level.state, level.condition, solver=solver or self.solver))
        return found

    @torch.no_grad()
    def decode(self, noise: Sequence[Tensor], *, solver: Solver | None = None) -> Tensor:
        """The images in [-1, 1], neither rounded nor clipped, that `encode` makes this noise of."""
        if len(noise) != self.resolutions:
            raise ShapeError(f"Noise of {self.resolutions} resolutions is needed, finest first; it got {len(noise)}.")
        scaled = [z / scale for z, scale in zip(noise, self._scales(), strict=True)]
        place, image = images(self, scaled, None, solver)[0]
        return 2 * self.pyramid.pixels(image, place) - 1

    # -- samples ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        generator: Randomness = None,
        progress: Progress | None = None,
        temperature: float | Sequence[float] = 1.0,
        solver: Solver | None = None,
        exact: bool = False,
        path: bool = False,
    ) -> Any:
        """Draw samples.

        A resolution that was never trained adds no details.

        Args:
            n: how many.
            generator: one stream per sample is drawn from it.
            progress: told (resolutions done, resolutions in all).
            temperature: scales the noise, of all resolutions or of each, finest first; below 1 is more cautious.
            solver: the model's own when None.
            exact: give real numbers as the flows do, instead of pixels of whole levels.
            path: give the pictures of every resolution too, as a list, finest first.

        Returns:
            (n, C, H, W) in [-1, 1]; `exact` ones may lie a little beyond.
        """
        check_whole("n", n, least=0)
        heats = self._heats(temperature)
        if n == 0:
            empty = [torch.empty(0, self.shape[0], *self.pyramid.size(s), device=self.device) for s in self._all]
            return empty if path else empty[0]
        streams = Streams.of(generator, n)
        noise = [
            heat * randn((n, *self.pyramid.state_shape(resolution)), streams, dtype=self.dtype, device=self.device)
            for resolution, heat in zip(self._all, heats, strict=True)
        ]
        pictures = [self._shown(u, exact) for u in grown(self, noise, solver, progress)]
        return pictures if path else pictures[0]

    @property
    def _all(self) -> range:
        return range(1, self.resolutions + 1)

    def _shown(self, u: Tensor, exact: bool) -> Tensor:
        return 2 * u - 1 if exact else self.levels.quantise(u)

    def _heats(self, temperature: float | Sequence[float]) -> list[float]:
        heats = [temperature] * self.resolutions if isinstance(temperature, int | float) else list(temperature)
        if len(heats) != self.resolutions:
            raise ConfigError(f"{self.resolutions} resolutions have as many temperatures; it got {len(heats)}.")
        for heat in heats:
            check_amount("temperature", heat)
        return [float(heat) for heat in heats]

    @torch.no_grad()
    def super_resolve(
        self,
        low: Tensor,
        factor: int = 2,
        *,
        generator: Randomness = None,
        progress: Progress | None = None,
        temperature: float = 1.0,
        solver: Solver | None = None,
        exact: bool = False,
    ) -> Tensor:
        """Give small pictures the details of larger ones: one answer of many that average to the picture given.

        Args:
            low: means of blocks of pixels, (B, C, h, w) in [-1, 1]; of any size, best of one of the pyramid's.
            factor: how many times the sides grow, a power of 2 that the pyramid reaches.
            generator: one stream per picture.
            temperature: scales the noise; 0 gives the middle of all answers.
            exact: as for `sample`.

        Returns:
            (B, C, factor h, factor w) in [-1, 1].

        Raises:
            ConfigError: a factor that the pyramid does not reach.
            ShapeError: pictures of other channels.
        """
        steps = steps_of(factor, self.resolutions)
        check_amount("temperature", temperature)
        if low.ndim != 4 or low.shape[1] != self.shape[0]:
            raise ShapeError(f"Pictures (B, {self.shape[0]}, H, W) can be given details; these are {tuple(low.shape)}.")
        if not low.is_floating_point() or not bool((low.abs() <= 1 + 1e-4).all()):
            raise DataError(
                "Pictures that are given details are floating point numbers in [-1, 1]; "
                + ("these lie beyond." if low.is_floating_point() else f"these are {low.dtype}: take x / 127.5 - 1.")
            )
        u = enlarged(self, low, factor, steps, temperature, Streams.of(generator, len(low)), solver, progress)
        return self._shown(u, exact)

    @torch.no_grad()
    def redraw(self, x: Tensor, resolutions: int = 1, *, generator: Randomness = None, **options: Any) -> Tensor:
        """Dequantised images in [-1, 1] with other details of some of the finest resolutions, and the rest as it was.

        Args:
            x: (B, C, H, W).
            resolutions: how many of the finest get other details.
            options: `solver`.
        """
        check_whole("resolutions", resolutions, least=0)
        if resolutions > self.resolutions:
            raise ConfigError(f"{resolutions} of {self.resolutions} resolutions cannot be drawn anew.")
        noise = self.encode(x, **options)
        for place in range(resolutions):
            noise[place] = self._scales()[place] * randn_like(noise[place], generator)
        return self.decode(noise, **options)

    def _check_images(self, x: Tensor) -> None:
        if x.shape[1:] != self.shape:
            raise ShapeError(f"This model is for images of shape {tuple(self.shape)}; it got {tuple(x.shape[1:])}.")
        if not len(x):
            raise DataError("A likelihood is that of one image or more; the batch is empty.")
        if not x.is_floating_point():
            raise DataError(
                f"A likelihood needs dequantised floating point images, and these are {x.dtype}: see `dequantise`, or take "
                "`bits_per_dim`."
            )
        if not bool((x.abs() <= 1 + 1e-5).all()):  # nan is beyond too
            raise DataError("A likelihood needs finite images in [-1, 1]; these hold a NaN or lie beyond.")
