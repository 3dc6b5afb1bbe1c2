"""The filters and tests of templates: few, pure, and with results that are bounded before they are made."""

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote

from jinja2 import Undefined

LIMIT = 64 * 1024
"""The most characters that any text of a template may have."""


class TooLong(ValueError):  # noqa: N818 - says what is wrong with a value
    """A text would become longer than templates may make."""

    def __init__(self) -> None:
        super().__init__(f"the text would be longer than {LIMIT // 1024} kB")


def bounded(text: str) -> str:
    """The text itself; raises TooLong."""
    if len(text) > LIMIT:
        raise TooLong
    return text


def shown(value: object) -> str:
    """A value inside text: JSON's words for truth and nothing, whole numbers without a point, data as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _round(value: object, precision: int = 0) -> float | int:
    number = _number(value)
    return round(number, min(precision, 12)) if precision else round(number)


def _number(value: object) -> int | float:
    """A number, or the one that a text says; whole ones stay whole, however many digits they have."""
    if isinstance(value, (int, float)):
        return finite(value + 0)
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
        with suppress(ValueError):
            return finite(float(value))
    raise TypeError(f"{_json(value)[:60]} is not a number")


def finite(number: int | float) -> int | float:
    """The number itself; raises ValueError for what no JSON can hold."""
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number


def _int(value: object) -> int:
    return int(_number(value))


def _float(value: object) -> float:
    return float(_number(value))


def _text(value: object) -> str:
    return shown(value)


def _default(value: object, instead: object = "", also_empty: bool = False) -> object:
    if isinstance(value, Undefined) or value is None or (also_empty and not value):
        return instead
    return value


def _length(value: object) -> int:
    if isinstance(value, (str, Mapping, Sequence)):
        return len(value)
    raise TypeError(f"{_json(value)[:60]} has no length")


def _items(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    raise TypeError(f"{_json(value)[:60]} is not a list")


def _join(value: object, separator: object = "") -> str:
    parts, between = [shown(item) for item in _items(value)], shown(separator)
    if sum(map(len, parts)) + len(between) * len(parts) > LIMIT:
        raise TooLong
    return between.join(parts)


def _replace(value: object, old: str, new: str) -> str:
    text = shown(value)
    if not old:
        raise ValueError("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise TooLong
    return text.replace(old, new)


def _truncate(value: object, length: int = 255) -> str:
    text = shown(value)
    if len(text) <= length:
        return text
    return text[: length - 3] + "..." if length >= 3 else text[: max(0, length)]


def _urlencode(value: object) -> str:
    """For one part of a path or of a query: `/`, `&` and `?` in it mean nothing there (RFC 3986, 2.1)."""
    return bounded(quote(shown(value), safe=""))


def _some(value: object) -> list[object]:
    found = _items(value)
    if not found:
        raise ValueError("the list is empty")
    return found


def _first(value: object) -> object:
    return _some(value)[0]


def _last(value: object) -> object:
    return _some(value)[-1]


def _percent(value: object, precision: int = 1) -> str:
    return f"{_number(value) * 100:.{min(max(precision, 0), 6)}f} %"


def _duration(value: object) -> str:
    seconds = _number(value)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + unit
    return f"{seconds:.1f}".removesuffix(".0") + "s"


FILTERS: Mapping[str, Callable[..., object]] = {
    "abs": lambda value: abs(_number(value)),
    "default": _default,
    "duration": _duration,
    "first": _first,
    "float": _float,
    "int": _int,
    "join": _join,
    "json": lambda value: bounded(_json(value)),
    "keys": _items,
    "last": _last,
    "length": _length,
    "lower": lambda value: shown(value).lower(),
    "max": lambda value: max(map(_number, _some(value))),
    "min": lambda value: min(map(_number, _some(value))),
    "percent": _percent,
    "replace": _replace,
    "round": _round,
    "string": _text,
    "sum": lambda value: finite(sum(map(_number, _items(value)))),
    "trim": lambda value: shown(value).strip(),
    "truncate": _truncate,
    "upper": lambda value: shown(value).upper(),
    "urlencode": _urlencode,
}

ELSEWHERE: Mapping[str, str] = {
    "count": "length",
    "d": "default",
    "to_json": "json",
    "to_json_string": "json",
    "to_nice_json": "json",
    "tojson": "json",
}
"""What filters of other tools are called here."""


def takes(name: str, given: int, named: frozenset[str]) -> str:
    """How the filter `name` is written, where it takes no `given` values and these `named` ones; else empty."""
    signature = inspect.signature(FILTERS[name])
    try:
        signature.bind(None, *(None,) * given, **dict.fromkeys(named))
    except TypeError:
        wanted = [part.name for part in list(signature.parameters.values())[1:]]
        return f"{name}({', '.join(wanted)})" if wanted else name
    return ""


TESTS: Mapping[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
}
