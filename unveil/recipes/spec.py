"""What recipes are written with: frozen values, and numbers as people write them. Imports no torch."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: Any) -> Any:
    """Read 1e5 and '1e5' as the whole numbers they are: YAML takes the second for text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number) if number.is_integer() and not isinstance(value, bool) else value


def _row(value: Any) -> Any:
    """Read '1,2,2' and '28x36' as rows of numbers, which need no quotes in a shell, and one number as a row of one."""
    if isinstance(value, str):
        return value.replace("x", ",").split(",")
    return (value,) if isinstance(value, int | float) else value


def _square(value: Any) -> Any:
    """Read one number as the two equal sides of a square."""
    side = _whole(value)
    return (side, side) if isinstance(side, int) else _row(value)


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[Whole, Field(ge=1)]
Row = Annotated[tuple[Whole, ...], BeforeValidator(_row)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Positives = Annotated[tuple[Positive, ...], BeforeValidator(_row), Field(min_length=1)]
Size = Annotated[tuple[Count, Count], BeforeValidator(_square)]


class Spec(BaseModel):
    """A frozen value in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
