"""Squared distances between all pairs of two sets of points."""

from torch import Tensor

from unveil.core.errors import ShapeError


def check_same_space(x: Tensor, y: Tensor) -> None:
    """Raise ShapeError unless x is (n, d) and y is (m, d)."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ShapeError(
            f"Two sets of points were given with shapes {tuple(x.shape)} and {tuple(y.shape)}; "
            "they must be (n, d) and (m, d). Flatten what has more axes with x.flatten(1)."
        )


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Compute |x_i - y_j|^2 for every pair, by one matrix product; its gradient is finite where points coincide.

    The product cancels digits of |x|^2 + |y|^2, so both sets are first moved by the mean of y. In float32 what remains
    is an error of about 1e-7 of the squared spread of the points; give float64 where that matters.

    Args:
        x: points, (n, d).
        y: points, (m, d), of the same type and on the same device.

    Returns:
        Squared distances (n, m), none negative.

    Raises:
        ShapeError: the points do not live in the same space.
    """
    check_same_space(x, y)
    centre = y.detach().mean(0)
    x, y = x - centre, y - centre
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    return (lengths - 2 * x @ y.T).clamp(min=0)
