"""Mapped: a source whose events are reworded after they were decoded."""

from collections.abc import Sequence
from dataclasses import replace

from fireline.domain.events import Decoded, Event, Headers, Malformed, Row, Source
from fireline.sources.mapping import Rewording
from fireline.sources.native import fault_of


class Mapped:
    """For formats that know by themselves what an event is and when it happened; it needs every record's key."""

    def __init__(self, source: Source, rewording: Rewording) -> None:
        self._source, self._rewording = source, rewording

    def decode(self, value: bytes | None, headers: Headers, key: bytes | None = None) -> Decoded:
        """The events of the source, reworded; one that is none any more is a fault."""
        decoded = self._source.decode(value, headers, key)
        if isinstance(decoded, Malformed):
            return decoded
        return [found if isinstance(found, Malformed) else self._reworded(found, key) for found in decoded]

    def rows(self, values: Sequence[bytes | None]) -> Sequence[Row | None]:
        """Always left to `decode`, which has the keys."""
        return [None] * len(values)

    def _reworded(self, event: Event, key: bytes | None) -> Event | Malformed:
        fields = self._rewording.fields(event.fields, key)
        return fault_of(event.kind, fields) or replace(event, fields=fields)
