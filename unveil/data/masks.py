"""Masks as they are painted: white where something is meant, and black elsewhere."""

from torch import Tensor

from unveil.core.errors import DataError

_BETWEEN = 0.02
"""Share of a mask that may be neither black nor white, as along edges that a program has softened."""


def painted(values: Tensor, name: str) -> Tensor:
    """Take a picture for a mask.

    Args:
        values: in [0, 1], of any shape.
        name: what to call it.

    Returns:
        Of the same shape, 1 where it is brighter than mid grey and 0 elsewhere.

    Raises:
        DataError: it is a picture, not a mask.
    """
    between = 1 - float(((values <= 0.1) | (values >= 0.9)).float().mean())
    if between > _BETWEEN:
        raise DataError(
            f"{name} is no mask: {between:.0%} of it is neither black nor white. Paint white what is meant, and the rest "
            "black."
        )
    return (values > 0.5).float()
