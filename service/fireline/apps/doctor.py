"""`fireline doctor`: looks at everything Fireline stands on; one line a check, each fault with its remedy."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from rich.text import Text

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.kafka_connection import Barred
from fireline.adapters.kafka_topics import topics_of_fireline
from fireline.adapters.slack import who_am_i
from fireline.apps.bootstrap import Look, configured_channels, connection_of, plugins, settings_with
from fireline.apps.checking import unreached
from fireline.apps.event_topics import overruled, topics_of
from fireline.apps.faults import told
from fireline.apps.output import harmless, out, print_json, say
from fireline.apps.reach import standing
from fireline.apps.settings import Settings
from fireline.apps.topics import examine
from fireline.apps.topics_check import Weight, worst
from fireline.apps.web_health import BEHIND, LATE, NAME, STREAM_FACT, Health, read_health
from fireline.domain.autonomy import unreviewed
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Page, PageStatus
from fireline.domain.oncall import OnCall
from fireline.domain.reviews import day_of
from fireline.engine.ports import Unavailable
from fireline.spec.loading import load
from fireline.spec.reachability import DAYS


class Finding(StrEnum):
    """How a check went."""

    SOUND = "sound"
    NOTE = "note"
    FAULT = "fault"


UNDELIVERED = 15.0
"""Seconds after which a page that no channel took is a fault."""
DATABASE_REMEDY = "start the database, or mend FIRELINE_DATABASE"
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
    out().print(Text(mark, style=style) + Text(f" {check.name:<13} {harmless(check.found)}"))
    if check.remedy:
        say(f"   {'':<13} -> {check.remedy}", "dim")


def _checks(settings: Settings) -> Iterator[Check]:
    files, configuration = _files(settings)
    yield files
    if configuration is not None:
        yield _topics(settings, configuration)
        yield _reviews(configuration)
        yield _reached(settings)
    database, store = _database(settings)
    yield database
    yield _slack(settings)
    if store is None:
        yield Check("the rest", Finding.NOTE, "not looked at", "mend the database first")
        return
    seen = Look(settings, SystemClock(), store)
    try:
        yield _guarded("kafka", lambda: _kafka(seen, configuration), "start the broker, or mend FIRELINE_KAFKA")
        yield from _told_by_roles(seen, configuration)
    except Unavailable as fault:
        yield Check("database", Finding.FAULT, f"went away while it was looked at: {fault}", DATABASE_REMEDY)
    finally:
        store.close()


def _guarded(name: str, look: Callable[[], Check], remedy: str) -> Check:
    try:
        return look()
    except Barred as fault:
        return Check(name, Finding.FAULT, str(fault), "it answers, and lets us in once what it names is mended")
    except Exception as fault:  # whatever it is, the other checks go on
        return Check(name, Finding.FAULT, told(fault) or f"{type(fault).__name__}: {fault}", remedy)


def _files(settings: Settings) -> tuple[Check, Configuration | None]:
    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    loaded = load(settings.rules, settings.runbooks, plugins(), today=today)
    errors = sum(p.severity == "error" for p in loaded.problems)
    if loaded.configuration is None:
        found = f"{errors} errors in rules or runbooks; what runs already goes on with the last good ones"
        return Check("files", Finding.FAULT, found, "`fireline check` shows each"), None
    warnings = len(loaded.problems)
    found = (
        f"{len(loaded.configuration.rules)} rules, {len(loaded.configuration.runbooks)} runbooks, {warnings} warnings"
    )
    finding = Finding.NOTE if warnings else Finding.SOUND
    return Check("files", finding, found, "`fireline check` shows each" if warnings else ""), loaded.configuration


def _reviews(configuration: Configuration) -> Check:
    """Runbooks whose review ran out: they ask before they start."""
    today = day_of(SystemClock().now())
    found = [f"{book.name}: {stale}" for book in configuration.runbooks.values() if (stale := unreviewed(book, today))]
    if found:
        remedy = "read each, mend it, write the new date as `reviewed`; until then a run of it asks before it starts"
        return Check("reviews", Finding.NOTE, "; ".join(found), remedy)
    return Check("reviews", Finding.SOUND, "no runbook is overdue")


def _reached(settings: Settings) -> Check:
    found = unreached(settings)
    if found:
        said = f"{len(found)} {'policies' if len(found) > 1 else 'policy'} at times: {found[0].message}"
        return Check("on call", Finding.FAULT, said, "`fireline check` shows each, and how to mend it")
    return Check("on call", Finding.SOUND, f"somebody is reached whenever a rule can page in the next {DAYS} days")


def _database(settings: Settings) -> tuple[Check, DatabaseStore | None]:
    kind = settings.database.partition(":")[0].partition("+")[0]
    try:
        store = open_store(settings.database)
        store.ping()
    except Exception as fault:  # whatever it is, the other checks go on
        said = str(fault) if isinstance(fault, Unavailable) else f"{type(fault).__name__}: {fault}"
        return Check("database", Finding.FAULT, said, DATABASE_REMEDY), None
    return Check("database", Finding.SOUND, f"{kind} answers and is up to date"), store


def _topics(settings: Settings, configuration: Configuration) -> Check:
    read = [
        f"{topic.name} as {topic.format}" + (", reworded" if topic.fields is not None else "")
        for topic in topics_of(settings, configuration.topics).values()
    ]
    found, odd = f"events come on {'; '.join(read)}", overruled(settings, configuration.topics)
    if odd:
        return Check("topics", Finding.NOTE, f"{found}; {'; '.join(odd)}", "name the topic at one place only")
    return Check("topics", Finding.SOUND, found)


def _kafka(parts: Look, configuration: Configuration | None) -> Check:
    connection = connection_of(parts)
    configured = configuration.topics if configuration is not None else {}
    differences = examine(connection, topics_of_fireline(topics_of(parts.settings, configured))).found
    missing = sorted(difference.topic for difference in differences if difference.missing)
    if missing:
        remedy = "`fireline stream` creates them where it may; otherwise `fireline topics create`"
        return Check(
            "kafka", Finding.NOTE, f"{connection.bootstrap} answers; missing topics: {', '.join(missing)}", remedy
        )
    if differences:
        found = "; ".join(f"{d.topic} has {d.found}, wanted {d.wanted}" for d in differences)
        finding = Finding.FAULT if worst(differences) is Weight.WRONG else Finding.NOTE
        return Check("kafka", finding, found, "`fireline topics check` says why, and how to mend each")
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


def _told_by_roles(seen: Look, configuration: Configuration | None) -> Iterator[Check]:
    known = Fixed(configuration or Configuration({}, {}, Catalog({}, {}, {}, ()), OnCall()))
    health = read_health(seen.store, known, seen.clock)
    for fact, age in health.ages.items():
        yield _role(fact, age)
    yield _events(health)
    yield _pages(seen, health)
    yield _stops(health)
    yield _reach(seen, known.current)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A configuration that does not change while it is looked at."""

    current: Configuration


