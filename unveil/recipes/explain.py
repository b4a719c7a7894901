"""What is wrong with a recipe, in one sentence: what was given, where, and what is accepted."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from unveil.core.errors import ConfigError
from unveil.recipes.choices import either, near
from unveil.recipes.schema import Recipe

Place = tuple[str, ...]
"""Where in a recipe: ("model", "schedule", "steps")."""

ACCEPTED = {
    "greater_than": "it must be above {gt:g}",
    "greater_than_equal": "it must be {ge:g} or more",
    "less_than": "it must be below {lt:g}",
    "less_than_equal": "it must be {le:g} or less",
    "finite_number": "it must be finite",
    "too_short": "it needs more values",
    "too_long": "it takes {max_length} values",
    "missing": "it needs one value more",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "dict_type": "it must be keys and values",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_pattern_mismatch": "it must be a plain name",
    "string_type": "it must be text",
    "tuple_type": "it must be a row of numbers, such as 1,2",
}
WRITTEN = {
    "data.size": "32 for a square, or 32x48 for a height and a width",
    "data.resize": "true, false, or the short side in pixels, such as 64",
    "model.network.mult": "1,2,2",
    "model.network.attention": "1, or 0,1 for several levels",
    "training.betas": "[0.9,0.999]",
}
"""How values are written of which the shape is easily mistaken."""
_MISSHAPEN = {"too_short", "too_long", "missing", "tuple_type", "int_type", "int_parsing", "int_from_float",
              "float_type", "float_parsing", "bool_type", "bool_parsing"}  # fmt: skip


def explain(error: ValidationError, raw: Mapping[str, Any], origin: str) -> ConfigError:
    """Turn pydantic's account of a recipe into an error that names the first key at fault.

    Args:
        error: what pydantic found.
        raw: the recipe as it was written.
        origin: what to call the recipe.
    """
    problems = error.errors(include_url=False)
    others = len({_place(problem["loc"], raw)[0] for problem in problems}) - 1
    more = f" ({others} more of its values cannot be read.)" if others else ""
    return ConfigError(f"Recipe {origin}: {_sentence(problems[0], raw)}{more}")


def _sentence(problem: Any, raw: Mapping[str, Any]) -> str:
    place, given = _place(problem["loc"], raw)
    name, details = ".".join(place), problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return _unknown_key(place, raw)
        case "missing" if not problem["loc"] or isinstance(problem["loc"][-1], str):
            return f"it does not say {name}."
        case "union_tag_not_found":
            return f"{name} needs a kind: {either(_kinds(place, raw))}."
        case "union_tag_invalid":
            kinds = _kinds(place, raw)
            return f"{name}.kind is {details['tag']!r}; it can be {either(kinds)}{near(details['tag'], kinds, 1)}"
        case "literal_error":
            words = details["expected"].replace("'", "")
            known = words.replace(" or ", ", ").split(", ")
            return f"{name} is {given!r}; it can be {words}{near(str(given), known, 1)}"
        case "value_error":
            complaint = str(details["error"]).rstrip(".")
            return f"{name}: {complaint}." if name else f"{complaint}."
        case "model_type" | "model_attributes_type":
            return f"{name} is {given!r}, where keys and values are wanted: {_example(place, raw)}."
        case kind if name in WRITTEN and kind in _MISSHAPEN:
            return f"{name} is {given!r}; write it as {WRITTEN[name]}."
        case kind:
            return f"{name} is {given!r}; {ACCEPTED.get(kind, problem['msg']).format(**details)}."


def _place(location: Sequence[str | int], raw: Mapping[str, Any]) -> tuple[Place, Any]:
    """Where the fault is, and what is written there, as the recipe's writer knows it.

    pydantic puts the kinds it chose between the keys, and goes on into the values of a row and the types of a value.
    """
    place: list[str] = []
    here: Any = raw
    for step in location:
        if place and not isinstance(here, Mapping):
            break
        if not isinstance(step, str) or (isinstance(here, Mapping) and step not in here and step == here.get("kind")):
            continue
        place.append(step)
        here = here.get(step) if isinstance(here, Mapping) else None
    return tuple(place), here


def _unknown_key(place: Place, raw: Mapping[str, Any]) -> str:
    *above, key = place
    known = list(_spec_at(above, raw).model_fields)
    elsewhere = [name for name in _all_keys(raw) if name.rpartition(".")[2] == key]
    close = get_close_matches(key.lower(), known, 3, 0.55)
    if not close:
        close = elsewhere
    hint = f"did you mean {either(close)}?" if close else f"it has {', '.join(known)}."
    return f"{'.'.join(above) or 'a recipe'} has no key {key!r}; {hint}"


def _specs(annotation: Any) -> Iterator[type[BaseModel]]:
    """The specs that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _specs(inner)


def _options(place: Sequence[str], raw: Mapping[str, Any]) -> list[type[BaseModel]]:
    """The specs of which one describes a place."""
    if not place:
        return [Recipe]
    return list(_specs(_spec_at(place[:-1], raw).model_fields[place[-1]].annotation))


def _spec_at(place: Sequence[str], raw: Mapping[str, Any]) -> type[BaseModel]:
    """The spec that describes a place, by the kind written there where there are several."""
    written: Any = raw
    for key in place:
        written = written.get(key) if isinstance(written, Mapping) else None
    kind = written.get("kind") if isinstance(written, Mapping) else None
    options = _options(place, raw)
    return next((spec for spec in options if len(options) > 1 and _kind(spec) == kind), options[0])


def _kind(spec: type[BaseModel]) -> str:
    return str(get_args(spec.model_fields["kind"].annotation)[0])


def _kinds(place: Place, raw: Mapping[str, Any]) -> list[str]:
    return [_kind(spec) for spec in _options(place, raw)]


def _example(place: Place, raw: Mapping[str, Any]) -> str:
    spec = _options(place, raw)[0]
    first = next(iter(spec.model_fields))
    return f"{'.'.join(place)}.{first}={_kind(spec) if first == 'kind' else '...'}"


def _all_keys(raw: Mapping[str, Any], place: Place = ()) -> Iterator[str]:
    """Every key the recipe could have, given the kinds it has chosen: training.lr, model.schedule.steps, ..."""
    for key, field in _spec_at(place, raw).model_fields.items():
        yield ".".join((*place, key))
        if any(_specs(field.annotation)):
            yield from _all_keys(raw, (*place, key))
