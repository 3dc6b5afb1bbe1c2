"""CloudEvents 1.0 in JSON: an envelope around native events, structured, binary or batched.

*Structured* is a record of JSON with `specversion`, also without the header `content-type:
application/cloudevents+json`. *Binary* has the attributes in headers (`ce_type`, `ce_source` ...) and the data as its
value; where a library has escaped all of them as in a URL (`%2Fcheckout`), they are read as they were meant. A *batch*
is a list of structured events (`application/cloudevents-batch+json`); those of it that are sound are processed,
whatever the others are.

The data is the body of a native event. What it lacks, the envelope gives:

- what it is: the last word of the attribute `type` that is one of ours (`com.example.metric.v1` is a metric), where
  the data has no `type` of ours; else the `kind` of the topic
- when it happened: `time`, where the data has no `ts`
- labels: all other attributes by their names, `id`, `source`, `subject`, `type` and extensions, where the data does not
  have them

An event is identified by its `source` and `id`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from fireline.domain.events import Decoded, Event, Headers, Kind, Malformed, Row
from fireline.sources.mapping import Rewording
from fireline.sources.native import event_of, json_of, shown

_STRUCTURED_EXAMPLE = b"""\
{"specversion": "1.0", "id": "A-17", "source": "/checkout/eu-1", "type": "com.example.prediction",
 "time": "2025-11-21T00:00:00.25Z", "datacontenttype": "application/json",
 "data": {"service": "fraud-scoring", "confidence": 0.71, "latency_ms": 81}}"""
_BINARY_EXAMPLE = b'{"name": "queue_depth", "value": 12, "labels": {"service": "checkout"}}'

EXAMPLES: Sequence[tuple[bytes, Headers]] = (
    (_STRUCTURED_EXAMPLE, (("content-type", b"application/cloudevents+json"),)),
    (
        _BINARY_EXAMPLE,
        (
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_id", b"A-18"),
            ("ce_source", b"/checkout/eu-1"),
            ("ce_type", b"com.example.metric.v1"),
            ("ce_time", b"2025-11-21T00:00:00.25Z"),
        ),
    ),
    (b"[" + _STRUCTURED_EXAMPLE + b"]", ()),
)
"""Records of this format, as they come from Kafka: value and headers."""

_STRUCTURED, _BATCH = "application/cloudevents", "application/cloudevents-batch"
_OF_JSON = frozenset({_STRUCTURED, _BATCH, _STRUCTURED + "+json", _BATCH + "+json"})
_PREFIX = "ce_"
_REQUIRED = ("specversion", "id", "source", "type")
_KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind}
_NO_LABELS = frozenset({"specversion", "datacontenttype", "dataschema", "time", "data", "data_base64"})
_ABSENT = object()
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*")

Attributes = Mapping[str, object]


class CloudEvents:
    """The format as a source; with a rewording its data is reworded before it is checked."""

    def __init__(self, rewording: Rewording | None = None) -> None:
        self._rewording = rewording

    def decode(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> Decoded:
        """The events of one record: one, or those of a batch and the faults among them."""
        told = _attributes(headers)
        if isinstance(told, Malformed):
            return told
        attributes, content = told
        if not content.startswith(_STRUCTURED) and attributes:
            return self._binary(attributes, value, key)
        if content.startswith(_STRUCTURED) and content.partition(";")[0].strip() not in _OF_JSON:
            return Malformed("encoding-unknown", f"found `content-type` {shown(content)}; expected a format of JSON")
        body = json_of(value)
        if isinstance(body, Malformed):
            return body
        if content.startswith(_BATCH) or isinstance(body, list):
            return self._batch(body, key)
        found = self._structured(body, key)
        return found if isinstance(found, Malformed) else [found]

    def rows(self, values: Sequence[bytes | None]) -> Sequence[Row | None]:
        """Always left to `decode`, which has the headers."""
        return [None] * len(values)

    def _binary(self, attributes: Attributes, value: bytes | None, key: bytes | None) -> Decoded:
        data = json_of(value) if value else _ABSENT
        if isinstance(data, Malformed):
            return data
        found = self._event(attributes, data, key)
        return found if isinstance(found, Malformed) else [found]

    def _batch(self, body: object, key: bytes | None) -> Decoded:
        if not isinstance(body, list):
            return Malformed("not-cloudevents", f"found {shown(body)} as a batch; expected a list of CloudEvents")
        found = [self._structured(each, key) for each in body]
        return [
            replace(each, detail=f"event {place} of {len(found)}: {each.detail}")
            if isinstance(each, Malformed)
            else each
            for place, each in enumerate(found, start=1)
        ]

    def _structured(self, body: object, key: bytes | None) -> Event | Malformed:
        if not isinstance(body, dict) or "specversion" not in body:
            wanted = "expected a CloudEvent: an object with `specversion`, or headers `ce_specversion` ..."
            return Malformed("not-cloudevents", f"found {shown(body)}; {wanted}")
        in_base64 = body.get("data_base64") is not None
        if in_base64 and body.get("data") is not None:
            return Malformed("data-wrong", "found both `data` and `data_base64`; expected one of them")
        data = _decoded(body["data_base64"]) if in_base64 else body.get("data", _ABSENT)
        return data if isinstance(data, Malformed) else self._event(body, data, key)

    def _event(self, attributes: Attributes, data: object, key: bytes | None) -> Event | Malformed:
        wrong = _wrong(attributes)
        if wrong is not None:
            return wrong
        body = _body(attributes, data)
        if isinstance(body, Malformed):
            return body
        if self._rewording is not None:
            self._rewording.body(body, key)
        if body.get("ts") is None and attributes.get("time") is not None:
            body["ts"] = str(attributes["time"])
        event = event_of(body)
        if isinstance(event, Malformed):
            return _explained(event, attributes)
        return replace(event, id=f"{attributes['source']}#{attributes['id']}")


def _attributes(headers: Headers) -> tuple[dict[str, object], str] | Malformed:
    """The attributes that headers give, and the type of the content; names of headers in any case."""
    attributes: dict[str, object] = {}
    content = ""
    for name, value in headers:
        lower = name.lower()
        if lower != "content-type" and not lower.startswith(_PREFIX):
            continue
        try:
            text = (value or b"").decode()
        except UnicodeDecodeError:
            return Malformed("attribute-wrong", f"found the header `{shown(name)}` {shown(value)}; expected UTF-8")
        if lower == "content-type":
            content = text.strip().lower()
        else:
            attributes[lower.removeprefix(_PREFIX)] = text
    return _unescaped(attributes), content


def _unescaped(attributes: dict[str, object]) -> dict[str, object]:
    """The attributes as they were meant, where all of them are escaped as in a URL.

    Kafka needs no escapes, so a `%20` is one only where nothing stands that would have been escaped as well.
    """
    texts = [str(value) for value in attributes.values()]
    if not any("%" in text for text in texts) or not all(map(_ESCAPED.fullmatch, texts)):
        return attributes
    return {name: unquote(str(value)) for name, value in attributes.items()}


def _wrong(attributes: Attributes) -> Malformed | None:
    """What is wrong with the attributes that must be there."""
    for name in _REQUIRED:
        value = attributes.get(name)
        if value is None or value == "":
            return Malformed("attribute-missing", f"found a CloudEvent without `{name}`; expected a non-empty string")
        if not isinstance(value, str):
            return Malformed("attribute-wrong", f"found `{name}` {shown(value)}; expected a non-empty string")
    if attributes["specversion"] != "1.0":
        return Malformed("specversion-wrong", f"found `specversion` {shown(attributes['specversion'])}; expected '1.0'")
    return None


def _decoded(text: object) -> object:
    """The JSON in Base64, or why there is none."""
    if not isinstance(text, str):
        return Malformed("data-wrong", f"found `data_base64` {shown(text)}; expected a string in Base64")
    try:
        return json_of(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as fault:
        return Malformed("data-wrong", f"found `data_base64` {shown(text)}; expected Base64: {fault}")


def _body(attributes: Attributes, data: object) -> dict[str, object] | Malformed:
    """The data as the body of a native event, with labels and a type from the envelope where it has none."""
    # JSON as a text within JSON: some libraries write it so
    fields = json_of(data.encode(errors="replace")) if isinstance(data, str) else data
    if fields is _ABSENT or fields is None:
        fields = {}
    if not isinstance(fields, dict):
        of = attributes.get("datacontenttype")
        said = f"found data {shown(data)}" + (f" of {shown(of)}" if of else "")
        return Malformed("data-wrong", f"{said}; expected the fields of one event as a JSON object")
    labels = fields.setdefault("labels", {})
    if labels is None:
        labels = fields["labels"] = {}
    if isinstance(labels, dict):
        for name, value in attributes.items():
            if name not in _NO_LABELS and value is not None:
                labels.setdefault(name, value)
    if not (isinstance(fields.get("type"), str) and fields["type"] in _KINDS):
        _be(attributes, fields, labels)
    return fields


def _be(attributes: Attributes, data: dict[str, object], labels: object) -> None:
    """Say what it is, when the envelope tells; a word of the sender's own becomes a label."""
    kind = next((_KINDS[word] for word in reversed(str(attributes["type"]).lower().split(".")) if word in _KINDS), None)
    if kind is None:
        return
    theirs = data.get("type")
    if theirs is not None and isinstance(labels, dict):
        labels["type"] = theirs
    data["type"] = kind.value


def _explained(fault: Malformed, attributes: Attributes) -> Malformed:
    """A fault of the body in words of the envelope, where that is where to mend it."""
    match fault.reason:
        case "type-unknown":
            kinds = ", ".join(Kind)
            wanted = f"expected `type` of the data, or a word of the CloudEvent's type, to be one of {kinds}"
            return replace(fault, detail=f"found the type {shown(attributes['type'])}; {wanted}")
        case "time-missing":
            return replace(
                fault, detail="found neither `ts` in the data nor the attribute `time`; expected one of them"
            )
        case "time-wrong" if attributes.get("time") is not None:
            return replace(fault, detail=fault.detail.replace("found `ts`", "found `ts` or `time`", 1))
        case _:
            return fault