def _role(fact: str, age: float | None) -> Check:
    name = NAME[fact]
    if age is None:
        return Check(name, Finding.FAULT, "has not been heard of", f"start `fireline up`, or `fireline {name}`")
    if age > LATE[fact]:
        return Check(name, Finding.FAULT, f"was last heard of {age:.0f} s ago", "does its process run? see its log")
    return Check(name, Finding.SOUND, f"heard of {age:.0f} s ago")


def _events(health: Health) -> Check:
    behind, dead = health.number(STREAM_FACT, "lag_seconds"), health.facts.get(STREAM_FACT, {}).get("dead")
    if behind is not None and behind > BEHIND:
        return Check("events", Finding.FAULT, f"judged {behind:.0f} s late", "is the worker fast enough? start another")
    read = health.number(STREAM_FACT, "events") or 0
    if isinstance(dead, dict) and dead:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dead.items()))
        found = f"{read:.0f} judged; dead letters since the start: {reasons}"
        return Check("events", Finding.NOTE, found, "`fireline dead-letter ls` (topic fireline.dead-letter) has each")
    return Check("events", Finding.SOUND, f"{read:.0f} judged, no dead letters")


def _pages(seen: Look, health: Health) -> Check:
    now = seen.clock.now()
    with seen.store.reading() as tx:
        incidents = tx.incidents(open_only=True, limit=1000)
    late = [
        f"page {page.number} of {incident.id} to {page.person} ({_tries(page)})"
        for incident in incidents
        for page in incident.pages
        if page.status is PageStatus.SENDING and now - page.at > UNDELIVERED
    ]
    if late:
        more = f" and {len(late) - 3} more" if len(late) > 3 else ""
        found = f"not delivered yet: {', '.join(late[:3])}{more}"
        return Check("pages", Finding.FAULT, found, "mend the channel that fails; it is tried again until it works")
    return Check("pages", Finding.SOUND, f"none waits; {health.outbox} effects in the outbox")


def _stops(health: Health) -> Check:
    if not health.stops:
        return Check("stop switch", Finding.SOUND, "not pulled: runbooks may act")
    held = f"; {health.held} runs are held" if health.held else ""
    found = "; ".join(str(stop) for stop in health.stops) + held
    return Check("stop switch", Finding.NOTE, found, "`fireline stop --lift` lets runs go on")


def _reach(seen: Look, configuration: Configuration) -> Check:
    """Whose reach was proven by `fireline notify test`, and how long ago."""
    people, on = configuration.catalog.people.values(), configured_channels(seen.settings)
    with seen.store.reading() as tx:
        found = standing(tx, people, on, seen.clock.now())
    odd = [each for each in found if not each.sound]
    if not found:
        return Check("reach", Finding.NOTE, "no contact is on a channel that can prove it", "docs/how-to/channels.md")
    if not odd:
        return Check("reach", Finding.SOUND, f"all {len(found)} contacts were proven within 90 days")
    shown = "; ".join(f"{each.person} on {each.channel} {each.words}" for each in odd[:5])
    more = f"; and {len(odd) - 5} more" if len(odd) > 5 else ""
    failed = next((each for each in odd if each.failed), None)
    remedy = f"`fireline notify test {(failed or odd[0]).person}` says what happens on each channel"
    return Check("reach", Finding.FAULT if failed else Finding.NOTE, shown + more, remedy)


def _tries(page: Page) -> str:
    return ", ".join(f"{a.channel} {a.state} {a.detail}".strip() for a in page.attempts) or "not tried yet"
