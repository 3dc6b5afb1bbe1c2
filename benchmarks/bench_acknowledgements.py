"""How soon an acknowledgement stops every channel: from the decision to the last effect on Slack, mail and PagerDuty.

Real time, the real store, responder and channels, in one process; a local Slack, a mail server and an HTTP server of
this machine. Each incident has a card and three pages that arrived, and two webhooks that are tried again and again, as
their receiver answers 503. One person acknowledges; the figures are the time until the last of card, pages and alert
says so, and until nothing is left to do: the lines of the thread come last, as Slack takes one a second of a room.
A page that goes out after it, a new attempt at a webhook but the two that may be on their way, or a next level that
stays armed ends it with an error.

python benchmarks/bench_acknowledgements.py [--quick] [--json] [--only sqlite|postgresql]
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import open_store
from fireline.domain.incidents import Acknowledge
from fireline.domain.outcomes import Done
from harness import ROOT, Figure, percentile, report

sys.path.insert(0, str(ROOT))
from tests.engine.respond_world import eventually
from tests.integration.in_flight import OUT_OF_ORDER, House, house
from tests.servers import slack
from tests.servers.ports import free_port
from tests.servers.postgres import running_postgres

LIMIT = 1000.0
"""Milliseconds within which an acknowledgement is to stop every channel."""
PATIENCE = 60.0


@contextmanager
def local_slack(home: Path) -> Iterator[slack.LocalSlack]:
    """A local Slack until the block ends."""
    port = free_port()
    process = slack.run(slack.binary(ROOT), home, port)
    try:
        yield slack.LocalSlack(f"http://127.0.0.1:{port}")
    finally:
        slack.end(process)


async def one(at_work: House, number: int) -> tuple[float, float]:
    """Milliseconds from an acknowledgement to the last message that says so, and to the end of all there is to do."""
    at_work.done.clear()
    at_work.receiver.next(*[OUT_OF_ORDER] * 100)
    found = at_work.fires(region=f"r{number}")
    await eventually(at_work.under_way, PATIENCE)
    tried = len(at_work.receiver.calls)
    began = SystemClock().now()
    await asyncio.to_thread(at_work.responder.handle, Acknowledge(found.number, "ann", "slack"))
    await eventually(lambda: at_work.backlog() == 0, PATIENCE)
    after = [(at, name, m) for at, name, m, how in at_work.done if at > began and isinstance(how, Done)]
    assert not [name for _, name, m in after if m.kind == "page" and m.edit is None], "a page went out after it"
    assert {name for _, name, m in after if m.edit is not None} == {"slack", "email", "pagerduty"}, "all are told"
    assert len(at_work.receiver.calls) <= tried + 2, "a webhook was tried again"
    escalation = at_work.incident(found.number).escalation
    assert escalation is not None
    assert escalation.due_at is None, "the next level is still to be asked"
    told = max(at for at, _, message in after if message.edit is not None)
    return 1000 * (told - began), 1000 * (max(at for at, _, _ in after) - began)


async def trial(url: str, home: Path, count: int) -> list[tuple[float, float]]:
    """So many incidents, one after the other, on one database."""
    store = open_store(url)
    try:
        with local_slack(home) as workspace:
            async with house(store, workspace) as at_work:
                return [await one(at_work, number) for number in range(count)]
    finally:
        store.close()


def measured(name: str, url: str, home: Path, *, quick: bool) -> Iterator[Figure]:
    """The figures of one database."""
    home.mkdir()
    told, quiet = zip(*asyncio.run(trial(url, home, 1 if quick else 20)), strict=True)
    yield Figure(f"{name}: acknowledged until all are told, p50", percentile(told, 0.5), "ms")
    yield Figure(f"{name}: acknowledged until all are told, max", max(told), "ms", "planned", LIMIT)
    yield Figure(f"{name}: acknowledged until the thread has its last line, p50", percentile(quiet, 0.5), "ms")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one incident")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if given.only != "postgresql":
            found += measured("sqlite", f"sqlite:///{home}/one.db", home / "sqlite", quick=given.quick)
        if given.only != "sqlite":
            with running_postgres() as server:
                found += measured("postgresql", server.new_database(), home / "postgresql", quick=given.quick)
    report("An acknowledgement stops every channel", found, in_json=given.json)


if __name__ == "__main__":
    main()
