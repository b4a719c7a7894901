"""A discriminator and how it is trained: the game that priors learn by."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError


class Adversarial(nn.Module):
    """A discriminator that learns to tell real samples of a level from restored ones, with a penalty on its slope.

    Args:
        discriminator: (y, k) -> (logit, features).
        r1: gamma of the penalty (gamma / 2) |d logit / d y|^2 at real samples; 0 leaves it out.
        lazy: steps between penalties.
        r1_scale_by_interval: multiply the penalty by `lazy`, so that its strength does not depend on it; published code of
            this method does not.

    Source: Mescheder et al. (2018), arXiv:1801.04406, eq. 9; lazily as Karras et al. (2020), arXiv:1912.04958, appendix B.
    """

    def __init__(
        self, discriminator: nn.Module, *, r1: float = 0.02, lazy: int = 15, r1_scale_by_interval: bool = False
    ) -> None:
        super().__init__()
        if r1 < 0 or lazy < 1:
            raise ConfigError(
                f"A discriminator got r1={r1}, lazy={lazy}; it needs r1 >= 0 and a whole number of steps >= 1."
            )
        self.discriminator = discriminator
        self.r1, self.lazy, self.r1_scale_by_interval = r1, lazy, r1_scale_by_interval

    def loss(self, real: Tensor, fake: Tensor, k: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The cross-entropy of both sets, with the penalty where the step is due."""
        due = self.r1 > 0 and step % self.lazy == 0
        real = real.detach().requires_grad_(due)
        says = self.discriminator(real, k)[0]
        doubts = self.discriminator(fake.detach(), k)[0]
        loss = F.softplus(-says).mean() + F.softplus(doubts).mean()
        logs = {"real": says.detach().mean(), "fake": doubts.detach().mean()}
        if due:
            penalty = slope_penalty(says, real, self.r1) * (self.lazy if self.r1_scale_by_interval else 1)
            loss, logs = loss + penalty, {**logs, "r1": penalty.detach()}
        return loss, logs


def slope_penalty(logit: Tensor, y: Tensor, gamma: float) -> Tensor:
    """(gamma / 2) |d logit / d y|^2, averaged over a batch of logits (B,) at y (B, ...)."""
    (slope,) = torch.autograd.grad(logit.sum(), y, create_graph=True)
    return gamma / 2 * slope.square().flatten(1).sum(1).mean()
