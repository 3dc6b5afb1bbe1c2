"""Forms: what a step asks a person to fill in, and whether what they say fits. A form lies in the step's memory."""

import math
from collections.abc import Callable, Mapping

FORM = "form"
"""Where a waiting step's memory keeps the fields that it asks for."""

_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_DIGITS = 16
"""Of a whole number: what conditions, which calculate with fractions, still tell apart."""
_LONGEST = 2_000
"""Characters of a text when nothing else is said."""


def asked(memory: Mapping[str, object]) -> Mapping[str, Mapping[str, object]] | None:
    """The fields of the form that a step waits for, None when it asks for none."""
    found = memory.get(FORM)
    if not isinstance(found, Mapping):
        return None
    return {str(name): field for name, field in found.items() if isinstance(field, Mapping)}


def filled(fields: Mapping[str, Mapping[str, object]], given: Mapping[str, object]) -> dict[str, object] | str:
    """The values of all fields, typed; else everything that does not fit, in one text for the person."""
    faults = [f"there is no field {name!r}" for name in sorted(given.keys() - fields.keys())]
    values: dict[str, object] = {}
    for name, field in fields.items():
        value = given.get(name, field.get("default"))
        try:
            values[name] = None if value is None and not field.get("required", True) else _value(value, field)
        except ValueError as fault:
            faults.append(f"{name}: {fault}")
    return "; ".join(faults) if faults else values


def _value(value: object, field: Mapping[str, object]) -> object:
    if value is None or value == "":
        raise ValueError("a value is needed")
    found = _READ[str(field.get("type"))](value)
    choices = field.get("choices")
    if isinstance(choices, (list, tuple)) and choices and found not in choices:
        raise ValueError(f"{found!r} is none of {', '.join(map(str, choices))}")
    low, high = field.get("min"), field.get("max")
    size = len(found) if isinstance(found, str) else found
    if isinstance(low, (int, float)) and isinstance(size, (int, float)) and size < low:
        raise ValueError(f"at least {low:g} is needed")
    if isinstance(high, (int, float)) and isinstance(size, (int, float)) and size > high:
        raise ValueError(f"at most {high:g} is allowed")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a text is needed")
    if len(value) > _LONGEST:
        raise ValueError(f"at most {_LONGEST} characters are allowed")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("a whole number is needed")
    try:
        if len(str(value)) > _DIGITS:
            raise ValueError
        return int(value)
    except ValueError:
        raise ValueError("a whole number is needed") from None


def _number(value: object) -> float:
    try:
        found = math.nan if isinstance(value, bool) else float(str(value)[:30])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError("a number is needed")
    return found


def _boolean(value: object) -> bool:
    found = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    if found is None:
        raise ValueError("true or false is needed")
    return found


_READ: Mapping[str, Callable[[object], object]] = {
    "string": _text,
    "enum": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
