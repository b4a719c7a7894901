"""The first test of any operator: is its adjoint the adjoint?"""

from collections.abc import Sequence

import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Operator
from unveil.core.random import Randomness, randn, randn_like


def check_adjoint(
    operator: Operator,
    shape: Sequence[int],
    generator: Randomness = None,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> float:
    """How far <A x, y> and <x, A' y> are apart for random x and y, as a share of |A x| |y|.

    Args:
        shape: of x, (B, C, H, W).

    Returns:
        About 1e-16 in float64 and 1e-8 in float32 when A is linear and A' is its adjoint.
    """
    x = randn(shape, generator, dtype=dtype, device=device)
    measured = operator.forward(x)
    y = randn_like(measured, generator)
    size = float(measured.norm() * y.norm())
    if size == 0:
        raise ConfigError(
            f"The operator measured random images of shape {tuple(shape)} as zero; is it the right shape?"
        )
    back = operator.adjoint(y)
    if back.shape != x.shape:
        raise ShapeError(f"The adjoint answered with shape {tuple(back.shape)} for images of {tuple(x.shape)}.")
    return abs(float((measured.double() * y).sum() - (x.double() * back).sum())) / size
