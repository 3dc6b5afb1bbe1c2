"""A Slack that is limited, broken, cut off and slow for half of what it is asked: no page is lost, few are doubled.

Of all requests that send a message or look for one, 30 % are put off (429), 10 % fail (5xx), 5 % are taken and the
connection dropped, 5 % are taken and never answered; chosen by a seeded generator. What is counted is what Slack holds.
Run it with -s to see the figures.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fireline.channels.slack import Slack, SlackSettings
from fireline.domain.catalog import Catalog, Person, Service, Team
from fireline.domain.incidents import PageStatus
from fireline.domain.oncall import OnCall
from fireline.domain.outcomes import Failed, Outcome
from fireline.engine.outward import Message
from tests.domain.deciding_world import SEVERITIES, policy, target
from tests.engine.respond_world import Desk, eventually
from tests.engine.respond_world import running as at_work
from tests.faults.page_trials import member, people
from tests.servers.ports import free_port
from tests.servers.slack import BOT_TOKEN, LocalSlack, binary, end, run
from tests.servers.slack_proxy import Fault, SlackProxy, limited, running

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
PAGES, PEOPLE = (1000, 100) if LONG else (12, 12)
PATIENCE = 1500.0 if LONG else 120.0
ANSWER_IN = 2.0 if LONG else 3.0
"""Seconds that the channel waits for an answer: who hears none does not hear either that it is to wait."""
ASKED = ("chat.postMessage", "conversations.history", "conversations.open")

pytestmark = [pytest.mark.slow, pytest.mark.slack, pytest.mark.timeout(PATIENCE + 60)]


@dataclass
class Storm:
    """What happens to requests; `early` are those that came before a Retry-After was over."""

    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    closed: dict[tuple[str, str], float] = field(default_factory=dict)
    early: list[str] = field(default_factory=list)

    def __call__(self, method: str, body: dict[str, Any]) -> Fault | None:
        if method not in ASKED:
            return None
        self.counts[f"{method} calls"] += 1
        now = asyncio.get_running_loop().time()
        room = (method, str(body.get("channel") or body.get("users")))
        if now < self.closed.get(room, 0.0) - 0.01:
            self.early.append(f"{room} asked {self.closed[room] - now:.2f} s early")
        return self._chosen(room, self.dice.random(), now)

    def _chosen(self, room: tuple[str, str], dice: float, now: float) -> Fault | None:
        sends = room[0] == "chat.postMessage"
        if dice < 0.30:
            seconds = self.dice.choice((1, 1, 2))
            self.closed[room] = now + seconds
            self.counts["put off"] += 1
            return limited(seconds)
        if dice < 0.40:
            self.counts["failed"] += 1
            return Fault(status=self.dice.choice((500, 502, 503)))
        if dice < 0.45:
            self.counts["dropped" if sends else "look dropped"] += 1
            return Fault(accepted=True, drop=True)
        if dice < 0.50:
            self.counts["hung" if sends else "look hung"] += 1
            return Fault(accepted=True, seconds=ANSWER_IN + 1.0)
        return None


class Doubting(Slack):
    """Counts what it does not know the end of: on a slow machine that may be more than was cut off on purpose."""

    doubts = 0

    async def deliver(self, message: Message) -> Outcome:
        try:
            outcome = await super().deliver(message)
        except asyncio.CancelledError:
            self.doubts += 1
            raise
        self.doubts += isinstance(outcome, Failed) and outcome.unknown
        return outcome


@pytest_asyncio.fixture
async def slack(repository: Path, tmp_path: Path) -> AsyncIterator[SlackProxy]:
    port = free_port()
    process = run(binary(repository), tmp_path, port, [member(person) for person in people(PEOPLE)])
    try:
        async with running(LocalSlack(f"http://127.0.0.1:{port}")) as proxy:
            yield proxy
    finally:
        end(process)


def house(folder: Path, slack: SlackProxy) -> tuple[Desk, Doubting]:
    """Each page is of a service of its own, so of an incident of its own; people can be reached on Slack alone."""
    names = people(PEOPLE)
    catalog = Catalog(
        {f"service-{n}": Service(f"service-{n}", names[n % PEOPLE]) for n in range(PAGES)},
        {p: Team(p, f"Team {p}", p, (p,), {}) for p in names},
        {p: Person(p, f"Person {p}", {"slack": member(p)}) for p in names},
        SEVERITIES,
        default_team=names[0],
    )
    oncall = OnCall({}, {p: policy(p, [target("person", p)], wait=86_400.0) for p in names})
    desk = Desk(folder, real_time=True, catalog=catalog, oncall=oncall)
    known = desk.settings.current
    desk.settings.current = replace(known, response=replace(known.response, storm=0.0))  # each page is its own message
    settings = SlackSettings(bot_token=BOT_TOKEN, base_url=slack.api, timeout=ANSWER_IN, posts_per_second=1000.0)
    channel = desk.channels["slack"] = Doubting(settings, desk.clock)
    return desk, channel


async def test_a_slack_that_fails_half_the_time_loses_no_page_and_doubles_few(
    slack: SlackProxy, tmp_path: Path
) -> None:
    desk, channel = house(tmp_path, slack)
    storm = slack.weather = Storm(random.Random(20261121))
    began = desk.clock.now()
    async with at_work(desk.performer()):
        for number in range(PAGES):
            await asyncio.to_thread(desk.fires, service=f"service-{number}")
        await eventually(lambda: desk.backlog() == 0, within=PATIENCE)
    took = desk.clock.now() - began
    await channel.close()
    wanted = {
        f"inc-{incident.number}/page-{page.number}/slack"
        for incident in desk.responder.incidents(limit=10_000)
        for page in incident.pages
        if page.status is PageStatus.DELIVERED
    }
    desk.store.store.close()
    found = Counter(str(each["event_payload"]["key"]) for each in slack.metadata.values())
    doubled = sum(found[key] - 1 for key in found)
    lost = wanted - set(found)
    said = ", ".join(f"{count} {name}" for name, count in sorted(storm.counts.items()))
    print(f"\n{len(wanted)} pages in {took:.0f} s; {said}")
    print(f"lost {len(lost)}, in doubt {channel.doubts}, doubled {doubled}, early {len(storm.early)}")
    assert len(wanted) == PAGES
    assert lost == set(), "no page is lost"
    assert doubled <= channel.doubts, "only what was in doubt is there twice"
    assert storm.early == [], "nobody asks again before Retry-After is over"
    assert storm.counts["put off"] > 0
