"""An acknowledgement stops every channel, in real time and on real servers: nothing new goes out, what went is told.

How long it takes is measured by `benchmarks/bench_acknowledgements.py`; here it counts that it happens, and in order.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.incidents import Acknowledge, PageStatus
from fireline.domain.outcomes import Done
from tests.engine.respond_world import eventually
from tests.integration.in_flight import House, house
from tests.servers.hooks import Broken
from tests.servers.slack import ANN, LocalSlack

PATIENCE = 120.0
pytestmark = [pytest.mark.slack, pytest.mark.timeout(400)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseStore]:
    shared = request.param == "postgresql"
    opened = open_store(request.getfixturevalue("postgres_url") if shared else f"sqlite:///{tmp_path / 'one.db'}")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def at_work(store: DatabaseStore, local_slack: LocalSlack) -> AsyncIterator[House]:
    async with house(store, local_slack) as found:
        yield found


async def test_an_acknowledgement_stops_every_channel_and_tells_who_was_asked(at_work: House) -> None:
    at_work.fires()
    await eventually(at_work.under_way, PATIENCE)
    reply = at_work.responder.handle(Acknowledge(1, "ann", "slack")).reply
    assert "is yours" in reply
    tried, pages = len(at_work.receiver.calls), _pages(at_work)
    await eventually(lambda: at_work.backlog() == 0, PATIENCE)  # it would never end, were they tried on
    assert len(at_work.receiver.calls) <= tried + 2, "no more than the two that may have been on their way"
    assert at_work.receiver.taken == []
    assert _pages(at_work) == pages, "nobody is paged after it"
    _told_everywhere(at_work)
    states = {page.person: page.attempts[-1].state for page in at_work.incident().pages}
    assert {name for name, state in states.items() if state == "withdrawn"} == {"dan", "fay"}
    escalation = at_work.incident().escalation
    assert escalation is not None
    assert escalation.due_at is None, "eve is never asked"
    assert {page.person for page in at_work.incident().pages} == {"ann", "ben", "cleo", "dan", "fay"}


def _pages(at_work: House) -> list[str]:
    """Where pages arrived, changes of them left out."""
    return [m.address for _, _, m, how in at_work.done if m.kind == "page" and m.edit is None and isinstance(how, Done)]


def _told_everywhere(at_work: House) -> None:
    [events] = at_work.alerts.pagerduty.values()
    assert [event["event_action"] for event in events][-1] == "acknowledge"
    [page, *_, told] = at_work.mails.taken
    assert told["References"] == page["Message-ID"]
    assert "Ann" in told.get_body().get_content(), "the mail says who has it"
    [card] = [m for m in at_work.slack.messages() if m.get("blocks")]
    assert "fireline:acknowledge" not in str(card), "nobody can take it twice"
    assert "Ann" in str(card)
    [direct] = at_work.slack.messages(ANN)
    assert "fireline:acknowledge" not in str(direct)


async def test_what_arrives_although_it_was_taken_meanwhile_is_brought_up_to_date(at_work: House) -> None:
    at_work.receiver.broken.clear()
    at_work.receiver.next(*[Broken(accepted=True, hang=True)] * 2)  # taken at once, answered later
    at_work.fires()
    await eventually(lambda: len(at_work.receiver.taken) == 2, PATIENCE)
    at_work.responder.handle(Acknowledge(1, "ben", "pagerduty"))
    at_work.receiver.hanging.set()
    await eventually(lambda: at_work.backlog() == 0 and len(at_work.receiver.taken) >= 4, PATIENCE)
    for name in ("dan", "fay"):
        types = [call.body["type"] for call in at_work.receiver.taken if call.path == f"/hook/{name}"]
        statuses = [call.body["data"]["status"] for call in at_work.receiver.taken if call.path == f"/hook/{name}"]
        assert set(types[1:]) == {"page.updated"}, "once as a page, then told"
        assert statuses[-1] == "acknowledged"
    assert {page.status for page in at_work.incident().pages if page.person == "ben"} == {PageStatus.ACKNOWLEDGED}
