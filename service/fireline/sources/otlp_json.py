"""OTLP/JSON into the messages of OTLP's protobuf form, so that both forms have one meaning.

After the OTLP specification 1.x, "JSON Protobuf Encoding": names in lowerCamelCase, unknown names ignored, 64-bit
integers as text or number, enums as number (names are taken too: the Python exporters write them), doubles also as
"NaN" and "Infinity"; trace and span ids are hex, other bytes base64.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from fireline.domain.events import Malformed

MAX_DEPTH = 40
"""Deeper nesting is refused; what the Collector writes needs about 12."""

_MANY = frozenset({
    "resourceMetrics", "scopeMetrics", "metrics", "dataPoints",
    "resourceSpans", "scopeSpans", "spans", "resourceLogs", "scopeLogs", "logRecords",
})  # fmt: skip
"""Lists of which one bad item is left out and told of, while the others count."""

_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGERS = frozenset({
    FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED32, FieldDescriptor.TYPE_SFIXED64,
})  # fmt: skip


class _WrongError(ValueError):
    """What was found where, and what was expected."""

    def __init__(self, path: str, found: object, expected: str) -> None:
        shown = repr(found)
        super().__init__(f"{path}: found {shown if len(shown) <= 60 else shown[:57] + '...'}; expected {expected}")


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field is read: its name in the message, whether it is a list, and what reads one value of it."""

    name: str
    many: bool
    inner: Descriptor | None
    read: Callable[[str, object], object]


def fill(message: Message, body: Mapping[str, object]) -> list[Malformed]:
    """Put `body` into the empty `message`; what is wrong with items that were left out, or with all of it."""
    faults: list[Malformed] = []
    try:
        _fill(message, body, "", 0, faults)
    except _WrongError as wrong:
        message.Clear()
        return [Malformed("field-wrong", str(wrong))]
    return faults


def _fill(message: Any, body: object, path: str, depth: int, faults: list[Malformed]) -> None:
    if not isinstance(body, dict):
        raise _WrongError(path or "the record", body, "an object")
    if depth > MAX_DEPTH:
        raise _WrongError(path[:80] + "...", "an object", f"at most {MAX_DEPTH} levels")
    fields = _fields(message.DESCRIPTOR)
    for key, value in body.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        where = f"{path}.{key}" if path else key
        if field.many:
            _extend(getattr(message, field.name), field, key, value, (where, depth, faults))
        elif field.inner is not None:
            part = getattr(message, field.name)
            part.SetInParent()  # also when it is empty: `gauge: {}` is a gauge
            _fill(part, value, where, depth + 1, faults)
        else:
            _set(message, field, where, value)


def _extend(items: Any, field: _Field, key: str, value: object, at: tuple[str, int, list[Malformed]]) -> None:
    path, depth, faults = at
    if not isinstance(value, list):
        raise _WrongError(path, value, "a list")
    for place, item in enumerate(value):
        where = f"{path}[{place}]"
        if field.inner is None:
            items.append(field.read(where, item))
            continue
        try:
            _fill(items.add(), item, where, depth + 1, faults)
        except _WrongError as wrong:
            if key not in _MANY:
                raise
            del items[-1]
            faults.append(Malformed("field-wrong", str(wrong)))


def _set(message: Any, field: _Field, path: str, value: object) -> None:
    try:
        setattr(message, field.name, field.read(path, value))
    except (ValueError, TypeError) as fault:  # out of the range of its type, or a text that is not Unicode
        raise (
            fault if isinstance(fault, _WrongError) else _WrongError(path, value, "a value that fits its type")
        ) from None


@cache
def _fields(message: Descriptor) -> Mapping[str, _Field]:
    """The fields of a message type by their names in JSON."""
    return {
        field.json_name: _Field(field.name, field.is_repeated, field.message_type, _reader(field))
        for field in message.fields
    }


def _reader(field: FieldDescriptor) -> Callable[[str, object], object]:
    if field.type in _INTEGERS:
        return _integer
    if field.type == FieldDescriptor.TYPE_ENUM and field.enum_type is not None:
        names = {name: value.number for name, value in field.enum_type.values_by_name.items()}
        return lambda path, value: names[value] if isinstance(value, str) and value in names else _integer(path, value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _hex if field.name in _IDS else _base64
    return _PLAIN.get(field.type, _text)


def _integer(path: str, value: object) -> int:
    if isinstance(value, str) and len(value) <= 24:
        try:
            return int(value)
        except ValueError:
            raise _WrongError(path, value, "an integer") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _WrongError(path, value, "an integer")


def _double(path: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and len(value) <= 64:
        try:
            return float(value)
        except ValueError:
            pass
    raise _WrongError(path, value, "a number")


def _boolean(path: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _WrongError(path, value, "true or false")


def _text(path: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise _WrongError(path, value, "a text")


def _hex(path: str, value: object) -> bytes:
    try:
        return bytes.fromhex(_text(path, value))
    except _WrongError:
        raise
    except ValueError:
        raise _WrongError(path, value, "hexadecimal digits") from None


def _base64(path: str, value: object) -> bytes:
    try:
        return base64.b64decode(_text(path, value), validate=True)
    except (binascii.Error, ValueError) as fault:
        if isinstance(fault, _WrongError):
            raise
        raise _WrongError(path, value, "base64") from None


_PLAIN: Mapping[int, Callable[[str, object], object]] = {
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _double,
    FieldDescriptor.TYPE_BOOL: _boolean,
}
