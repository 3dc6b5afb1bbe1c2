"""The work behind `fireline topics`: what the broker has, what is wrong with it, and making it right on request."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import LogEnds
from fireline.adapters.kafka_topic_states import TopicState, broker_count, grow, make_topic, set_options, topic_states
from fireline.adapters.kafka_topics import REPLAY, Topic, ensure_topics, topics_of_fireline
from fireline.apps.bootstrap import settings_with
from fireline.apps.dead_letter_commands import kafka
from fireline.apps.event_topics import configured_topics, topics_of
from fireline.apps.output import err, out, print_json, say, table
from fireline.apps.settings import Settings
from fireline.apps.topics_check import OWN, Difference, Weight, differences, told, worst

PARTITIONS = 4
"""Partitions of a topic that is created, unless told otherwise."""

EMBEDDED = (
    "This is the embedded broker: every topic has 4 partitions, keeps about 5 MB or 100,000 records a partition in"
    " memory, and compacts nothing. There is nothing to set."
)


def wanted_topics(settings: Settings, partitions: int | None = None) -> list[Topic]:
    """All topics that Fireline reads and writes here, as they should be."""
    events = [*topics_of(settings, configured_topics(settings)), REPLAY]
    return topics_of_fireline(events, partitions or PARTITIONS)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found on the broker."""

    connection: Connection
    wanted: Sequence[Topic]
    states: dict[str, TopicState]
    found: Sequence[Difference]


def examine(connection: Connection, wanted: Sequence[Topic], partitions: int | None = None) -> Examined:
    """Compare; raises `Unavailable`. Of the embedded broker only what is missing can be said."""
    states = topic_states(connection, [topic.name for topic in wanted])
    brokers = broker_count(connection)
    found = differences(wanted, states, brokers=brokers, partitions=partitions)
    if connection.embedded:
        found = [difference for difference in found if difference.missing]
    return Examined(connection, wanted, states, found)


def check(partitions: int | None, as_json: bool) -> int:
    """Tell every difference; 1 when something is wrong."""
    seen = examine(kafka(), wanted_topics(settings_with(), partitions), partitions)
    if as_json:
        print_json([_told(difference, seen.connection) for difference in seen.found])
    else:
        _print(seen)
    return 1 if worst(seen.found) is Weight.WRONG else 0


def _told(difference: Difference, connection: Connection) -> dict[str, object]:
    return {
        "topic": difference.topic,
        "weight": difference.weight.value,
        "found": difference.found,
        "wanted": difference.wanted,
        "why": difference.why,
        "remedy": difference.remedy(connection.bootstrap),
        "fixable": difference.fixable,
    }


def _print(seen: Examined) -> None:
    if seen.connection.embedded:
        say(EMBEDDED, to=err())
    missing = [difference.topic for difference in seen.found if difference.missing]
    if missing:
        say(f"missing: {', '.join(missing)}", "bold red")
        say("  -> fireline topics create", "dim")
    for difference in seen.found:
        if difference.missing:
            continue
        style = "bold red" if difference.weight is Weight.WRONG else "yellow"
        say(f"{difference.topic}: {difference.weight}: {difference.found}, wanted {difference.wanted}", style)
        say(f"  {difference.why}")
        say(f"  -> {difference.remedy(seen.connection.bootstrap)}", "dim")
    wrong = sum(difference.weight is Weight.WRONG for difference in seen.found)
    notes = len(seen.found) - wrong
    say(f"{len(seen.wanted)} topics looked at: {wrong} differences, {notes} notes", to=err())


def ls(as_json: bool) -> int:
    """List the topics as the broker has them."""
    connection = kafka()
    wanted = wanted_topics(settings_with())
    states = topic_states(connection, [topic.name for topic in wanted])
    counts = asyncio.run(_records(connection, states.values()))
    rows = [_row(topic, states.get(topic.name), counts) for topic in wanted]
    if as_json:
        print_json(rows)
        return 0
    head = ("topic", "for", "partitions", "replicas", "records", "kept", "min in sync", "largest record")
    table(head, [tuple(row.values()) for row in map(_shown, rows)], "There are no topics")
    if connection.embedded:
        say(EMBEDDED, to=err())
    return 0


