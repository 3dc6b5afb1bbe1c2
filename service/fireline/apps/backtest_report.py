"""The report of a back-test as plain data: what `--json` writes, and what tables and charts are drawn from.

Nothing in it depends on the machine, the clock, the number of processes or where files lie, so that the same events and
rules give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fireline.apps.backtest_files import Input
from fireline.apps.backtest_play import Played
from fireline.domain.configuration import Configuration
from fireline.domain.events import Kind
from fireline.domain.hindsight import Opened, Outcome, Paged, Ran
from fireline.domain.labelled import Alarm, Score, Window, score
from fireline.domain.noise import RuleNoise, by_person, by_rule, exceeded
from fireline.domain.page_changes import Changes, Pair, compare
from fireline.domain.rules import Match, Rule

Json = dict[str, object]
VERSION = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One set of rules and what it would have led to."""

    configuration: Configuration
    rules: Sequence[Rule]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Report:
    """What the report is made of: `old` and `windows` are None where nothing was compared or labelled."""

    inputs: Sequence[Input]
    played: Played
    new: Side
    old: Side | None = None
    windows: Sequence[Window] | None = None


def document(report: Report) -> Json:
    """The report as JSON-like data."""
    found: Json = {"version": VERSION, "recording": _recording(report), "new": _side(report, report.new)}
    if report.old is not None:
        found["old"] = _side(report, report.old)
        found["changes"] = _changes(compare(report.old.outcome, report.new.outcome))
    return found


def over_budget(found: Json) -> bool:
    """Whether the (new) rules exceed the noise budget."""
    side = found["new"]
    assert isinstance(side, dict)
    return bool(side["noise_budget"] and side["noise_budget"]["exceeded"])


def iso(at: float | None) -> str | None:
    """An instant as RFC 3339 in UTC, to the millisecond where it has any."""
    if at is None:
        return None
    exact = datetime.fromtimestamp(round(at, 3), UTC)
    return exact.isoformat(timespec="milliseconds" if exact.microsecond else "seconds").replace("+00:00", "Z")


def _recording(report: Report) -> Json:
    played = report.played
    return {
        "files": [each.label for each in report.inputs],
        "events": played.events,
        "bad_lines": played.heard.bad,
        "late_events": played.late,
        "first": iso(played.first),
        "last": iso(played.last),
        "moved_weeks": played.weeks,
        "faults": [{"file": file, "line": bad.line, "reason": bad.reason} for file, bad in played.heard.told],
    }


def _side(report: Report, side: Side) -> Json:
    outcome, end = side.outcome, report.played.last or 0.0
    noise = by_rule(side.rules, outcome, end)
    pages = outcome.pages
    return {
        "configuration": side.configuration.hash[:16],
        "totals": {
            "rules": len(side.rules),
            "signals": sum(outcome.signals.values()),
            "firings": len(outcome.firings),
            "flaps": sum(firing.flap for firing in outcome.firings),
            "incidents": len(outcome.incidents),
            "unpaged_incidents": sum(not incident.pages for incident in outcome.incidents),
            "pages": len(pages),
            "out_of_hours": sum(page.out_of_hours for page in pages),
            "people": len({page.person for page in pages}),
            "runs": sum(run.outcome == "runs" for run in outcome.runs),
        },
        "people": [
            {"person": b.person, "name": b.name, "pages": b.pages, "out_of_hours": b.out_of_hours}
            for b in by_person(pages)
        ],
        "rules": [_rule(each, side, report, end) for each in noise],
        "noise_budget": _budget(side),
        "labels": _labels(side, report.windows),
        "pages": [_page(page) for page in pages],
        "incidents": [_incident(incident) for incident in outcome.incidents],
        "runs": [_run(run) for run in outcome.runs],
    }


def _rule(noise: RuleNoise, side: Side, report: Report, end: float) -> Json:
    found: Json = {
        "rule": noise.rule,
        "shadow": noise.shadow,
        "signals": noise.signals,
        "firings": noise.firings,
        "flaps": noise.flaps,
        "minutes_firing": round(noise.minutes, 1),
        "pages": noise.pages,
        "out_of_hours": noise.out_of_hours,
        "severities": dict(noise.severities),
    }
    if report.windows is not None:
        rule = next(rule for rule in side.rules if rule.name == noise.rule)
        own = [window for window in report.windows if _is_of(rule, window)]
        found["labels"] = _score(score(own, _alarms_of_firings(side, noise.rule)), windows=False)
    return found


def _is_of(rule: Rule, window: Window) -> bool:
    metrics = _metrics(rule)
    return window.rule in ("", rule.name) and (not window.metric or metrics is None or window.metric in metrics)


def _metrics(rule: Rule) -> frozenset[str] | None:
    """The names of metrics that a rule reads, None where it may read any; none of a rule on other events."""
    if Kind.METRIC not in {rule.on, *(measure.on for measure in rule.measures)}:
        return frozenset()
    streams = [rule.where, *(measure.where for measure in rule.measures if measure.where is not None)]
    named = [matcher for where in streams for matcher in where if matcher.label == "name"]
    if not named or any(matcher.how is not Match.ANY_OF for matcher in named):
        return None
    return frozenset(value for matcher in named for value in matcher.values)


