"""The work behind `fireline dead-letter replay`: from options and files to a run, and what is said of it."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka import Refused as BrokerRefused
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topic_states import topic_states
from fireline.apps.audit_keys import keys_of
from fireline.apps.bootstrap import settings_with, store_of, system_user
from fireline.apps.dead_letter_commands import kafka
from fireline.apps.dead_letter_mending import AsOf, CannotMend, Edit, Mended, edits_of, from_line, mend, then
from fireline.apps.dead_letter_planning import Done, Planner, Refuse, Send, Wish
from fireline.apps.dead_letter_replay import Outcome, Replay, Sent
from fireline.apps.dead_letter_said import outcome_json, outcome_lines
from fireline.apps.dead_letter_shapes import line_of
from fireline.apps.dead_letter_verdict import Judge
from fireline.apps.dead_letters import Chosen, Letter, Place, chosen, place_of, since_of
from fireline.apps.event_topics import configured_topics, formats_of
from fireline.apps.faults import Refused
from fireline.apps.output import err, say
from fireline.apps.settings import Settings
from fireline.domain.audit_acts import By, of_change
from fireline.engine.ports import Unavailable

_SHOWN = 20
_TIMES: Mapping[str, AsOf] = {"record": "record", "arrival": "arrival", "now": "now"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line said."""

    places: Sequence[str] = ()
    reasons: Sequence[str] = ()
    topics: Sequence[str] = ()
    since: str | None = None
    everything: bool = False
    limit: int | None = None
    sets: Sequence[str] = ()
    unsets: Sequence[str] = ()
    renames: Sequence[str] = ()
    as_of: str = "record"
    file: Path | None = None
    to: str | None = None
    dry_run: bool = False
    force: bool = False
    again: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Teller:
    """Prints outcomes and counts them. Of many that were not sent, the first twenty are told."""

    as_json: bool
    dry: bool
    strict: bool
    counts: Counter[str] = field(default_factory=Counter)

    def tell(self, outcome: Outcome) -> None:
        """One letter's outcome."""
        kind = _kind(outcome)
        self.counts[kind] += 1
        if self.as_json:
            sys.stdout.write(line_of(outcome_json(outcome)) + "\n")
        elif self.dry or self.strict or (kind == "refused" and self.counts[kind] <= _SHOWN):
            for line in outcome_lines(outcome, dry=self.dry):
                say(line)

    @property
    def code(self) -> int:
        """0 when all that was asked for was sent, or would be."""
        return 1 if self.counts["refused"] or (self.strict and not self.counts["sent"]) else 0

    @property
    def summary(self) -> str:
        """One line at the end."""
        sent = "would be sent" if self.dry else "sent"
        parts = [f"{self.counts['sent']} {sent}", f"{self.counts['refused']} refused"]
        if self.counts["done"]:
            parts.append(f"{self.counts['done']} replayed before")
        return ", ".join(parts)


def _kind(outcome: Outcome) -> str:
    match outcome:
        case Sent() | Send():
            return "sent"
        case Refuse():
            return "refused"
        case Done():
            return "done"


def run(asked: Asked) -> int:
    """Replay; 0 when all that was asked for was sent (or would be), 1 otherwise."""
    clock = SystemClock()
    settings = settings_with()
    edits = edits_of(asked.renames, asked.unsets, asked.sets)
    as_of = _as_of(asked.as_of)
    lines = {} if asked.file is None else read_lines(asked.file)
    wanted = _wanted(asked, lines, clock.now())
    formats = formats_of(settings, configured_topics(settings))
    judge = Judge(formats, settings.allowed_lateness, settings.future_bound)
    if asked.to is not None and asked.to not in judge.formats:
        raise Refused(
            f"no stream worker reads events from {asked.to[:80]!r}; choose {', '.join(sorted(judge.formats))}"
        )
    connection = kafka()
    wish = Wish(edits, as_of, asked.to, asked.force, asked.again)
    planner = Planner(judge, wish, clock.now(), appended_topics(connection, judge.formats))
    teller = Teller(asked.as_json, asked.dry_run, bool(asked.places))
    mending = mender(lines, edits, as_of, clock.now())
    replay = Replay(connection, clock, planner, mending, teller.tell, asked.dry_run, asked.limit)
    try:
        asyncio.run(replay.run(wanted))
    except BrokerRefused as fault:
        raise Refused(f"the broker refuses a record for ever: {fault}") from fault
    except Unavailable as fault:
        told = f"{teller.summary}; then: {fault}\nRun it again: what arrived is found, and not sent twice"
        raise Unavailable(told) from fault
    if not teller.counts:
        raise Refused("no dead letter is chosen; `fireline dead-letter ls --all` lists those that are kept")
    say(teller.summary, to=err())
    if teller.counts["sent"] and not asked.dry_run:
        put_down(settings, teller.summary, _chosen(asked, teller), clock.now())
    return teller.code


