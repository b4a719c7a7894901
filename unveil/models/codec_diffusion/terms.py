"""What the loss of a batch is made of."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from unveil.core.shapes import mean_per_sample
from unveil.models.diffusion.loss import min_snr_weight
from unveil.models.diffusion.places import Place


class Terms(NamedTuple):
    """Means over a batch, each ().

    Attributes:
        noise: squared error of the noise, weighted.
        image: squared error of the decoded picture; of categorical codes.
        odds: cross entropy of the true codes, in nats; of categorical codes, where it is asked for.
    """

    noise: Tensor
    image: Tensor | None = None
    odds: Tensor | None = None

    def total(self, image_weight: float, cross_entropy: float) -> Tensor:
        """Their sum, by their weights."""
        loss = self.noise
        if self.image is not None:
            loss = loss + image_weight * self.image
        return loss if self.odds is None else loss + cross_entropy * self.odds

    def logs(self) -> dict[str, Tensor]:
        """Those that there are, to be written down."""
        return {name: value.detach() for name, value in self._asdict().items() if value is not None}


def noise_error(eps_hat: Tensor, eps: Tensor, place: Place, cap: float | None) -> Tensor:
    """The squared error of the noise, (), weighted by the capped signal-to-noise ratio where there is a cap."""
    each = mean_per_sample((eps_hat - eps).square())
    if cap is not None:
        each = each * min_snr_weight("eps", place.alpha.flatten(), place.sigma.flatten(), cap)
    return each.mean()


def missing_odds(logits: Tensor, codes: Tensor) -> Tensor:
    """The cross entropy of codes (B, planes, h, w) under logits (B, planes, K, h, w), in nats a code, ()."""
    return F.cross_entropy(logits.transpose(1, 2), codes.long())
