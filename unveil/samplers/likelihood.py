"""The exact likelihood of data under a diffusion, by the change of variables along its probability flow."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.protocols import Covariance, Denoiser, Schedule
from unveil.core.random import Randomness, rademacher_like
from unveil.core.shapes import sum_per_sample
from unveil.covariance import Identity
from unveil.ode import Augmented, dopri5
from unveil.samplers.flow import flow_field

_EXACT_UP_TO = 256


@dataclass(frozen=True)
class Likelihood:
    """What is known of the likelihood of a batch.

    Attributes:
        nats: ln p(x), (B,), float64.
        latent: where the flow carries each sample, (B, ...).
        evaluations: of the network, for the whole batch.
    """

    nats: Tensor
    latent: Tensor
    evaluations: int

    def bits_per_dim(self, data_range: float = 2.0, levels: int = 256) -> Tensor:
        """Bits per dimension of data with so many levels over a range, (B,): 7 is added for 8 bits on [-1, 1].

        Meaningful only for data that were dequantised: x + u one level wide, u uniform.
        """
        dim = self.latent[0].numel()
        return -self.nats / (dim * math.log(2)) + math.log2(levels / data_range)


@torch.no_grad()
def log_likelihood(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    *,
    cov: Covariance = Identity(),
    trace: Literal["auto", "exact", "hutchinson"] = "auto",
    probes: int = 1,
    generator: Randomness = None,
    t_eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    max_evaluations: int = 20_000,
) -> Likelihood:
    """Integrate data to noise, and the divergence of the flow along the way.

    Args:
        denoise: (x_t, t) -> E[x | x_t], differentiable in x_t, for one time a sample.
        x: dequantised data, (B, C, H, W), floating point.
        schedule: t -> (alpha, sigma).
        cov: covariance of the noise.
        trace: "exact" takes one backward pass per dimension, "hutchinson" one per probe; "auto" is exact up to 256
            dimensions.
        probes: independent probes to average over; each is fixed during its own solve.
        generator: where probes come from.
        t_eps: where integration starts.
        rtol: relative tolerance of the solver.
        atol: absolute tolerance of the solver.
        max_evaluations: budget of one solve.

    Returns:
        Log-likelihoods in nats, latents and the number of evaluations.

    Raises:
        DataError: x is not floating point or not finite.
        DivergenceError: the solver's budget is spent.

    Source: Song et al. (2021), arXiv:2011.13456, section 4.3 and appendix D.2; any covariance enters through the prior.
    """
    if not x.is_floating_point():
        raise DataError(
            f"A likelihood needs dequantised floating point data, and these are {x.dtype}: add uniform noise one level "
            "wide first (unveil.data.dequantise does)."
        )
    if not bool(x.isfinite().all()):
        raise DataError("A likelihood needs finite data; these hold a NaN or an infinity.")
    if trace not in ("auto", "exact", "hutchinson"):
        raise ConfigError(f"The trace is auto, exact or hutchinson; it got {trace!r}.")
    if not 0 < t_eps < 1:
        raise ConfigError(f"A likelihood is integrated from t_eps in (0, 1) to 1; it got t_eps={t_eps}.")
    if probes < 1:
        raise ConfigError(f"Hutchinson's estimate needs 1 or more probes; it got {probes}.")
    if len(x) == 0:
        return Likelihood(x.new_zeros(0, dtype=torch.float64), x, 0)
    shape = x.shape[1:]
    dim = shape.numel()
    exact = trace == "exact" or (trace == "auto" and dim <= _EXACT_UP_TO)
    field = flow_field(denoise, schedule)
    times = torch.tensor([t_eps, 1.0], dtype=torch.float64)
    nats, evaluations = torch.zeros(len(x), dtype=torch.float64, device=x.device), 0
    rounds = 1 if exact else probes
    for _ in range(rounds):
        joint = Augmented(field, shape, None if exact else rademacher_like(x, generator))
        solution = dopri5(joint, joint.start(x), times, rtol=rtol, atol=atol, max_evaluations=max_evaluations)
        latent, change, _ = joint.read(solution.final)
        nats += (change.double() + _prior(latent.double(), schedule, cov)) / rounds
        evaluations += solution.evaluations
    return Likelihood(nats, latent, evaluations)


def _prior(latent: Tensor, schedule: Schedule, cov: Covariance) -> Tensor:
    """ln N(x_1; 0, sigma_1^2 Sig), (B,)."""
    _, sigma = schedule(torch.ones((), dtype=torch.float64))
    dim, channels = latent[0].numel(), latent.shape[1]
    logdet = cov.logdet()
    plane = logdet.sum() if isinstance(logdet, Tensor) and logdet.ndim else channels * logdet
    white = cov.inv_sqrt(latent) / sigma
    return -(sum_per_sample(white**2) + dim * torch.log(2 * math.pi * sigma**2) + plane) / 2
