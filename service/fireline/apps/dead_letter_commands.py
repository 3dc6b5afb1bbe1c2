"""The work behind `fireline dead-letter ls` and `show`."""

import asyncio
import os
import sys
from collections import Counter, deque

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka_connection import Connection
from fireline.apps.bootstrap import kafka_alone, settings_with
from fireline.apps.dead_letter_marks import Ledger
from fireline.apps.dead_letter_reading import read_ledger, read_letters
from fireline.apps.dead_letter_said import HEAD, row, state, summary, told, whole
from fireline.apps.dead_letter_shapes import line_of
from fireline.apps.dead_letters import Chosen, Letter, Repeats, chosen, place_of, since_of
from fireline.apps.faults import Refused
from fireline.apps.output import err, print_json, say, table

ROWS = 50
"""Lines of the table unless more are asked for."""


def kafka() -> Connection:
    """The configured Kafka, or the broker of the running `fireline up`; raises what `faults.told` knows how to tell."""
    return kafka_alone(settings_with())


def ls(
    *, reasons: list[str], topics: list[str], since: str | None, limit: int | None, everything: bool, as_json: bool
) -> int:
    """List dead letters, the newest last, and count them by reason."""
    wanted = chosen([], reasons, topics, since_of(since, SystemClock().now()))
    try:
        return asyncio.run(_ls(kafka(), wanted, limit, everything, as_json))
    except BrokenPipeError:  # whoever reads us, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def _ls(connection: Connection, wanted: Chosen, limit: int | None, everything: bool, as_json: bool) -> int:
    ledger, repeats = await read_ledger(connection, wanted.since), Repeats()
    counts: Counter[str] = Counter()
    replayed = 0
    rows: deque[Letter] = deque(maxlen=limit or (None if as_json else ROWS))
    straight = as_json and limit is None  # nothing is held back, so nothing has to be kept in memory
    async for letter in read_letters(connection, wanted, repeats):
        if not everything and state(letter, ledger) == "replayed":
            replayed += 1
            continue
        counts[letter.reason] += 1
        if straight:
            _print_line(letter, ledger)
        else:
            rows.append(letter)
    _print_rows(rows, ledger, as_json)
    shown = sum(counts.values()) if straight else len(rows)
    say(summary(counts, shown, repeats.count, replayed), to=err())
    return 0


def _print_rows(rows: "deque[Letter]", ledger: Ledger, as_json: bool) -> None:
    ordered = sorted(rows, key=lambda letter: letter.at)
    if as_json:
        for letter in ordered:
            _print_line(letter, ledger)
    elif ordered:
        table(HEAD, [row(letter, ledger) for letter in ordered], "")


def _print_line(letter: Letter, ledger: Ledger) -> None:
    sys.stdout.write(line_of(told(letter, ledger)) + "\n")


def show(place: str, as_json: bool) -> int:
    """Show the dead letters of one record; raises Refused when there are none."""
    asked = place_of(place)
    letters, ledger = asyncio.run(_find(kafka(), Chosen(frozenset({asked}))))
    if not letters:
        raise Refused(f"there is no dead letter {place}; `fireline dead-letter ls --all` lists those that are kept")
    if as_json:
        print_json([told(letter, ledger) for letter in letters])
        return 0
    for number, letter in enumerate(letters):
        if number:
            say("")
        for line in whole(letter, ledger):
            say(line)
    return 0


async def _find(connection: Connection, wanted: Chosen) -> tuple[list[Letter], Ledger]:
    ledger = await read_ledger(connection)
    return [letter async for letter in read_letters(connection, wanted, Repeats())], ledger
