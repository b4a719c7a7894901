"""What a diffusion on codes is made of, looked at before it is used."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

from unveil.codecs import Codec
from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_amount
from unveil.core.protocols import Schedule

Codes = Literal["continuous", "categorical"]


def check_codes(codes: Codes, codec: Codec, refined: bool) -> None:
    """Refuse a kind of codes that the codec or the rest of the model is not for."""
    if codes not in get_args(Codes):
        raise ConfigError(f"CodecDiffusion got codes={codes!r}; it can be {' or '.join(map(repr, get_args(Codes)))}.")
    if refined and codes == "categorical":
        raise ConfigError(
            "Categorical codes are decoded exactly, so there is nothing for a refiner to mend; leave it out."
        )
    if codes == "continuous" and not codec.ordered:
        raise ConfigError(
            f"The codec {codec.layout.name} is not ordered, and continuous codes need an order: without one a code that is "
            "off by one decodes to a patch that is nothing alike, and training would lower its loss and learn nothing. Fit "
            "the codec with ordered=True, or take codes='categorical'."
        )


def check_values(min_snr: float | None, relaxation: float, image_weight: float, cross_entropy: float) -> None:
    """Refuse a number outside its range."""
    for name, value in (("min_snr", min_snr), ("relaxation", relaxation)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} is {value}; it must be above 0.")
    check_amount("image_weight", image_weight)
    check_amount("cross_entropy", cross_entropy)


def check_schedule(schedule: Schedule) -> None:
    """Refuse a schedule whose noise grows without bounds."""
    if not getattr(schedule, "variance_preserving", True):
        raise ConfigError("A diffusion on codes needs a variance-preserving schedule, such as discrete-linear.")


def check_pictures(codec: Codec, shape: Sequence[int]) -> None:
    """Refuse pictures of other channels than the codec's."""
    if len(shape) != 3 or shape[0] != codec.channels:
        colour = (
            "colour (1 budget would be for grey)" if codec.channels == 3 else "grey (3 budgets would be for colour)"
        )
        raise ShapeError(
            f"The codec {codec.layout.name} is for pictures in {colour}; this model's have the shape {tuple(shape)}."
        )
