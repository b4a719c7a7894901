"""The continuous variance-preserving schedule."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from unveil.core.errors import ConfigError


@dataclass(frozen=True)
class LinearVP:
    """Variance-preserving schedule whose beta grows linearly in time.

    x_t = alpha x + sigma R e, with alpha^2 + sigma^2 = 1 and
    log alpha(t) = -t beta_min / 2 - t^2 (beta_max - beta_min) / 4.

    Source: Song et al. (2021), arXiv:2011.13456, appendix C.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    steps: ClassVar[None] = None
    t_eps: ClassVar[float] = 1e-3
    variance_preserving: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.beta_min < self.beta_max:
            raise ConfigError(
                f"LinearVP got beta_min={self.beta_min}, beta_max={self.beta_max}; "
                "it needs 0 < beta_min < beta_max. The published pair is 0.1 and 20."
            )

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at times t."""
        log_alpha = -t * self.beta_min / 2 - t**2 * (self.beta_max - self.beta_min) / 4
        # expm1, because 1 - alpha^2 cancels near t = 0, where the last steps are taken.
        return log_alpha.exp(), (-(2 * log_alpha).expm1()).sqrt()

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift -beta / 2 and squared diffusion beta of dx = -beta x / 2 dt + sqrt(beta) R dw."""
        beta = self.beta_min + t * (self.beta_max - self.beta_min)
        return -beta / 2, beta
