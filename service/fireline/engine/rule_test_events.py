"""The events of a rule's test, as the bytes that would have come from Kafka, in the order of their arrival."""

import json
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import NamedTuple

from fireline.domain.events import Kind
from fireline.domain.rule_tests import RuleTest, Series
from fireline.domain.rules import Rule

_PLACE = "{n}"


class Arrival(NamedTuple):
    """One event: `at` when it arrives and `happened` when it happened, in seconds since the start of the test."""

    at: float
    happened: float
    value: bytes


class _Given(NamedTuple):
    """One event as the test gives it."""

    at: float
    late: float
    on: Kind | None
    fields: Mapping[str, object]


def arrivals(rule: Rule, test: RuleTest) -> list[Arrival]:
    """All events of a test. Those without a `request_id` get one of their own, as a sender would give."""
    given = sorted(_given(test), key=lambda event: event.at + event.late)
    return [_arrival(rule, test, number, event) for number, event in enumerate(given)]


def _given(test: RuleTest) -> Iterator[_Given]:
    for series in test.series:
        every = test.every if series.every is None else series.every
        for number, (index, more) in enumerate(_places(series)):
            fields = {name: _filled(given, number) for name, given in series.fields.items()}
            yield _Given(series.at + index * every, 0.0, series.on, {**fields, **more})
    for event in test.events:
        yield _Given(event.at, event.late, event.on, event.fields)


def _places(series: Series) -> Iterator[tuple[int, Mapping[str, object]]]:
    """For each event of a series the place of its time, and what the series adds to its fields."""
    for index, value in enumerate(series.values):
        if value is not None:
            yield index, {series.field: value}
    for index, count in enumerate(series.counts):
        yield from repeat((index, {}), count)


def _filled(given: object, number: int) -> object:
    match given:
        case str() if _PLACE in given:
            return given.replace(_PLACE, str(number))
        case dict():
            return {name: _filled(part, number) for name, part in given.items()}
        case _:
            return given


def _arrival(rule: Rule, test: RuleTest, number: int, event: _Given) -> Arrival:
    body: dict[str, object] = {"type": (event.on or rule.on).value, "request_id": f"test-{number}", **event.fields}
    if event.on is not None:
        body["type"] = event.on.value
    body.setdefault("ts", round(test.start + event.at, 6))
    return Arrival(event.at + event.late, event.at, json.dumps(body).encode())