def _alarms_of_firings(side: Side, rule: str | None = None) -> list[Alarm]:
    metrics = {each.name: _metrics(each) for each in side.rules}
    return [
        Alarm(firing.start, firing.end, firing.service, firing.rule, _heard(firing.entity, metrics[firing.rule]))
        for firing in side.outcome.firings
        if rule in (None, firing.rule) and (rule is not None or not firing.shadow)
    ]


def _alarms_of_pages(side: Side) -> list[Alarm]:
    metrics = {each.name: _metrics(each) for each in side.rules}
    ends = {incident.number: incident.resolved_at for incident in side.outcome.incidents}
    return [
        Alarm(page.at, ends[page.incident], page.service, page.rule, _heard(page.entity, metrics[page.rule]))
        for page in side.outcome.pages
    ]


def _heard(entity: Sequence[tuple[str, str]], metrics: frozenset[str] | None) -> frozenset[str] | None:
    named = dict(entity).get("name")
    return metrics if named is None else frozenset({named})


def _labels(side: Side, windows: Sequence[Window] | None) -> Json | None:
    if windows is None:
        return None
    return {
        "pages": _score(score(windows, _alarms_of_pages(side))),
        "firings": _score(score(windows, _alarms_of_firings(side)), windows=False),
    }


def _score(found: Score, *, windows: bool = True) -> Json:
    told: Json = {
        "windows": found.windows,
        "caught": found.caught,
        "alarms": found.alarms,
        "right": found.right,
        "recall": _share(found.recall),
        "precision": _share(found.precision),
        "minutes_to_detect": _minutes(found.to_detect),
    }
    if windows:
        told["each"] = [
            {
                "start": iso(met.window.start),
                "end": iso(met.window.end),
                "of": _named(met.window),
                "how": met.how,
                "minutes_to_detect": _minutes(met.after),
            }
            for met in found.met
        ]
    return told


def _named(window: Window) -> str:
    return ", ".join(text for text in (window.service, window.rule, window.metric) if text)


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60.0, 1)


def _budget(side: Side) -> Json | None:
    budget = side.configuration.response.noise_budget
    if budget is None:
        return None
    return {
        "pages": budget.pages,
        "per": "shift" if budget.per is None else f"{budget.per / 3600:g}h",
        "exceeded": [
            {
                "person": each.person,
                "name": each.name,
                "stretch": each.stretch,
                "first": iso(each.start),
                "last": iso(each.end),
                "pages": each.pages,
                "rules": dict(each.rules),
            }
            for each in exceeded(budget, side.outcome.pages)
        ],
    }


def _page(page: Paged) -> Json:
    return {
        "at": iso(page.at),
        "local": page.local,
        "out_of_hours": page.out_of_hours,
        "person": page.person,
        "severity": page.severity,
        "urgency": page.urgency,
        "service": page.service,
        "group": page.group,
        "rule": page.rule,
        "entity": dict(page.entity),
        "incident": page.incident,
        "cause": page.cause,
        "title": page.title,
        "schedule": page.schedule,
        "on_call": page.source,
        "until": iso(page.until),
    }


def _incident(incident: Opened) -> Json:
    return {
        "number": incident.number,
        "service": incident.service,
        "group": incident.group,
        "owner": incident.owner,
        "severity": incident.severity,
        "title": incident.title,
        "opened": iso(incident.opened_at),
        "resolved": iso(incident.resolved_at),
        "pages": incident.pages,
        "reopened": incident.reopened,
        "flaps": incident.flaps,
        "rules": list(incident.rules),
        "unpaged": incident.unpaged,
    }


def _run(run: Ran) -> Json:
    return {
        "at": iso(run.at),
        "incident": run.incident,
        "service": run.service,
        "rule": run.rule,
        "runbook": run.runbook,
        "outcome": run.outcome,
        "why": run.why,
        "steps": list(run.steps),
    }


def _changes(changes: Changes) -> Json:
    moved = changes.moved
    return {
        "added": [_page(page) for page in changes.added],
        "removed": [_page(page) for page in changes.removed],
        "moved": [_pair(pair) for pair in moved],
        "severities": [_pair(pair) for pair in changes.severities],
        "totals": {
            "added": len(changes.added),
            "removed": len(changes.removed),
            "earlier": sum(pair.later < 0 for pair in moved),
            "later": sum(pair.later > 0 for pair in moved),
            "other_severity": len(changes.severities),
            "unchanged": sum(pair.same for pair in changes.pairs),
        },
    }


def _pair(pair: Pair) -> Json:
    return {
        "service": pair.new.service,
        "group": pair.new.group,
        "person": pair.new.person,
        "old": {"at": iso(pair.old.at), "severity": pair.old.severity, "rule": pair.old.rule},
        "new": {"at": iso(pair.new.at), "severity": pair.new.severity, "rule": pair.new.rule},
        "minutes_later": round(pair.later / 60.0, 1),
    }
