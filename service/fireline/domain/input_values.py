"""Values of inputs and outputs: whether one is of the type that a runbook says, and within its bounds. Pure.

Faults are texts that follow the name of what they are about: `is a text, not a number`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from fireline.domain.durations import seconds
from fireline.domain.runbooks import Input

SECRET = re.compile(r"secret:[A-Za-z][A-Za-z0-9_]{0,99}")
"""How a secret is named; what it stands for is filled in by the action alone, at the last moment."""

LONGEST = 16 * 1024
"""Characters that a text may have where the runbook does not say."""

MOST_LABELS = 32

KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "enum": (str, int, float, bool),
    "int": (int,),
    "integer": (int,),
    "number": (int, float),
    "bool": (bool,),
    "boolean": (bool,),
    "duration": (str, int, float),
    "entity": (Mapping,),
    "secret": (str,),
    "list": (list, tuple),
    "mapping": (Mapping,),
}
"""By the name of a type, the values that may be of it."""

_WORDS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def called(value: object) -> str:
    """What kind of value it is, in the words of runbooks."""
    if value is None:
        return "nothing"
    return _WORDS.get(type(value), "a mapping" if isinstance(value, Mapping) else "a list")


def kind_fault(kind: str, value: object) -> str:
    """What keeps a value from being of a type, empty when nothing does."""
    kinds = KINDS[kind]
    if value is None:
        return f"has no value, and {_wanted(kind)} is expected"
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return f"is {shown(value, secret=kind == 'secret')}, not {_wanted(kind)}"
    match kind:
        case "duration":
            return _duration_fault(value)
        case "entity" if isinstance(value, Mapping):
            return _entity_fault(value)
        case "secret" if not SECRET.fullmatch(str(value)):
            return "is not the name of a secret, as in `secret:DEPLOY`"
        case _:
            return ""


def value_fault(parameter: Input, value: object) -> str:
    """What keeps a value from being given to an input, empty when nothing does."""
    fault = kind_fault(parameter.type, value)
    if fault:
        return fault
    if parameter.choices and value not in parameter.choices:
        return f"is {shown(value)}, which is not one of {', '.join(map(str, parameter.choices))}"
    if parameter.pattern and not _pattern(parameter.pattern).fullmatch(str(value)):
        return f"is {shown(value)}, which does not match `{parameter.pattern}`"
    return _bounds_fault(parameter, value)


def shown(value: object, *, secret: bool = False) -> str:
    """A value for a message, short; of a secret only what sort of thing it is."""
    text = repr(value)
    if secret or isinstance(value, (Mapping, list, tuple)):
        return _WORDS.get(type(value), "a list" if isinstance(value, (list, tuple)) else "a mapping")
    return text if len(text) <= 60 else text[:57] + "..."


def _wanted(kind: str) -> str:
    return {"entity": "an entity (labels and their values)", "integer": "an integer", "int": "an integer"}.get(
        kind, f"a {kind}"
    )


def _duration_fault(value: object) -> str:
    try:
        seconds(value)
    except ValueError as fault:
        return f"is no duration: {fault}"
    return ""


def _entity_fault(value: Mapping[object, object]) -> str:
    plain = all(isinstance(k, str) and isinstance(v, (str, int, float)) for k, v in value.items())
    if not plain or not 0 < len(value) <= MOST_LABELS:
        return f"is not an entity: 1 to {MOST_LABELS} labels, each with a text, as in `{{service: fraud-scoring}}`"
    return ""


def _bounds_fault(parameter: Input, value: object) -> str:
    size, unit = _size(parameter.type, value)
    most = LONGEST if parameter.most is None and unit == " characters" else parameter.most
    if parameter.least is not None and size < parameter.least:
        return f"is {size:g}{unit}, less than {parameter.least:g}"
    if most is not None and size > most:
        return f"is {size:g}{unit}, more than {most:g}"
    return ""


def _size(kind: str, value: object) -> tuple[float, str]:
    """What its bounds are about: the number, the seconds, or the length."""
    if kind == "duration":
        return seconds(value), " s"
    if isinstance(value, (int, float)):
        return float(value), ""
    if isinstance(value, str):
        return float(len(value)), " characters"
    return float(len(value)) if isinstance(value, (Mapping, list, tuple)) else 0.0, " entries"


@lru_cache(256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
