"""The figures of merit that one can ask for, by name. Imports the standard library only."""

from collections.abc import Sequence
from pathlib import Path

from unveil.core.errors import ConfigError
from unveil.recipes.choices import either, near

METRICS = {
    "frechet": "Frechet distance of features; called FID with Inception weights",
    "kernel": "kernel distance of features; called KID with Inception weights",
    "pr": "precision and recall",
    "score": "classifier score; called Inception score with Inception weights",
    "bpd": "bits per dimension of real images",
    "fid": "frechet, in Inception features only",
    "kid": "kernel, in Inception features only",
    "is": "score, of the Inception network only",
}
LEAST = {"frechet": 2, "kernel": 4, "pr": 4, "score": 10}
"""Samples, and real images, below which a figure does not exist."""
_PUBLISHED = {"fid": "frechet", "kid": "kernel", "is": "score"}


def check_metrics(metrics: Sequence[str], inception: str | Path | None) -> list[str]:
    """Give the metrics by their plain names, each once.

    Raises:
        ConfigError: one is unknown, or needs Inception weights that are not given.
    """
    for name in metrics:
        if name not in METRICS:
            raise ConfigError(f"There is no metric {name!r}{near(name, METRICS, 1)} Known are {either(list(METRICS))}.")
        if name in _PUBLISHED and inception is None:
            raise ConfigError(
                f"{name} needs the published Inception weights (--inception FILE); without them ask for "
                f"{_PUBLISHED[name]}, which measures in features that are trained here, under a name of its own."
            )
    if not metrics:
        raise ConfigError(f"Name a metric: {either(list(METRICS))}.")
    return list(dict.fromkeys(_PUBLISHED.get(name, name) for name in metrics))


def check_count(metrics: Sequence[str], n: int, real: int | None = None) -> None:
    """Refuse to measure on too few samples, n of them, or too few real images.

    Raises:
        ConfigError: one of the metrics, by their plain names, does not exist for so few.
    """
    for name in metrics:
        least, compares = LEAST.get(name, 1), name != "score"
        if min(n, real if compares and real is not None else n) < least:
            ask = f"{name} needs {least} samples or more" + (", and as many real images" if compares else "")
            raise ConfigError(f"{ask}; n is {n}" + (f", and of real images there are {real}." if real else "."))