async def _records(connection: Connection, states: Iterable[TopicState]) -> dict[str, int]:
    """How many offsets each topic holds: records, and what compaction or transactions left between them."""
    places = [(state.name, number) for state in states for number in range(state.partitions)]
    ends = LogEnds(connection)
    try:
        first, last = await ends.beginnings(places), await ends.ends(places)
    finally:
        await ends.close()
    counts: dict[str, int] = {}
    for name, number in places:
        counts[name] = counts.get(name, 0) + last[name, number] - first[name, number]
    return counts


def _row(topic: Topic, state: TopicState | None, counts: dict[str, int]) -> dict[str, object]:
    has = state.configuration if state is not None else {}
    return {
        "topic": topic.name,
        "for": "Fireline" if topic.name in OWN else "recordings" if topic.name == REPLAY else "events",
        "partitions": state.partitions if state is not None else None,
        "replicas": state.replication if state is not None else None,
        "records": counts.get(topic.name),
        "cleanup_policy": has.get("cleanup.policy"),
        "retention_ms": _number(has.get("retention.ms")),
        "min_insync_replicas": _number(has.get("min.insync.replicas")),
        "max_message_bytes": _number(has.get("max.message.bytes")),
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _shown(row: dict[str, object]) -> dict[str, object]:
    """The same for people: `-` for what is not known, one column for how records are kept."""
    policy, retention = row["cleanup_policy"], row["retention_ms"]
    kept = "the last of each key" if policy == "compact" else told(retention) if isinstance(retention, int) else None
    if row["partitions"] is None:
        kept = "missing"
    names = ("topic", "for", "partitions", "replicas", "records")
    shown = {name: row[name] for name in names} | {"kept": kept}
    shown |= {name: row[name] for name in ("min_insync_replicas", "max_message_bytes")}
    return {name: "-" if value is None else value for name, value in shown.items()}


def create(*, partitions: int | None, replication: int | None, fix: bool, dry_run: bool) -> int:
    """Create what is missing and, with `fix`, mend what is different; 1 when something is wrong afterwards."""
    connection, topics = kafka(), wanted_topics(settings_with(), partitions)
    seen = examine(connection, topics, partitions)
    if connection.embedded:
        return _create_embedded(seen, dry_run)
    wanted = {topic.name: topic for topic in topics}
    failed = 0
    for difference in seen.found:
        if difference.missing or (fix and difference.fixable):
            failed += _mend(connection, wanted[difference.topic], difference, replication, dry_run)
    if dry_run:
        return 0
    left = examine(connection, topics, partitions)
    _print(replace(left, found=[difference for difference in left.found if not difference.missing or failed]))
    return 1 if failed or worst(left.found) is Weight.WRONG else 0


def _create_embedded(seen: Examined, dry_run: bool) -> int:
    say(EMBEDDED, to=err())
    missing = [difference.topic for difference in seen.found]
    if not dry_run:
        ensure_topics(seen.connection, seen.wanted)
    for name in missing:
        say(f"{name}: {'would be made' if dry_run else 'made'} by naming it")
    return 0


def _mend(connection: Connection, topic: Topic, difference: Difference, replication: int | None, dry_run: bool) -> int:
    """Do one change and say so; 1 when the broker refused it."""
    what = _change(topic, difference, replication)
    if dry_run:
        out().print(f"{topic.name}: would {what}", markup=False)
        return 0
    if difference.missing:
        fault = make_topic(connection, topic, replication)
    elif difference.options:
        fault = set_options(connection, topic.name, difference.options)
    else:
        fault = grow(connection, topic.name, difference.partitions)
    say(f"{topic.name}: {f'could not {what}: {fault}' if fault else f'did {what}'}", "bold red" if fault else "")
    return 1 if fault else 0


def _change(topic: Topic, difference: Difference, replication: int | None) -> str:
    if difference.missing:
        copies = f", {replication} replicas" if replication is not None else ""
        return f"create it with {topic.partitions} partition{'s' if topic.partitions != 1 else ''}{copies}"
    if difference.options:
        return "set " + ", ".join(f"{name}={value}" for name, value in difference.options.items())
    return f"grow it to {difference.partitions} partitions"
