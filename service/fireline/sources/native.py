"""Native JSON: one event a record, `{"type": "metric", "name": ..., "value": ..., "ts": ..., "labels": {...}}`.

`ts` is seconds or milliseconds since the epoch, or RFC 3339. Labels are merged with the event's own fields, which win.
Unknown fields are kept. Every kind has fields that it must have; known fields of a wrong type are refused, so that a
rule never compares a text with a number.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from fireline.domain.events import Decoded, Event, Headers, Kind, Malformed, Row
from fireline.sources.mapping import Rewording

EXAMPLES: Sequence[tuple[bytes, Headers]] = (
    (
        b"""\
{"type": "metric", "name": "queue_depth", "value": 12, "ts": 1763683200.25,
 "labels": {"service": "checkout", "region": "eu"}}""",
        (),
    ),
    (
        b"""\
{"type": "prediction", "service": "fraud-scoring", "model": "fraud", "version": "14", "request_id": "r1",
 "ts": "2025-11-21T00:00:00.25Z", "prediction": "deny", "confidence": 0.71, "latency_ms": 81, "error": ""}""",
        (),
    ),
)
"""Records of this format, as they come from Kafka: value and headers."""

MAX_BYTES = 256 * 1024
"""Longer records are refused."""

_MILLISECONDS_FROM = 1e11  # as seconds that is the year 5138, as milliseconds 1973
_LATEST = 1e14  # milliseconds; beyond are microseconds and nanoseconds, or nonsense
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_KINDS: Mapping[object, Kind] = {kind.value: kind for kind in Kind}
_PLAIN = 5  # type, name, value, ts and labels
_METRIC = Kind.METRIC  # looking it up in its class takes a tenth of the time of decoding
_METRIC_TEXT = Kind.METRIC.value
_ENVELOPE = ("type", "ts", "labels")
_NUMBERS = frozenset({int, float})
_OPTIONAL = frozenset({int, float, type(None)})
_TEXT, _NUMBER, _LABEL = "a non-empty string", "a number", "a string, a number or a truth value"

# kind -> fields that must be there, and what they must be
_REQUIRED: Mapping[Kind, Mapping[str, str]] = {
    Kind.METRIC: {"name": _TEXT, "value": _NUMBER},
    Kind.PREDICTION: {},
    Kind.FEEDBACK: {"request_id": _LABEL},
    Kind.EVALUATION: {"name": _TEXT, "score": _NUMBER},
    Kind.ALERT: {"name": _TEXT},
    Kind.DEPLOYMENT: {},
    Kind.HEARTBEAT: {},
}
_NUMERIC = ("confidence", "latency_ms", "cost_usd", "value", "score")

FIELDS: Mapping[Kind, Mapping[str, str]] = {
    kind: {
        **{
            name: {_TEXT: "text", _NUMBER: "number"}[expected]
            for name, expected in required.items()
            if expected != _LABEL
        },
        **({"confidence": "number", "latency_ms": "number", "cost_usd": "number"} if kind is Kind.PREDICTION else {}),
    }
    for kind, required in _REQUIRED.items()
}
"""The fields that are a `number` or a `text` wherever they are there; of all others nothing is known."""


def shown(value: object) -> str:
    """A value for a person, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _time(ts: object) -> float | Malformed:
    match ts:
        case None:
            return Malformed("time-missing", "found no `ts`; expected seconds, milliseconds or an RFC 3339 string")
        case bool():
            pass
        case int() | float() if 0 < ts < _LATEST:
            return ts / 1000.0 if ts >= _MILLISECONDS_FROM else float(ts)
        case str() if len(ts) <= 64 and _RFC3339.fullmatch(ts):
            return _instant(ts)
        case _:
            pass
    return Malformed(
        "time-wrong",
        f"found `ts` {shown(ts)}; expected seconds or milliseconds since the epoch, or RFC 3339 with its offset",
    )


def _instant(ts: str) -> float | Malformed:
    try:
        seconds = datetime.fromisoformat(ts.upper()).timestamp()
    except (ValueError, OverflowError) as fault:
        return Malformed("time-wrong", f"found `ts` {shown(ts)}, which is no instant: {fault}")
    return seconds if seconds > 0 else Malformed("time-wrong", f"found `ts` {shown(ts)}; expected a time after 1970")


def _is(value: object, expected: str) -> bool:
    if expected == _TEXT:
        return isinstance(value, str) and value != ""
    if expected == _NUMBER:
        return type(value) in _NUMBERS and math.isfinite(value)  # type: ignore[arg-type]  # _NUMBERS are numbers
    return isinstance(value, str | int | float) and value != ""


def fault_of(kind: Kind, fields: Mapping[str, object]) -> Malformed | None:
    """What is wrong with the fields of an event of this kind, None of nothing."""
    for name, expected in _REQUIRED[kind].items():
        if fields.get(name) is None:
            return Malformed("field-missing", f"found a {kind.value} without `{name}`; expected {expected}")
        if not _is(fields[name], expected):
            return Malformed("field-wrong", f"found `{name}` {shown(fields[name])}; expected {expected}")
    if kind is not Kind.ALERT:
        for name in _NUMERIC:
            if type(fields.get(name)) not in _OPTIONAL:
                return Malformed("field-wrong", f"found `{name}` {shown(fields[name])}; expected {_NUMBER}")
    return None


