"""Lengths in files that do not say what they are measured in."""

from torch import Tensor

from unveil.core.errors import ConfigError, DataError

CMU_UNIT = 0.0254 / 0.45
"""Metres in a unit of the CMU database: an inch divided by 0.45, 0.056444 m."""

_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": CMU_UNIT}
_LEAST, _MOST = 0.2, 10.0  # metres from the lowest joint to the highest or from one side to the other


def metres_per_unit(units: str | float | None, positions: Tensor | None = None) -> float:
    """How long a unit is.

    Args:
        units: "m", "cm", "mm", "inch", "cmu" or a number of metres; None is metres if the joints then have a human's size.
        positions: where joints are, (J, 3), in the file's units.

    Raises:
        ConfigError: the unit is not known.
        DataError: no unit was given, and in metres this would be no human.
    """
    if isinstance(units, str):
        if units not in _UNITS:
            raise ConfigError(f"units is '{units}'; it must be {', '.join(_UNITS)} or a number of metres.")
        return _UNITS[units]
    if units is not None:
        if isinstance(units, bool) or not 0 < units < 1e6:
            raise ConfigError(f"units is {units}; it must be the metres in one unit, above 0.")
        return float(units)
    if positions is not None and len(positions) > 1:
        extent = float((positions.amax(0) - positions.amin(0)).max())
        if not _LEAST <= extent <= _MOST:
            likely = next((name for name, size in _UNITS.items() if 0.8 <= extent * size <= 2.6), "0.01")
            raise DataError(
                f"The skeleton is {extent:.4g} units large, which in metres is no human. Say what a unit is: "
                f"units='{likely}' would make it {extent * _UNITS.get(likely, 0.01):.2f} m."
            )
    return 1.0
