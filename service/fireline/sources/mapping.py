"""Mapping: fields of foreign events in our words, as `topics.yaml` says for a topic.

JSON bodies are reworded before it is checked that they are events, so that what an event must have may come from
fields of other names. Formats that make events of other things (OTLP) are reworded afterwards (`mapped`).
"""

from collections.abc import Mapping, MutableMapping, Sequence

from fireline.domain.events import Kind, field_of
from fireline.domain.topics import FieldMap

LONGEST_KEY = 1000
"""Longer keys of records, in bytes, become no label."""

_KINDS = frozenset(kind.value for kind in Kind)

Fields = MutableMapping[str, object]


class Rewording:
    """A `FieldMap` at work: changes the mappings that it is given, keeps nothing, and never raises."""

    def __init__(self, by: FieldMap) -> None:
        self._by = by
        self._labels = tuple(by.labels.items())
        self._add = tuple(by.add.items())

    def body(self, body: Fields, key: bytes | None) -> bool:
        """Reword a native body: its fields and those of its `labels`, when it happened and what it is.

        True when a key would have given a field, but there was none: the caller may come again with it.
        """
        found = body.get("labels")
        labels: Fields = found if isinstance(found, dict) else {}
        at = _first(self._by.time, body, labels) if body.get("ts") is None else None
        lacks = self._reword(body, labels, key)
        if at is not None:
            body["ts"] = at
        if self._by.kind is not None and not _is_kind(body.get("type")):
            self._be(self._by.kind, body, labels)
        return lacks

    def fields(self, fields: Mapping[str, object], key: bytes | None) -> dict[str, object]:
        """The fields of what is an event already, reworded."""
        reworded = dict(fields)
        self._reword(reworded, {}, key)
        return reworded

    def _be(self, kind: Kind, body: Fields, labels: Fields) -> None:
        """Make it an event of this kind; what it says itself stays as a label."""
        theirs = body.get("type")
        if theirs is not None:
            labels.setdefault("type", theirs)
            body["labels"] = labels
        body["type"] = kind.value

    def _reword(self, own: Fields, labels: Fields, key: bytes | None) -> bool:
        found = [(label, _first(names, own, labels)) for label, names in self._labels]
        own.update([(label, value) for label, value in found if value is not None])
        for name in self._by.drop:
            _drop(own, name)
            _drop(labels, name)
        lacks = self._by.key is not None and _lacks(self._by.key, own, labels)
        if lacks:
            lacks = not self._take(key, own)
        for name, value in self._add:
            if _lacks(name, own, labels):
                own[name] = value
        self._name_service(own, labels)
        return lacks

    def _take(self, key: bytes | None, own: Fields) -> bool:
        """Whether there is a key; it becomes a field when it is a text."""
        if not key:
            return False
        if len(key) <= LONGEST_KEY and self._by.key is not None:
            try:
                own[self._by.key] = key.decode()
            except UnicodeDecodeError:
                return True  # made for partitioning only
        return True

    def _name_service(self, own: Fields, labels: Fields) -> None:
        if not self._by.services:
            return
        said = own.get("service", labels.get("service"))
        known = self._by.services.get(said) if isinstance(said, str) else None
        if known is not None:
            own["service"] = known


def _is_kind(value: object) -> bool:
    return isinstance(value, str) and value in _KINDS


def _empty(value: object) -> bool:
    return value is None or value == ""


def _lacks(name: str, own: Fields, labels: Fields) -> bool:
    return _empty(own.get(name)) and _empty(labels.get(name))


def _first(names: Sequence[str], own: Fields, labels: Fields) -> object:
    """The first of these fields that is there; an event's own fields win over its labels. None when none is."""
    for name in names:
        for fields in (own, labels):
            value = field_of(fields, name)
            if not _empty(value):
                return value
    return None


def _drop(fields: Fields, name: str) -> None:
    """Remove a field; a dotted name reaches into nested objects where there is none of that very name."""
    head, dot, tail = name.partition(".")
    if name in fields or not dot:
        fields.pop(name, None)
        return
    inner = fields.get(head)
    if isinstance(inner, dict):
        _drop(inner, tail)