def _chosen(asked: Asked, teller: Teller) -> dict[str, object]:
    chosen_by = {"places": asked.places[:100], "reasons": asked.reasons, "topics": asked.topics, "since": asked.since}
    return {**{name: value for name, value in chosen_by.items() if value}, "counts": dict(teller.counts)}


def put_down(settings: Settings, summary: str, what: Mapping[str, object], now: float) -> None:
    """Tell the audit of a replay. Letters are replayed while the database is away too, and then that is said."""
    act = of_change(
        "dead-letters.replayed",
        "dead-letters",
        (None, what),
        By(system_user() or "somebody", "command line", now, summary),
    )
    try:
        with contextlib.closing(store_of(settings, keys_of(settings))) as store, store.transaction() as tx:
            tx.record(act)
    except (Unavailable, Refused) as fault:
        say(f"the replay is not in the audit: {fault}", to=err())


def _as_of(text: str) -> AsOf:
    if text not in _TIMES:
        raise Refused(f"found --as-of {text[:40]!r}; expected record, arrival or now")
    return _TIMES[text]


def _wanted(asked: Asked, lines: Mapping[Place, object], now: float) -> Chosen:
    wanted = chosen(asked.places, asked.reasons, asked.topics, since_of(asked.since, now))
    if not wanted and not lines and not asked.everything:
        raise Refused(
            "nothing is chosen: name places, or --reason, --topic, --since, --from-file, or --all for every dead letter"
        )
    return wanted


def appended_topics(connection: Connection, topics: Mapping[str, object]) -> frozenset[str]:
    """Topics whose records get the broker's time instead of ours, as far as the broker tells."""
    try:
        states = topic_states(connection, topics)
    except Unavailable:
        return frozenset()
    return frozenset(
        name for name, state in states.items() if state.configuration.get("message.timestamp.type") == "LogAppendTime"
    )


def mender(
    lines: Mapping[Place, Mapping[str, object]], edits: Sequence[Edit], as_of: AsOf, now: float
) -> Callable[[Letter], Mended | CannotMend | None]:
    """What makes of a letter the record to send; None for a letter that is not in the file, when there is one."""

    def mending(letter: Letter) -> Mended | CannotMend | None:
        if lines and letter.where not in lines:
            return None
        try:
            if not lines:
                return mend(letter, edits, as_of, now)
            return then(from_line(letter, lines[letter.where]), edits, as_of, now)
        except CannotMend as fault:
            return fault

    return mending


def read_lines(path: Path) -> dict[Place, Mapping[str, object]]:
    """The lines of an edited `ls --json`, by the place of their dead letters; raises Refused naming line and fault."""
    found: dict[Place, Mapping[str, object]] = {}
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    where, line = _line(path, number, text)
                    found[where] = line
    except OSError as fault:
        raise Refused(f"{path} cannot be read: {fault.strerror}") from fault
    if not found:
        raise Refused(f"{path} holds no line; edit the output of `fireline dead-letter ls --json`")
    return found


def _line(path: Path, number: int, text: bytes) -> tuple[Place, Mapping[str, object]]:
    try:
        line = json.loads(text)
    except ValueError as fault:
        raise Refused(f"{path}:{number}: found no JSON: {fault}; expected one line of `ls --json`") from fault
    if not isinstance(line, dict) or not isinstance(line.get("letter"), str):
        raise Refused(f"{path}:{number}: found no `letter`; expected one line of `ls --json`, with all its fields")
    return place_of(line["letter"]), line
