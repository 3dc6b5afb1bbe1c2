"""One file, one wire format: bytes and headers into events, or the reason why not."""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Headers, Source
from fireline.domain.topics import FieldMap
from fireline.sources import cloudevents, native, otlp
from fireline.sources.cloudevents import CloudEvents
from fireline.sources.mapped import Mapped
from fireline.sources.mapping import Rewording
from fireline.sources.native import Native
from fireline.sources.otlp import LOGS, METRICS, TRACES

FORMATS: Mapping[str, Source] = {
    "native": Native(),
    "cloudevents": CloudEvents(),
    "otlp": METRICS,
    "otlp-traces": TRACES,
    "otlp-logs": LOGS,
}
"""Every format, by the name a topic's setting uses."""

EXAMPLES: Mapping[str, Sequence[tuple[bytes, Headers]]] = {
    "native": native.EXAMPLES,
    "cloudevents": cloudevents.EXAMPLES,
    "otlp": ((otlp.EXAMPLE, ()),),
    "otlp-traces": ((otlp.TRACES_EXAMPLE, ()),),
    "otlp-logs": ((otlp.LOGS_EXAMPLE, ()),),
}
"""Records of every format, as they come from Kafka: value and headers."""

BODIES = frozenset({"native", "cloudevents"})
"""Formats whose events are JSON bodies: what they are and when they happened may come from fields of other names."""


def source_of(form: str, fields: FieldMap | None = None) -> Source:
    """The source of a format, rewording fields where that is asked for; raises KeyError for an unknown format."""
    if fields is None:
        return FORMATS[form]
    rewording = Rewording(fields)
    match form:
        case "native":
            return Native(rewording)
        case "cloudevents":
            return CloudEvents(rewording)
        case _:
            return Mapped(FORMATS[form], rewording)
