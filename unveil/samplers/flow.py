"""The probability-flow ODE: a deterministic path from noise to data, and back."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.protocols import Denoiser, Field, Schedule
from unveil.core.shapes import expand_as
from unveil.ode import Solution, dopri5, euler, heun, rk4
from unveil.samplers.walk import Clip, Watch, estimate, grid

Method = Literal["euler", "heun", "rk4", "rk45"]
_FIXED: dict[str, Callable[[Field, Tensor, Tensor], Solution]] = {"euler": euler, "heun": heun, "rk4": rk4}


def flow_field(denoise: Denoiser, schedule: Schedule) -> Field:
    """The velocity dx/dt = f x - g2 Sig score / 2 whose flow carries the densities of the diffusion.

    With Sig score = -n_hat / sigma no covariance is needed.

    Source: Song et al. (2021), arXiv:2011.13456, eq. 13.
    """

    def velocity(t: Tensor, x: Tensor) -> Tensor:
        alpha, sigma, drift, diffusion = (expand_as(c, x) for c in (*schedule(t), *schedule.rates(t)))
        if t.ndim:  # one time a sample
            alpha, sigma, drift, diffusion = (c.to(x) for c in (alpha, sigma, drift, diffusion))
        _, n_hat = estimate(denoise, x, t, (alpha, sigma), None)
        return drift * x + diffusion / (2 * sigma) * n_hat

    return velocity


def _solve(field: Field, x: Tensor, times: Tensor, method: Method, rtol: float, atol: float) -> Tensor:
    if method == "rk45":
        return dopri5(field, x, times, rtol=rtol, atol=atol).final
    if method not in _FIXED:
        raise ConfigError(f"Unknown ODE method {method!r}; take euler, heun, rk4 or rk45.")
    return _FIXED[method](field, x, times).final


@torch.no_grad()
def probability_flow(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    method: Method = "heun",
    rtol: float = 1e-5,
    atol: float = 1e-5,
    clip: Clip | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Follow the probability flow from times[0] down to times[-1].

    Args:
        method: "euler", "heun" and "rk4" step from time to time; "rk45" chooses its own steps to a tolerance, for every
            sample by itself, and visits the times only on request of `watch`.
        rtol: relative tolerance of "rk45".
        atol: absolute tolerance of "rk45".
        clip: range of the last estimate; on the way nothing is clipped, for a velocity with kinks has no smooth path.

    Other arguments, and the result, are those of `ddim`. If times[-1] is 0 the flow ends at the time before it, and the
    expected denoised sample follows: velocity has no limit at 0.
    """
    times = grid(times)
    finish = float(times[-1]) == 0.0
    path = times[:-1] if finish else times
    total = len(times) - 1
    field = flow_field(denoise, schedule)
    if method == "rk45" and watch is None and len(path) > 1:
        x = _solve(field, x, path[[0, -1]], method, rtol, atol)
    else:
        for k in range(len(path) - 1):
            x = _solve(field, x, path[k : k + 2], method, rtol, atol)
            if watch is not None:
                watch(k + 1, total, x)
        if not math.isfinite(float(x.sum())):
            raise DivergenceError(
                f"The flow stopped being finite in step {k + 1} of {total}, at t = {float(path[k]):.4g}. "
                "Is the network trained for this schedule and covariance? More steps may help."
            )
    if finish:
        x, _ = estimate(denoise, x, path[-1], schedule(path[-1]), clip)
        if watch is not None:
            watch(total, total, x)
    return x


@torch.no_grad()
def encode(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    times: Tensor,
    *,
    method: Method = "heun",
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Tensor:
    """Follow the probability flow the other way, from data at times[0] > 0 up to the latent at times[-1].

    Args:
        x: data, (B, ...), taken as the state at times[0].
        times: ascending, the first one small and above 0.
    """
    if len(times) < 2 or float(times[0]) <= 0:
        raise ConfigError(
            "Encoding walks two or more ascending times, the first above 0, where the flow has no velocity."
        )
    return _solve(flow_field(denoise, schedule), x, times, method, rtol, atol)
