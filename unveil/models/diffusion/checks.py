"""What a diffusion is made of and given, looked at before it is used."""

import math
import reprlib
import warnings
from typing import get_args

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.core.protocols import Covariance, Schedule
from unveil.models.diffusion.loss import Distance, Reduction, Space
from unveil.models.diffusion.prediction import Condition, Predict

_ILL = 1e6  # condition numbers above this drown scores in float32 rounding


def check_choices(
    predict: Predict, space: Space, distance: Distance, reduction: Reduction, condition: Condition
) -> None:
    """Refuse a word that is none of those accepted."""
    given = {"predict": predict, "space": space, "distance": distance, "reduction": reduction, "condition": condition}
    kinds = (Predict, Space, Distance, Reduction, Condition)
    for (name, value), kind in zip(given.items(), kinds, strict=True):
        if value not in get_args(kind):
            raise ConfigError(f"{name} is {' or '.join(get_args(kind))}; it got {value!r}.")


def check_numbers(
    min_snr: float | None, sigma_data: float | None, classes: int | None, label_dropout: float, first_index: int
) -> None:
    """Refuse a number outside its range."""
    for name, value in (("min_snr", min_snr), ("sigma_data", sigma_data)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} is above zero or left out; it got {value}.")
    if classes is not None and classes < 1:
        raise ConfigError(f"A model with classes has 1 or more of them; it got {classes}.")
    if not 0 <= label_dropout < 1 or (label_dropout and classes is None):
        raise ConfigError(f"label_dropout lies in [0, 1) and needs classes; it got {label_dropout}, classes={classes}.")
    if first_index not in (0, 1):
        raise ConfigError(f"The first step of a chain has index 0 or 1; it got {first_index}.")


def check_schedule(schedule: Schedule, predict: Predict, condition: Condition, harmonic: bool) -> None:
    """Refuse a parameterisation that a schedule cannot have."""
    preserving = getattr(schedule, "variance_preserving", True)
    if predict == "v" and not preserving:
        raise ConfigError("v-prediction needs a variance-preserving schedule; with this one predict eps.")
    if harmonic and (condition != "none" or preserving):
        raise ConfigError("The harmonic correction is for variance-exploding schedules and the condition none.")


def check_sampling(n: int, steps: int, guidance: float, temperature: float) -> None:
    """Refuse numbers with which nothing can be sampled."""
    check_whole("n", n, least=0)
    check_whole("steps", steps)
    check_amount("guidance", guidance)
    check_amount("temperature", temperature)


def check_data(x: Tensor, shape: torch.Size) -> None:
    """Refuse data of another shape, or that are not floating point numbers."""
    if x.shape[1:] != shape:
        raise ShapeError(f"This model was made for data of shape {tuple(shape)}; it got {tuple(x.shape[1:])}.")
    if not x.is_floating_point():
        raise DataError(
            f"Data are floating point numbers in [-1, 1]; these are {x.dtype}. Scale them first, and for a likelihood "
            "dequantise them too (unveil.data.dequantise)."
        )


def check_starts(n: int, image: Tensor | None, latent: Tensor | None, start: float, shape: torch.Size) -> None:
    """Refuse a start that does not fit what is given to start from."""
    if image is None and start != 1.0:
        raise ConfigError(f"To start at t = {start} an image is needed; without one sampling starts at 1.")
    for name, given in (("image", image), ("latent", latent)):
        if given is not None:
            check_data(given, shape)
            if len(given) != n:
                raise ShapeError(f"{n} samples were asked for, and {name} holds {len(given)}.")
    if image is not None and latent is not None:
        raise ConfigError("Sampling starts from an image or from a latent, not from both.")


def check_covariance(cov: Covariance, shape: torch.Size) -> None:
    """Refuse noise of another shape than the data's."""
    made = cov.sqrt(torch.zeros(1, *shape)).shape[1:]
    if made != shape:
        raise ShapeError(f"The covariance makes noise of shape {tuple(made)} for data of shape {tuple(shape)}.")


def warn_of_scores(cov: Covariance) -> None:
    """Warn where scores would be mostly rounding."""
    condition = getattr(cov, "condition", lambda: 1.0)()
    if condition > _ILL:
        warnings.warn(
            f"The covariance's condition number is {condition:.1e}: scores, and errors measured in their space, drown in "
            "float32 rounding. Take the space white, a smaller power, or double precision.",
            stacklevel=3,
        )


def warn_of_range(x: Tensor) -> None:
    """Warn of data that are not in the range all models here are made for."""
    most = float(x.detach().abs().max()) if x.numel() else 0.0
    if not most <= 1.5:
        warnings.warn(f"The data reach {most:.3g} in size; this library's models are made for [-1, 1].", stacklevel=3)


def checked_labels(label: Tensor | None, n: int, classes: int | None, device: torch.device) -> Tensor | None:
    """Labels for n samples, on a device.

    Raises:
        ConfigError: they are too many or too few, out of range, or the model knows none.
    """
    if label is None:
        return None
    if classes is None:
        raise ConfigError("Labels were given to a model without classes; train one with model.labels=true.")
    wanted = f"Labels are {n} whole numbers from 0 to {classes - 1} ({classes} for none)"
    try:
        label = torch.as_tensor(label)
    except (TypeError, ValueError, RuntimeError):  # no numbers, or too large ones
        raise ConfigError(f"{wanted}; these are {reprlib.repr(label)}.") from None
    if label.shape != (n,) or label.is_floating_point() or (n and (int(label.min()) < 0 or int(label.max()) > classes)):
        low_high = f", from {label.min().item():g} to {label.max().item():g}" if label.numel() else ""
        raise ConfigError(f"{wanted}; these are {label.dtype} of shape {tuple(label.shape)}{low_high}.")
    return label.to(device)
