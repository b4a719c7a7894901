"""Diffusion on the codes of a classical codec: nothing is learned but the codebooks, and the network that denoises them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor, nn

from unveil import samplers
from unveil.codecs import Codec
from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.core.protocols import Batch, Dataset, Denoiser, Move, Progress, Randomness, Schedule, Stage
from unveil.core.random import Streams, rand, randn, randn_like
from unveil.covariance import Identity
from unveil.models.codec_diffusion.checks import Codes, check_codes, check_pictures, check_schedule, check_values
from unveil.models.codec_diffusion.gumbel import draw, gumbel_softmax
from unveil.models.codec_diffusion.kept_codec import KeptCodec
from unveil.models.codec_diffusion.latents import disturbed, to_codes, to_latents, values_of
from unveil.models.codec_diffusion.refiner import Refiner
from unveil.models.codec_diffusion.space import CodeSpace
from unveil.models.codec_diffusion.terms import Terms, missing_odds, noise_error
from unveil.models.diffusion.checks import warn_of_range
from unveil.models.diffusion.fingerprint import fingerprint, same
from unveil.models.diffusion.places import Place, Places
from unveil.models.diffusion.prediction import to_eps, to_x_hat
from unveil.models.still import evaluating
from unveil.samplers import Clip
from unveil.schedules.grids import Spacing, draw_times, times_of

SAMPLERS: Mapping[str, Callable[..., Tensor]] = {"ancestral": samplers.ancestral, "ddim": samplers.ddim}
"""Chains that look once at every time, so that the estimate before is that of the step before."""
WHITE = Identity()


class CodecDiffusion(nn.Module):
    """A diffusion on the codes that a codec writes of pictures, as numbers in [-1, 1]: z_t = alpha z + sigma e.

    "continuous" codes are numbers on a line: the network predicts the noise, and samples are rounded. It needs a codec
    whose codebooks are in order, so that codes nearby look alike. A refiner, trained afterwards, mends what rounding
    to a wrong code does to pictures. "categorical" codes are names: the network gives every code its odds, a soft draw
    of them is decoded, and the picture itself is compared; samples are decoded exactly and want no refiner.

    Args:
        net: (z_t, time) -> noise, or the logits of all codes, plane after plane. With `self_condition` its input has twice
            the planes: the estimate before, and z_t.
        codec: turns pictures into codes; one with nothing in its codebooks is fitted to the data, see `prepare`.
        schedule: t -> (alpha, sigma), variance-preserving.
        shape: of one picture, (C, H, W); it is continued by its edges to whole patches that the network can halve.
        codes: "continuous" or "categorical".
        min_snr: cap of the signal-to-noise weighting of the noise's error; None leaves it out.
        self_condition: show the network its estimate of the step before.
        relaxation: temperature of the soft draws in training.
        straight_through: decode the likeliest code of a soft draw, with the gradient of the soft one.
        image_weight: how much the error of the picture counts beside that of the noise.
        cross_entropy: how much the odds of the true codes count beside them; a little hastens short trainings.
        refiner: for continuous codes.

    Raises:
        ConfigError: a value that cannot work, or a codec without order for continuous codes.
        ShapeError: the codec does not fit the pictures.

    Source: Scribano et al. (2023), Denoising diffusion models on model-based latent space, Algorithms 16(11):501; Chen et al.
    (2022), arXiv:2208.04202, for self-conditioning; Hang et al. (2023), arXiv:2303.09556, for the weighting.
    """

    process: Tensor

    def __init__(
        self,
        net: nn.Module,
        codec: Codec | KeptCodec,
        schedule: Schedule,
        shape: Sequence[int],
        *,
        codes: Codes = "categorical",
        min_snr: float | None = 5.0,
        self_condition: bool = True,
        relaxation: float = 1.0,
        straight_through: bool = False,
        image_weight: float = 1.0,
        cross_entropy: float = 0.0,
        refiner: Refiner | None = None,
    ) -> None:
        super().__init__()
        kept = codec if isinstance(codec, KeptCodec) else KeptCodec(codec)
        codec = kept.codec
        check_codes(codes, codec, refiner is not None)
        check_values(min_snr, relaxation, image_weight, cross_entropy)
        check_schedule(schedule)
        check_pictures(codec, shape)
        self.net, self.codec, self.schedule, self.shape = net, kept, schedule, torch.Size(shape)
        self.codes, self.min_snr, self.self_condition = codes, min_snr, self_condition
        self.relaxation, self.straight_through = relaxation, straight_through
        self.image_weight, self.cross_entropy, self.refiner = image_weight, cross_entropy, refiner
        self.space = CodeSpace(kept, shape, getattr(net, "divisor", 1))
        self.places = Places(schedule, "time", None, 1)
        self._range_checked = False
        self.register_buffer("process", self._process())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.process.device

    @property
    def size(self) -> int:
        """How many codes there are, K."""
        return self.space.size

    @property
    def latent_shape(self) -> torch.Size:
        """Of the codes of a picture, (planes, h, w)."""
        return self.space.latent_shape

    # -- pictures and codes -----------------------------------------------------------------------------------------

    def prepare(self, data: Dataset, generator: torch.Generator | None = None) -> None:
        """Fit the codec to data, if it has not been fitted: what is to be known before the first step of training."""
        self.codec.prepare(data, generator)

    def encode(self, x: Tensor) -> Tensor:
        """The codes of pictures: (B, C, H, W) in [-1, 1] -> (B, planes, h, w), uint8."""
        return self.codec.encode(self._whole(x))

    @torch.no_grad()
    def decode(self, codes: Tensor, *, refine: bool = True) -> Tensor:
        """The pictures of codes: (B, planes, h, w) -> (B, C, H, W) in [-1, 1].

        Args:
            codes: 0 .. K - 1.
            refine: mend them with the refiner, if there is one.
        """
        if len(codes) == 0:
            return torch.empty(0, *self.shape, device=codes.device)
        x = self.codec.decode(codes)
        if refine and self.refiner is not None:
            with evaluating(self.refiner):
                x = self.refiner(x)
        return self.space.cut(x)

    def _whole(self, x: Tensor) -> Tensor:
        """Pictures continued by their edges to the sides that the latents stand for."""
        if x.shape[1:] != self.shape:
            raise ShapeError(
                f"This model was made for pictures of shape {tuple(self.shape)}; it got {tuple(x.shape[1:])}."
            )
        if not x.is_floating_point():
            raise DataError(f"Pictures are floating point numbers in [-1, 1]; these are {x.dtype}. Scale them first.")
        if not self._range_checked:  # once: looking costs a wait for the device
            warn_of_range(x)
            self._range_checked = True
        return self.space.whole(x)

    # -- the network, seen through its parameterisation ---------------------------------------------------------------

    def _predict(self, z_t: Tensor, place: Place, before: Tensor | None) -> Tensor:
        """What the network says of z_t: noise (B, planes, h, w), or logits (B, planes, K, h, w)."""
        given = z_t
        if self.self_condition:
            given = torch.cat([torch.zeros_like(z_t) if before is None else before, z_t], 1)
        steering = {} if place.steering is None else {"steering": place.steering}
        out: Tensor = self.net(given, place.told, **steering)
        planes = z_t.shape[1]
        wanted = planes if self.codes == "continuous" else planes * self.size
        if out.shape != (len(z_t), wanted, *z_t.shape[2:]):
            raise ShapeError(
                f"The network answered {tuple(out.shape)} to {tuple(z_t.shape)}; {self.codes} codes need {wanted} channels "
                "of the same sides."
            )
        return out.float() if self.codes == "continuous" else out.float().unflatten(1, (planes, self.size))

    def _mean(self, out: Tensor, z_t: Tensor, place: Place) -> Tensor:
        """The expected latents that the network's answer stands for, (B, planes, h, w)."""
        if self.codes == "continuous":
            return to_x_hat("eps", out, z_t, place.alpha, place.sigma, WHITE)
        return torch.einsum("bpkhw,k->bphw", out.softmax(2), values_of(self.size, out))

    def logits(self, z_t: Tensor, t: Tensor, before: Tensor | None = None) -> Tensor:
        """The logits of all codes, (B, planes, K, h, w), that categorical codes are drawn from.

        Args:
            z_t: noisy latents, (B, planes, h, w).
            t: times in (0, 1], () or (B,).
            before: the estimate of the step before, as latents; zeros without it.
        """
        if self.codes != "categorical":
            raise ConfigError("Continuous codes have no logits; ask `denoise` for their expected latents.")
        return self._predict(z_t, self.places.of(t, z_t, z_t.dtype), before)

    def denoise(self, z_t: Tensor, t: Tensor, before: Tensor | None = None) -> Tensor:
        """E[z | z_t] as the network sees it, (B, planes, h, w); arguments are those of `logits`."""
        place = self.places.of(t, z_t, z_t.dtype)
        return self._mean(self._predict(z_t, place, before), z_t, place)

    # -- training ---------------------------------------------------------------------------------------------------

    def loss(self, x: Tensor, generator: Randomness = None) -> Tensor:
        """The loss of pictures x, (B, C, H, W), at random times."""
        return self.terms(x, generator)[0].total(self.image_weight, self.cross_entropy)

    def terms(self, x: Tensor, generator: Randomness = None, t: Tensor | None = None) -> tuple[Terms, Tensor]:
        """What the loss of pictures x is made of, and the times, (B,), random ones where none are given."""
        x = self._whole(x)
        codes = self.codec.encode(x)
        z = to_latents(codes, self.size)
        if t is None:
            t = draw_times(len(z), self.schedule, generator)
        eps = randn_like(z, generator)
        place = self.places.of(t, z, z.dtype)
        z_t = place.alpha * z + place.sigma * eps
        out = self._predict(z_t, place, self._estimate_before(z_t, place, generator))
        if self.codes == "continuous":
            return Terms(noise_error(out, eps, place, self.min_snr)), t
        shares = gumbel_softmax(out, self.relaxation, generator, dim=2, straight_through=self.straight_through)
        drawn = torch.einsum("bpkhw,k->bphw", shares, values_of(self.size, shares))
        eps_hat = to_eps("x", drawn, z_t, place.alpha, place.sigma, WHITE)
        image = (self.codec.soft_decode(shares) - x).square().mean()
        odds = missing_odds(out, codes) if self.cross_entropy else None
        return Terms(noise_error(eps_hat, eps, place, self.min_snr), image, odds), t

    def _estimate_before(self, z_t: Tensor, place: Place, generator: Randomness) -> Tensor | None:
        """Half of the time a first estimate, of which no gradients are taken."""
        if not self.self_condition:
            return None
        chance = generator.shared() if isinstance(generator, Streams) else float(rand((1,), generator)[0])
        if chance < 0.5:
            return None
        with torch.no_grad():
            return self._mean(self._predict(z_t, place, None), z_t, place).clamp(-1, 1)

    def generator_moves(self, batch: Batch) -> Iterator[Move]:
        """One step of the generator's training."""
        terms, t = self.terms(batch.x, batch.generator)
        yield Move("generator", terms.total(self.image_weight, self.cross_entropy), {**terms.logs(), "t": t})

    def refiner_loss(self, x: Tensor, generator: Randomness = None) -> Tensor:
        """How badly the refiner mends pictures x, (B, C, H, W), whose codes were disturbed."""
        if self.refiner is None:
            raise ConfigError("This model has no refiner; give it one (model.refiner).")
        x = self._whole(x)
        codes = disturbed(self.codec.encode(x), self.size, self.refiner.spread, generator)
        return self.refiner.loss(self.codec.decode(codes), x)

    def refiner_moves(self, batch: Batch) -> Iterator[Move]:
        """One step of the refiner's training."""
        yield Move("refiner", self.refiner_loss(batch.x, batch.generator))

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        """The stages "generator" and, where there is one, "refiner", which takes its share of as many steps."""
        count = steps if isinstance(steps, int) else steps["generator"]
        yield Stage("generator", {"generator": self.net}, count, self.generator_moves)
        if self.refiner is not None:
            count = max(1, round(steps * self.refiner.share)) if isinstance(steps, int) else steps["refiner"]
            yield Stage("refiner", {"refiner": self.refiner}, count, self.refiner_moves)

    # -- sampling ---------------------------------------------------------------------------------------------------

    def denoiser(
        self, *, temperature: float = 1.0, generator: Randomness = None, places: Mapping[float, Place] | None = None
    ) -> Denoiser:
        """A denoiser for one walk: it shows the network its estimate of the step before.

        Args:
            temperature: of categorical codes, which are drawn; 0 takes the likeliest.
            generator: one stream per sample, for these draws.
            places: what belongs to single times, worked out before.
        """
        before: Tensor | None = None

        def denoise(z_t: Tensor, t: Tensor) -> Tensor:
            nonlocal before
            place = places[float(t)] if places else self.places.of(t, z_t, z_t.dtype)
            out = self._predict(z_t, place, before)
            mean = self._mean(out, z_t, place)
            before = mean.clamp(-1, 1) if self.self_condition else None
            if self.codes == "continuous":
                return mean
            return to_latents(draw(out, temperature, generator, dim=2), self.size)

        return denoise

    @torch.no_grad()
    def sample_codes(
        self,
        n: int,
        *,
        steps: int = 50,
        sampler: str = "ancestral",
        generator: Randomness = None,
        progress: Progress | None = None,
        temperature: float = 1.0,
        spacing: Spacing = "trailing",
        **options: Any,
    ) -> Tensor:
        """Draw codes, (n, planes, h, w), int64; arguments are those of `sample`."""
        check_whole("n", n, least=0)
        check_whole("steps", steps)
        check_amount("temperature", temperature)
        if sampler not in SAMPLERS:
            raise ConfigError(
                f"Codes are sampled by {' or '.join(SAMPLERS)}, which look once at every time; not by {sampler!r}."
            )
        times = times_of(self.schedule, steps, spacing)
        if n == 0:
            return torch.empty(0, *self.latent_shape, dtype=torch.int64, device=self.device)
        streams = Streams.of(generator, n)
        z = randn((n, *self.latent_shape), streams, device=self.device)
        categorical = self.codes == "categorical"

        def tell(done: int, total: int, state: Tensor) -> None:
            if progress is not None:
                progress(done, total)

        with evaluating(self):
            places = self.places.table(times[times > 0], z, z.dtype, None, getattr(self.net, "steering", None))
            denoise = self.denoiser(temperature=temperature, generator=streams, places=places)
            walk = partial(
                SAMPLERS[sampler], denoise, schedule=self.schedule, times=times, generator=streams, **options
            )
            clip = None if categorical else Clip()
            z = walk(z if categorical else temperature * z, clip=clip, watch=tell if progress is not None else None)
        return to_codes(z, self.size)

    def sample(self, n: int, *, refine: bool = True, **options: Any) -> Tensor:
        """Draw pictures.

        Args:
            n: how many.
            refine: mend them with the refiner, if there is one.
            options: `steps` (50) of the chain; `sampler`, "ancestral" or "ddim", and its own options, such as eta;
                `spacing` of the steps, "trailing", "leading" or "quadratic"; `generator`, from which one stream per sample
                is drawn, so that a sample does not depend on its batch; `progress`, told (steps done, steps in all); and
                `temperature` (1): the logits of categorical codes are divided by it, so that 0 takes the likeliest code
                and more than 1 makes codes more alike likely; of continuous codes it scales the noise at the start.

        Returns:
            (n, C, H, W), in [-1, 1].

        Raises:
            ConfigError: a number out of range, or another sampler.
        """
        return self.decode(self.sample_codes(n, **options), refine=refine)

    # -- weights know the process they were trained with ----------------------------------------------------------------

    def _process(self) -> Tensor:
        words = [get_args(Codes).index(self.codes), self.self_condition, self.codec.codec.patch, self.size, *self.shape]
        return fingerprint(self.schedule, WHITE, self.latent_shape, words)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "process")
        if saved is not None and not same(saved, self._process()):
            raise RunError(
                "These weights were trained for other codes than this model's: the schedule, the codec, the size of the "
                "pictures or the kind of codes differs. Build the model from the recipe that is saved beside the weights."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
