"""What a restored image is held to besides its measurement: priors that are learned from data, and one that is none.

Every prior compares real degraded samples of a level with restored ones that were degraded to it again.
"""

from collections.abc import Generator, Sequence
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Move, Randomness
from unveil.core.random import randn
from unveil.divergences import MixtureRBF, SliceMap, likeness, mmd2, sliced_wasserstein, slicing_loss
from unveil.models.restoration.adversarial import Adversarial

GenLoss = Literal["kl", "nonsaturating"]


class LearnedPrior(Protocol):
    """What a model of restoration asks of its prior; a prior is also an nn.Module."""

    @property
    def discriminator(self) -> nn.Module | None:
        """Who tells real samples from restored ones, if anybody does."""
        ...

    @property
    def whole_batch(self) -> bool:
        """Whether sets are compared, of samples of one level."""
        ...

    def players(self) -> dict[str, nn.Module]:
        """Who moves besides the generator, by name."""
        ...

    def judge(self, real: Tensor, fake: Tensor, k: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """What the discriminator lowers, and what is worth a log line."""
        ...

    def term(
        self, real: Tensor | None, fake: Tensor, k: Tensor, generator: Randomness
    ) -> Generator[Move, None, Tensor]:
        """Move the prior's own players, and return what the generator lowers; only sets are given real samples."""
        ...


class KLD(Adversarial):
    """The Kullback-Leibler divergence of restored from real samples, by the odds of a discriminator.

    A discriminator at its best has the logit o = ln p_real - ln p_fake, so that the mean of -o over restored samples is
    the divergence. Args are those of `Adversarial`, and:

    Args:
        gen_loss: "kl" lowers -o; "nonsaturating" softplus(-o), which is usual for GANs and estimates no divergence.

    Source: Choi et al. (2023), arXiv:2303.05456, eq. 7.
    """

    whole_batch = False

    def __init__(
        self,
        discriminator: nn.Module,
        *,
        r1: float = 0.02,
        lazy: int = 15,
        r1_scale_by_interval: bool = False,
        gen_loss: GenLoss = "kl",
    ) -> None:
        super().__init__(discriminator, r1=r1, lazy=lazy, r1_scale_by_interval=r1_scale_by_interval)
        if gen_loss not in ("kl", "nonsaturating"):
            raise ConfigError(f"KLD got gen_loss={gen_loss!r}; it can be 'kl' or 'nonsaturating'.")
        self.gen_loss = gen_loss

    def players(self) -> dict[str, nn.Module]:
        """The discriminator."""
        return {"discriminator": self.discriminator}

    def judge(self, real: Tensor, fake: Tensor, k: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """What the discriminator lowers."""
        return self.loss(real, fake, k, step)

    def per_sample(self, logit: Tensor) -> Tensor:
        """What the generator lowers of each sample, from its logit."""
        return -logit if self.gen_loss == "kl" else F.softplus(-logit)

    def term(
        self, real: Tensor | None, fake: Tensor, k: Tensor, generator: Randomness
    ) -> Generator[Move, None, Tensor]:
        """The mean over restored samples."""
        yield from ()
        return self.per_sample(self.discriminator(fake, k)[0]).mean()


class _Sets(nn.Module):
    """A prior that compares sets, of features that a discriminator learns or of the samples as they are."""

    whole_batch = True

    def __init__(self, critic: Adversarial | nn.Module | None, pool: bool) -> None:
        super().__init__()
        if critic is not None and not isinstance(critic, Adversarial):
            critic = Adversarial(critic)
        self.critic, self.pool = critic, pool

    @property
    def discriminator(self) -> nn.Module | None:
        return None if self.critic is None else self.critic.discriminator

    def players(self) -> dict[str, nn.Module]:
        """The discriminator, where there is one."""
        return {} if self.critic is None else {"discriminator": self.critic.discriminator}

    def judge(self, real: Tensor, fake: Tensor, k: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """What the discriminator lowers, where there is one."""
        if self.critic is None:
            raise ConfigError("This prior looks at samples as they are; it has no discriminator to train.")
        return self.critic.loss(real, fake, k, step)

    def points(self, y: Tensor, k: Tensor) -> Tensor:
        """Samples (B, ...) as points (B, d)."""
        if len(y) < 2:
            raise ShapeError("A prior that compares sets needs two samples or more in a batch; raise batch_size.")
        if self.critic is None:
            return y.flatten(1)
        features: Tensor = self.critic.discriminator(y, k)[1]
        return features.mean((2, 3)) if self.pool and features.ndim == 4 else features.flatten(1)


class MMD(_Sets):
    """The maximum mean discrepancy of restored and real samples, or of their features.

    Args:
        critic: whose features are compared: a discriminator, or an `Adversarial` that says how it is trained; None
            compares the samples as they are.
        bandwidths: of the sum of kernels; None means 1, 2, 4, 8, 16 for features and 0.1, 0.5, 1, 2, 10 without.
        unbiased: leave a sample's likeness to itself out, as published; published code keeps it in.
        pool: average features over space.

    Source: Choi et al. (2023), arXiv:2303.05456, eq. 13; Gretton et al. (2012), A kernel two-sample test.
    """

    def __init__(
        self,
        critic: Adversarial | nn.Module | None = None,
        *,
        bandwidths: Sequence[float] | None = None,
        unbiased: bool = False,
        pool: bool = False,
    ) -> None:
        super().__init__(critic, pool)
        usual = (0.1, 0.5, 1.0, 2.0, 10.0) if critic is None else (1.0, 2.0, 4.0, 8.0, 16.0)
        self.kernel, self.unbiased = MixtureRBF(tuple(bandwidths or usual)), unbiased

    def term(
        self, real: Tensor | None, fake: Tensor, k: Tensor, generator: Randomness
    ) -> Generator[Move, None, Tensor]:
        """The root of the squared discrepancy, which has a finite slope where it is zero."""
        yield from ()
        assert real is not None
        with torch.no_grad():
            seen = self.points(real, k)
        squared = mmd2(self.points(fake, k), seen, self.kernel, unbiased=self.unbiased)
        return (squared.relu() + 1e-12).sqrt()


class DSWD(_Sets):
    """The distributional sliced Wasserstein distance of restored and real samples, or of their features.

    The map of directions is a player, "slices", that takes `inner` moves a step before the generator takes one: give it a
    learning rate of its own in `Options.players`. It begins at the identity, and lasts from step to step.

    Args:
        critic: whose features are compared: a discriminator, or an `Adversarial` that says how it is trained; None
            compares the samples as they are.
        shape: of a sample.
        projections: directions drawn in a step.
        inner: moves of the map in a step; 0 is the plain sliced distance.
        spread: lambda_C, how dear directions that are alike are.
        summed: add up over the batch as published code does, instead of averaging; the distance grows with its root.
        pool: average features over space, without which the map has as many rows as an image has features.

    Source: Choi et al. (2023), arXiv:2303.05456, eq. 14; Nguyen et al. (2021), arXiv:2002.07367.
    """

    def __init__(
        self,
        critic: Adversarial | nn.Module | None = None,
        *,
        shape: Sequence[int],
        projections: int = 1000,
        inner: int = 10,
        spread: float = 10.0,
        summed: bool = False,
        pool: bool = True,
    ) -> None:
        super().__init__(critic, pool)
        if projections < 1 or inner < 0 or spread < 0:
            raise ConfigError(
                f"DSWD got projections={projections}, inner={inner}, spread={spread}; it needs projections >= 1, inner >= 0 "
                "and spread >= 0."
            )
        self.projections, self.inner, self.spread, self.summed = projections, inner, spread, summed
        with torch.no_grad():
            d = self.points(torch.zeros(2, *shape), torch.zeros(2, dtype=torch.int64)).shape[1]
            self.slices = nn.Linear(d, d)
            self.slices.weight.copy_(torch.eye(d))
            self.slices.bias.zero_()

    def players(self) -> dict[str, nn.Module]:
        """The discriminator where there is one, and the map where it moves."""
        return super().players() | ({"slices": self.slices} if self.inner else {})

    def term(
        self, real: Tensor | None, fake: Tensor, k: Tensor, generator: Randomness
    ) -> Generator[Move, None, Tensor]:
        """Move the map to where the sets differ most, then give the distance along its directions."""
        assert real is not None
        with torch.no_grad():
            seen = self.points(real, k)
        made = self.points(fake, k)
        drawn = self._directions(made, generator)
        mapped = SliceMap(self.slices.weight, self.slices.bias)  # the very parameters, that move between yields
        for _ in range(self.inner):
            directions = mapped(drawn)
            loss = slicing_loss(directions, made.detach(), seen, spread=self.spread, summed=self.summed)
            yield Move("slices", loss, {"likeness": likeness(directions.detach())})
        with torch.no_grad():
            directions = mapped(drawn)
        return sliced_wasserstein(made, seen, directions, summed=self.summed)

    def _directions(self, like: Tensor, generator: Randomness) -> Tensor:
        """Unit vectors (projections, d), a share of their numbers drawn by each sample's stream."""
        count, batch = self.projections * like.shape[1], len(like)
        numbers = randn((batch, -(-count // batch)), generator, dtype=like.dtype, device=like.device)
        return F.normalize(numbers.flatten()[:count].reshape(self.projections, -1), dim=1)


class MMSE(nn.Module):
    """No prior: the generator is given the mean of what an image may have been to learn, as a denoiser is."""

    discriminator = None
    whole_batch = False

    def players(self) -> dict[str, nn.Module]:
        """None."""
        return {}

    def judge(self, real: Tensor, fake: Tensor, k: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Nobody judges."""
        raise ConfigError("MMSE has no discriminator to train.")

    def term(
        self, real: Tensor | None, fake: Tensor, k: Tensor, generator: Randomness
    ) -> Generator[Move, None, Tensor]:
        """Nothing is lowered for a prior."""
        yield from ()
        return fake.new_zeros(())
