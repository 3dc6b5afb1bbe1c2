"""Limits of a rule: how many entities its `by` makes, and what it can give to its runbooks."""

from collections.abc import Iterator, Mapping, Sequence

from fireline.domain.rules import Match, Matcher, Rule
from fireline.domain.runbooks import Input
from fireline.spec import codes
from fireline.spec.documents import Path
from fireline.spec.findings import Findings
from fireline.spec.rules import Placed
from fireline.spec.runbooks import PlacedRunbook

_ENDLESS = frozenset({"id", "request_id", "span_id", "trace_id"})
_TEXTS = frozenset({"string", "duration"})


def check_entities(placed: Placed, services: int | None, findings: Findings) -> None:
    """Note a `by` that makes more entities than are let in; `services` is how many the catalog has."""
    rule, document, path = placed.rule, placed.document, placed.path
    fields = placed.known.plugins.fields.get(rule.on.value, {})
    for index, name in enumerate(rule.by):
        if name in _ENDLESS or fields.get(name) == "number":
            what = "a number" if fields.get(name) == "number" else "another one with each event"
            message = f"`{name}` is {what}, so that `by` makes entities without end"
            hint = "group by what there are few of, and measure the rest"
            findings.warning(document, (*path, "by", index), message, hint, code=codes.ENTITY_LIMIT)
    counts = dict(_counts(rule, services))
    entities = 1
    for count in counts.values():
        entities *= count
    if entities > rule.max_entities:
        said = " x ".join(f"{count} of `{name}`" for name, count in counts.items())
        message = f"`by` makes up to {entities} entities ({said}), and `max_entities` lets in {rule.max_entities}"
        place = (*path, "max_entities")
        where = place if document.node(place) is not None else (*path, "by")
        findings.warning(document, where, message, "raise it, or group by less", code=codes.ENTITY_LIMIT)


def _counts(rule: Rule, services: int | None) -> Iterator[tuple[str, int]]:
    """Labels of which it is known how many values they have."""
    for name in rule.by:
        values = any_of(rule.where, name)
        if values:
            yield name, len(set(values))
        elif name == "service" and services is not None:
            yield name, services


def any_of(matchers: Sequence[Matcher], label: str) -> tuple[str, ...]:
    """The values of a label that are let through, where they are listed."""
    return tuple(value for m in matchers if m.label == label and m.how is Match.ANY_OF for value in m.values)


def check_inputs(placed: Placed, place: Path, runbook: PlacedRunbook, findings: Findings) -> None:
    """Note inputs of a runbook that the rule does not give, or gives in another type or with another value."""
    given = _given(placed.rule)
    for each in runbook.runbook.inputs:
        found = _input_fault(each, given, runbook.runbook.name)
        if found is not None:
            findings.error(placed.document, place, *found, code=codes.RUNBOOK_INPUT)
        elif (
            each.choices
            and runbook.runbook.start_when is None
            and (others := [value for value in given.get(each.name, ()) if value not in each.choices])
        ):
            message = f"the rule may give the input `{each.name}` of `{runbook.runbook.name}` as `{others[0]}`"
            hint = f"its choices are {', '.join(map(str, each.choices))}"
            findings.warning(placed.document, place, message, hint, code=codes.RUNBOOK_INPUT)


def _given(rule: Rule) -> Mapping[str, tuple[str, ...]]:
    """What the rule gives by name, with the values it may have where they are known."""
    silent = (rule.no_data.severity,) if rule.no_data is not None else ()
    own = {"service": any_of(rule.where, "service"), "severity": (*(each.severity for each in rule.levels), *silent)}
    return {**{name: any_of(rule.where, name) for name in rule.by}, **own}


def _input_fault(needed: Input, given: Mapping[str, object], runbook: str) -> tuple[str, str] | None:
    name = needed.name
    if name not in given:
        message = f"nothing gives the input `{name}` of `{runbook}`"
        return (message, f"give it a default, or add `{name}` to `by`") if needed.default is None else None
    if needed.type in _TEXTS:
        return None
    message = f"the rule gives the input `{name}` of `{runbook}` as a text, and it has to be of type {needed.type}"
    return message, "give it the type string, or another name"
