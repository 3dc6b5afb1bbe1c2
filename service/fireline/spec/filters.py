"""The filters and tests of templates: few, pure, and with results that are bounded before they are made."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

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


def _number(value: object) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    raise TypeError(f"{_json(value)[:60]} is not a number")


def _int(value: object) -> int:
    return int(_number(value))


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


def _join(value: object, separator: str = "") -> str:
    parts = [shown(item) for item in _items(value)]
    if sum(map(len, parts)) + len(separator) * len(parts) > LIMIT:
        raise TooLong
    return separator.join(parts)


def _replace(value: object, old: str, new: str) -> str:
    text = shown(value)
    if not old:
        raise ValueError("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise TooLong
    return text.replace(old, new)


def _truncate(value: object, length: int = 255) -> str:
    text = shown(value)
    return text if len(text) <= length else text[: max(0, length - 3)] + "..."


def _first(value: object) -> object:
    return _items(value)[0]


def _last(value: object) -> object:
    return _items(value)[-1]


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
    "float": _number,
    "int": _int,
    "join": _join,
    "json": lambda value: bounded(_json(value)),
    "keys": _items,
    "last": _last,
    "length": _length,
    "lower": lambda value: shown(value).lower(),
    "max": lambda value: max(map(_number, _items(value))),
    "min": lambda value: min(map(_number, _items(value))),
    "percent": _percent,
    "replace": _replace,
    "round": _round,
    "string": _text,
    "sum": lambda value: sum(map(_number, _items(value))),
    "trim": lambda value: shown(value).strip(),
    "truncate": _truncate,
    "upper": lambda value: shown(value).upper(),
}

TESTS: Mapping[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
}
