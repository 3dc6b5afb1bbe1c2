"""`fireline doctor`: looks at everything Fireline stands on; one line a check, each fault with its remedy."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import open_store
from fireline.adapters.kafka_topics import known_topics, topics_of_fireline
from fireline.adapters.slack import who_am_i
from fireline.apps.bootstrap import Parts, assemble, connection_of, plugins, settings_with
from fireline.apps.faults import told
from fireline.apps.output import out, print_json
from fireline.apps.settings import Settings
from fireline.apps.web_health import LATE, ROLE, read_health
from fireline.spec.loading import load


class Finding(StrEnum):
    """How a check went."""

    SOUND = "sound"
    NOTE = "note"
    FAULT = "fault"


MARKS = {Finding.SOUND: ("ok", "green"), Finding.NOTE: ("--", "yellow"), Finding.FAULT: ("!!", "bold red")}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and how to mend it."""

    name: str
    finding: Finding
    found: str
    remedy: str = ""


def run(*, as_json: bool) -> int:
    """Look at everything; 1 when something is faulty."""
    checks = list(_checks(settings_with()))
    if as_json:
        print_json(
            [{"check": c.name, "finding": c.finding.value, "found": c.found, "remedy": c.remedy} for c in checks]
        )
    else:
        for check in checks:
            _print(check)
    return 1 if any(check.finding is Finding.FAULT for check in checks) else 0


def _print(check: Check) -> None:
    mark, style = MARKS[check.finding]
    console = out()
    console.print(f"{mark} ", style=style, end="", markup=False)
    console.print(f"{check.name:<13} {check.found}", markup=False)
    if check.remedy:
        console.print(f"   {'':<13} -> {check.remedy}", style="dim", markup=False)


def _checks(settings: Settings) -> Iterator[Check]:
    files = _files(settings)
    database = _database(settings)
    yield from (files, database, _slack(settings))
    if Finding.FAULT in (files.finding, database.finding):
        yield Check("kafka", Finding.NOTE, "not looked at", "mend the faults above first")
        return
    parts = assemble(settings)
    yield _guarded("kafka", lambda: _kafka(parts), "start the broker, or mend FIRELINE_KAFKA")
    yield from _roles(parts)


def _guarded(name: str, look: Callable[[], Check], remedy: str) -> Check:
    try:
        return look()
    except Exception as fault:  # whatever it is, the other checks go on
        return Check(name, Finding.FAULT, told(fault) or f"{type(fault).__name__}: {fault}", remedy)


def _files(settings: Settings) -> Check:
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    loaded = load(settings.rules, settings.runbooks, plugins(), today=today)
    errors = sum(p.severity == "error" for p in loaded.problems)
    if loaded.configuration is None:
        return Check("files", Finding.FAULT, f"{errors} errors in rules or runbooks", "`fireline check` shows each")
    warnings = len(loaded.problems)
    found = (
        f"{len(loaded.configuration.rules)} rules, {len(loaded.configuration.runbooks)} runbooks, {warnings} warnings"
    )
    return Check("files", Finding.NOTE if warnings else Finding.SOUND, found, "`fireline check`" if warnings else "")


def _database(settings: Settings) -> Check:
    kind = settings.database.partition(":")[0]

    def look() -> Check:
        store = open_store(settings.database)
        try:
            store.ping()
        finally:
            store.close()
        return Check("database", Finding.SOUND, f"{kind} answers and is up to date")

    return _guarded("database", look, "start the database, or mend FIRELINE_DATABASE")


def _kafka(parts: Parts) -> Check:
    connection = connection_of(parts)
    missing = sorted({t.name for t in topics_of_fireline(parts.settings.topics)} - known_topics(connection))
    if missing:
        remedy = "`fireline stream` creates them where it may; otherwise create them by hand"
        return Check(
            "kafka", Finding.NOTE, f"{connection.bootstrap} answers; missing topics: {', '.join(missing)}", remedy
        )
    kind = "embedded broker" if connection.embedded else "Kafka"
    return Check("kafka", Finding.SOUND, f"{kind} at {connection.bootstrap} answers, all topics are there")


def _slack(settings: Settings) -> Check:
    if settings.slack_bot_token is None:
        remedy = "for Slack, follow docs/how-to/slack.md"
        return Check("slack", Finding.NOTE, "not configured: pages go to the console", remedy)
    token = settings.slack_bot_token.get_secret_value()

    def look() -> Check:
        return Check("slack", Finding.SOUND, f"answers as {asyncio.run(who_am_i(token, settings.slack_base_url))}")

    return _guarded("slack", look, "check FIRELINE_SLACK_BOT_TOKEN and that Slack can be reached")


def _roles(parts: Parts) -> Iterator[Check]:
    health = read_health(parts.store, parts.files, parts.clock)
    for fact, age in health.ages.items():
        name = ROLE[fact].removeprefix("the ")
        if age is None:
            yield Check(name, Finding.FAULT, "has not been heard of", "start `fireline up`, or the role by itself")
            continue
        troubled = age > LATE[fact]
        finding = Finding.FAULT if troubled else Finding.SOUND
        yield Check(
            name, finding, f"heard of {age:.0f} s ago", "is its process running? see its log" if troubled else ""
        )
