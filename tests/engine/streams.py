"""Rules, records and conditions for tests of the stream core, without CEL and Jinja2."""

import orjson

from fireline.domain.events import Kind
from fireline.domain.expressions import EvaluationFault
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule
from fireline.engine.ingest import Record, SourceRef

SOURCE = SourceRef("fireline.metrics", 0)


class Check:
    """A condition from a Python expression over named values; it remembers what it was asked last, per service."""

    def __init__(self, source, *variables):
        self.source, self.variables = source, frozenset(variables)
        self.seen = {}

    def holds(self, values):
        self.seen[values.get("service")] = {name: values.get(name) for name in self.variables}
        try:
            return bool(eval(self.source, {"__builtins__": {}}, dict(values)))
        except Exception as fault:
            raise EvaluationFault(f"{type(fault).__name__}: {fault}") from fault


class Text:
    """A template of Python's format kind."""

    def __init__(self, source):
        self.source = source

    def render(self, values):
        try:
            return self.source.format(**values)
        except (KeyError, ValueError, TypeError, AttributeError) as fault:
            raise EvaluationFault(str(fault)) from fault


def above(name, bound):
    return Check(f"{name} > {bound}", name)


def equals(label, *values):
    return Matcher(label, Match.ANY_OF, values)


def rule(**changes):
    fields = {
        "name": "latency",
        "on": Kind.METRIC,
        "where": (equals("name", "lat"),),
        "by": ("service",),
        "window": 60.0,
        "pane": 10.0,
        "measures": (Measure("n", "count"), Measure("top", "max", "value")),
        "levels": (Level("outage", above("top", 100.0)),),
        "service": Text("{service}"),
        "summary": Text("top of {service} is {measures[top]}"),
        "hash": "h1",
    }
    return Rule(**(fields | changes))


def metric(offset, at, value=1.0, service="a", timestamp=None, **labels):
    body = {"type": "metric", "name": "lat", "value": value, "ts": at, "labels": {"service": service, **labels}}
    return Record(offset, at if timestamp is None else timestamp, None, orjson.dumps(body))


def record(offset, at, **body):
    return Record(offset, at, None, orjson.dumps({"ts": at, **body}))
