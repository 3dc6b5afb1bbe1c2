"""Reading the topic of dead letters: the marks of replays first, then the letters, each once."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_reading import read_topic
from fireline.adapters.kafka_topics import DEAD_LETTER
from fireline.apps.dead_letter_marks import Ledger, is_mark, mark_of
from fireline.apps.dead_letters import Chosen, Letter, Repeats, letter_of


async def read_ledger(connection: Connection, since: float | None = None) -> Ledger:
    """What was replayed. A mark is never older than its letters, so `since` of the letters will do."""
    ledger = Ledger()
    async with aclosing(read_topic(connection, DEAD_LETTER, since=since)) as records:
        async for record in records:
            mark = mark_of(record)
            if mark is not None:
                ledger.take(mark)
    return ledger


async def read_letters(connection: Connection, wanted: Chosen, repeats: Repeats) -> AsyncGenerator[Letter, None]:
    """The chosen letters, oldest first within a partition; what says the same of the same record comes once."""
    async with aclosing(read_topic(connection, DEAD_LETTER, since=wanted.since)) as records:
        async for record in records:
            if is_mark(record):
                continue
            letter = letter_of(record)
            if wanted.takes(letter) and not repeats.knows(letter):
                yield letter