def _flat(kind: Kind, body: dict[str, object]) -> dict[str, object] | Malformed:
    """The fields of the event; `body` is ours and may be taken apart."""
    labels = body.get("labels")
    if labels is None:
        labels = {}
    if not isinstance(labels, dict):
        return Malformed("labels-wrong", f"found `labels` {shown(labels)}; expected an object")
    for name in _ENVELOPE:
        body.pop(name, None)
    fault = fault_of(kind, body)
    if fault is not None:
        return fault
    labels.update(body)
    if kind is Kind.PREDICTION:
        labels.setdefault("error", "")
    return labels


def event_of(body: object) -> Event | Malformed:
    """The event of a decoded body, which is taken apart, or what was found instead of what was expected."""
    if not isinstance(body, dict):
        return Malformed("not-an-object", f"found {shown(body)}; expected one JSON object with `type` and `ts`")
    found = body.get("type")
    kind = _KINDS.get(found) if isinstance(found, str) else None
    if kind is None:
        return Malformed("type-unknown", f"found `type` {shown(found)}; expected one of {', '.join(Kind)}")
    at = _time(body.get("ts"))
    if isinstance(at, Malformed):
        return at
    fields = _flat(kind, body)
    if isinstance(fields, Malformed):
        return fields
    named = fields.get("id", fields.get("request_id"))
    return Event(kind, at, fields, str(named) if isinstance(named, str | int) else "")


def json_of(value: bytes | None) -> object:
    """The JSON of a record's value, `Malformed` where there is none. Never raises."""
    if not value:
        return Malformed("empty", "found a record without a value; expected one JSON object")
    if len(value) > MAX_BYTES:
        return Malformed("too-large", f"found {len(value)} bytes; expected at most {MAX_BYTES}")
    try:
        return orjson.loads(value)
    except ValueError as fault:
        return Malformed("not-json", f"found no JSON: {fault}")
    except RecursionError:
        return Malformed("not-json", "found JSON that is nested too deeply")


def decode(
    value: bytes | None, headers: Headers = (), key: bytes | None = None, rewording: Rewording | None = None
) -> list[Event] | Malformed:
    """The one event of a record, or what was found instead of what was expected. Never raises."""
    body = json_of(value)
    if isinstance(body, Malformed):
        return body
    if rewording is not None and isinstance(body, dict):
        rewording.body(body, key)
    event = event_of(body)
    return event if isinstance(event, Malformed) else [event]


def _plain_or_quick(body: dict[str, object]) -> Row | None:
    """The row of a metric with nothing beside name, value, labels and seconds, the most frequent of all events.

    Of others what `_quick` says. What every metric must have and this one has not raises KeyError.
    """
    if len(body) == _PLAIN and type(labels := body.get("labels")) is dict and body["type"] == _METRIC_TEXT:
        at, name, value = body["ts"], body["name"], body["value"]
        if type(at) is float and type(value) in _NUMBERS and type(name) is str and name and 0 < at < _MILLISECONDS_FROM:
            labels["name"], labels["value"] = name, value
            return (_METRIC, at, labels)
    return _quick(body)


def _quick(body: dict[str, object]) -> Row | None:
    """The row of a decoded body, None when anything about it is out of the ordinary. `body` is taken apart."""
    kind, at, labels = _KINDS[body.pop("type")], body.pop("ts"), body.pop("labels", None)
    if type(at) not in _NUMBERS or not 0 < at < _LATEST:  # type: ignore[operator]  # a number
        return None
    if kind is not Kind.METRIC or len(body) != 2:
        if fault_of(kind, body) is not None:
            return None
    elif type(body["value"]) not in _NUMBERS or type(body["name"]) is not str or not body["name"]:
        return None
    seconds: float = at / 1000.0 if at >= _MILLISECONDS_FROM else at  # type: ignore[operator,assignment]  # a number
    if labels is None:
        labels = {}
    labels.update(body)  # type: ignore[attr-defined]  # anything without it raises AttributeError
    if kind is Kind.PREDICTION:
        labels.setdefault("error", "")  # type: ignore[attr-defined]  # as above
    return (kind, seconds, labels)  # type: ignore[return-value]  # as above


class Native:
    """The native format as a source; with a rewording its bodies are reworded before they are checked."""

    def __init__(self, rewording: Rewording | None = None) -> None:
        self._rewording = rewording

    def decode(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> Decoded:
        """The one event of a record, or what was found instead of what was expected."""
        return decode(value, headers, key, self._rewording)

    def rows(self, values: Sequence[bytes | None]) -> list[Row | None]:
        """The rows of a batch; None where `decode` has to tell: a fault, a time in words, a field that is the key."""
        loads, quick = orjson.loads, _plain_or_quick if self._rewording is None else self._reworded
        found: list[Row | None] = []
        add = found.append
        for value in values:
            try:
                add(quick(loads(value)) if len(value) <= MAX_BYTES else None)  # type: ignore[arg-type]
            except (TypeError, KeyError, ValueError, AttributeError):
                add(None)  # also of None, which has no length
        return found

    def _reworded(self, body: dict[str, object]) -> Row | None:
        """`_quick`, reworded; None also when a record's key would have given a field."""
        lacks = self._rewording is not None and self._rewording.body(body, None)
        return None if lacks else _plain_or_quick(body)
