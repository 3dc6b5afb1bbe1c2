"""One file, one wire format: bytes and headers into events, or the reason why not."""

from collections.abc import Mapping, Sequence

from fireline.domain.events import Headers, Source
from fireline.domain.on_demand import OnDemand
from fireline.domain.topics import FieldMap
from fireline.sources import cloudevents, native
from fireline.sources.cloudevents import CloudEvents
from fireline.sources.mapped import Mapped
from fireline.sources.mapping import Rewording
from fireline.sources.native import Native

NAMES = ("native", "cloudevents", "otlp", "otlp-traces", "otlp-logs")


def _source(name: str) -> Source:
    match name:
        case "native":
            return Native()
        case "cloudevents":
            return CloudEvents()
    from fireline.sources import otlp

    return {"otlp": otlp.METRICS, "otlp-traces": otlp.TRACES, "otlp-logs": otlp.LOGS}[name]


def _examples(name: str) -> Sequence[tuple[bytes, Headers]]:
    match name:
        case "native":
            return native.EXAMPLES
        case "cloudevents":
            return cloudevents.EXAMPLES
    from fireline.sources import otlp

    found = {"otlp": otlp.EXAMPLE, "otlp-traces": otlp.TRACES_EXAMPLE, "otlp-logs": otlp.LOGS_EXAMPLE}
    return ((found[name], ()),)


FORMATS: Mapping[str, Source] = OnDemand(NAMES, _source)
"""Every format, by the name a topic's setting uses; OTLP's are loaded when one is asked for."""

EXAMPLES: Mapping[str, Sequence[tuple[bytes, Headers]]] = OnDemand(NAMES, _examples)
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
