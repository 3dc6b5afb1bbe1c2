"""Domain values <-> JSON bytes, as they are kept in the database and in checkpoints.

A value is written as `["Incident", {...}]`: its class name, then its fields. The name tells the members of a closed
union apart and makes a stored row readable without the program. Reading is made for rolling upgrades: unknown fields,
written by a newer version, are ignored, and missing ones take the defaults of the dataclass. Infinity and NaN are kept
(as the tokens `Infinity` and `NaN`, which JSON itself lacks), because a measure may be one of them.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from fireline.domain.effects import Effect

T = TypeVar("T")

CONFIG = ConfigDict(ser_json_inf_nan="constants")


class Undecodable(ValueError):  # noqa: N818 - a state of the data, not a fault of the program
    """The bytes are not such a value: written by another program, or by a newer version with a wider meaning."""


class Unencodable(ValueError):  # noqa: N818
    """The value would not be read back: a field holds what its type does not allow."""


def encode(value: object) -> bytes:
    """The value, an instance of a frozen dataclass, as tagged JSON; raises Unencodable.

    A lone surrogate, which UTF-8 cannot hold, becomes `?`; a foreign object inside an open field becomes its text.
    """
    kind = type(value)
    adapter = _adapter((kind,))
    tagged = (kind.__name__, value)
    try:
        return adapter.dump_json(tagged, warnings="error", fallback=_plain)
    except PydanticSerializationError:
        return _encode_inexact(adapter, kind, tagged)


def decode(kind: type[T], data: bytes) -> T:
    """The value of dataclass `kind` that `encode` wrote; raises Undecodable."""
    value: T = _read(_adapter((kind,)), data)
    return value


def decode_one_of(kinds: tuple[type[T], ...], data: bytes) -> T:
    """The value of one of `kinds`, told apart by its tag; raises Undecodable. For a union: `get_args(Union)`."""
    value: T = _read(_adapter(kinds), data)
    return value


def decode_effect(data: bytes) -> Effect:
    """An effect of any kind; raises Undecodable."""
    effect: Effect = decode_one_of(get_args(Effect), data)
    return effect


def encode_mapping(value: Mapping[str, object]) -> bytes:
    """An open, JSON-like mapping; raises Unencodable."""
    adapter = _open_mapping()
    try:
        return adapter.dump_json((value,), fallback=_plain)
    except PydanticSerializationError as fault:
        return _as_text(adapter, (value,), fault)


def decode_mapping(data: bytes) -> dict[str, object]:
    """The mapping that `encode_mapping` wrote (tuples and sets come back as lists); raises Undecodable."""
    try:
        mapping: dict[str, object] = _open_mapping().validate_json(data)[0]
    except ValidationError as fault:
        raise Undecodable(str(fault)) from fault
    return mapping


def _plain(value: object) -> object:
    """What pydantic does not know: any mapping is an object, anything else its text."""
    return dict(value) if isinstance(value, Mapping) else str(value)


@cache
def _adapter(kinds: tuple[type, ...]) -> TypeAdapter[Any]:
    """The schema of `[tag, value]`. The tuple around it also carries CONFIG down into plain dataclasses."""
    members: Any = tuple(_tagged(kind) for kind in kinds)
    either: Any = Union.__getitem__(members)
    return TypeAdapter(either, config=CONFIG)


def _tagged(kind: Any) -> Any:
    return tuple.__class_getitem__((Literal.__getitem__(kind.__name__), kind))


@cache
def _open_mapping() -> TypeAdapter[Any]:
    return TypeAdapter(tuple[dict[str, Any]], config=CONFIG)


def _read(adapter: TypeAdapter[Any], data: bytes) -> Any:
    try:
        return adapter.validate_json(data)[1]
    except ValidationError as fault:
        raise Undecodable(str(fault)) from fault


def _encode_inexact(adapter: TypeAdapter[Any], kind: type, tagged: tuple[str, object]) -> bytes:
    """The slow path: accept what reads back (a list for a tuple, a text for its enum), refuse the rest."""
    try:
        data: bytes = adapter.dump_json(tagged, warnings="none", fallback=_plain)
    except PydanticSerializationError as fault:
        data = _as_text(adapter, tagged, fault)
    try:
        _read(adapter, data)
    except Undecodable as fault:
        raise Unencodable(f"{kind.__name__} would not be read back: {fault}") from fault
    return data


def _as_text(adapter: TypeAdapter[Any], value: object, cause: Exception) -> bytes:
    """Through Python values, so that text which UTF-8 cannot hold is replaced, not refused."""
    try:
        plain = adapter.dump_python(value, mode="json", warnings="none", fallback=_plain)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    except (PydanticSerializationError, TypeError, ValueError) as fault:
        raise Unencodable(str(cause)) from fault
