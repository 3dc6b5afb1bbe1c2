"""From an event to the page in Slack, and to the route that a gateway sees, with a whole Fireline under load.

    python benchmarks/bench_latency.py [--quick] [--json] [--broker embedded|apache|both] [--load N] [--trials N]

`fireline up` runs on rules of its own; a producer beside it sends events that fire nothing. A trial produces one event
on a service that nobody heard of before, which opens an incident of its own at once (`for: 0s`). The clock starts just
before the event is given to the producer. It stops when the answer of a third-party local Slack, which accepted the
page, passes a thin proxy; for routes, when a gateway that follows `/routes/stream`, and one that polls OFREP every
50 ms, sees the fallback. Prometheus and Alertmanager, where they are installed, get the same trials in the same run.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from confluent_kafka import Producer

from harness import (
    ROOT,
    Figure,
    arguments_of,
    as_json,
    broker,
    eventually,
    percentile,
    process,
    show,
)
from harness_fireline import Fireline, fireline_up
from latency_peers import Peer, prometheus_and_alertmanager
from latency_slack import Desk, desk_before, local_slack
from latency_world import APP_TOKEN, BOT_TOKEN, Place, slack_world, write
from load import SERVICES, TOPIC

EVERY = 0.5
"""Seconds between two trials, give or take a fifth: each would otherwise meet the same moment of every poll."""
PATIENCE = 5.0
"""Seconds after the last trial until what did not arrive counts as lost."""
POLL = 0.05
WARM = 6
"""Trials before those that count."""


@dataclass(slots=True)
class Trial:
    """One event, and when it was seen where (seconds since the epoch)."""

    place: Place
    routes: bool
    produced: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)

    def after(self, what: str) -> float | None:
        """Milliseconds from the event until it was seen there."""
        return (self.seen[what] - self.produced) * 1000.0 if what in self.seen else None


@dataclass(slots=True)
class House:
    """All that runs."""

    fireline: Fireline
    desk: Desk
    peer: Peer | None
    session: aiohttp.ClientSession
    producer: Producer


@asynccontextmanager
async def house(
    home: Path, kind: str, places: Sequence[Place], *, waits: Sequence[str] = ("30m",), peers: bool = True
) -> AsyncIterator[House]:
    """Slack and its proxy, Prometheus and Alertmanager, a broker and a whole Fireline, on files made for `places`."""
    write(home, list(places), waits=list(waits), load=SERVICES)
    async with AsyncExitStack() as held:
        upstream = held.enter_context(local_slack(home, slack_world(list(places))))
        desk = await held.enter_async_context(desk_before(upstream))
        peer = await held.enter_async_context(prometheus_and_alertmanager(home)) if peers else None
        environment = {
            "FIRELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
            "FIRELINE_SLACK_APP_TOKEN": APP_TOKEN,
            "FIRELINE_SLACK_BASE_URL": f"{desk.url}/api/",
        }
        # in a thread, because the proxy has to answer meanwhile
        kafka = await asyncio.to_thread(held.enter_context, broker(kind, home))
        fireline = await asyncio.to_thread(held.enter_context, fireline_up(home, environment | kafka))
        session = await held.enter_async_context(aiohttp.ClientSession())
        producer = Producer({"bootstrap.servers": fireline.bootstrap, "linger.ms": 0, "log_level": 0})
        yield House(fireline, desk, peer, session, producer)


@contextmanager
def load(home: Path, bootstrap: str, rate: int):
    """The background load as a process of its own; nothing at a rate of 0."""
    if not rate:
        yield
        return
    command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), "--kafka", bootstrap, "--rate", str(rate)]
    with process(command, home / "load.log"):
        yield


def produce(house: House, trial: Trial) -> None:
    """The trial's event, with the clock started just before; the same value for Prometheus to scrape."""
    name, value = ("error_share", 0.9) if trial.routes else ("latency_ms", 2500.0)
    service = trial.place.service
    trial.produced = time.time()
    if house.peer is not None:
        house.peer.values[service] = 2500.0
    body = {"type": "metric", "name": name, "value": value, "ts": trial.produced, "labels": {"service": service}}
    house.producer.produce(TOPIC, json.dumps(body).encode(), service)
    house.producer.poll(0)


async def follow_stream(house: House, trials: dict[str, Trial]) -> None:
    """A gateway on `/routes/stream`: notes when it sees a service's fallback."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with house.session.get(f"{house.fireline.url}/routes/stream", timeout=timeout) as stream:
        async for line in stream.content:
            if not line.startswith(b"data:"):
                continue
            at = time.time()
            for route in json.loads(line[5:])["routes"]:
                if "fallback" in route["weights"] and (trial := trials.get(route["service"])) is not None:
                    trial.seen.setdefault("stream", at)


async def poll_flag(house: House, trial: Trial) -> None:
    """A gateway that asks for its service's flag over OFREP every 50 ms."""
    url = f"{house.fireline.url}/ofrep/v1/evaluate/flags/{trial.place.service}"
    end = time.time() + PATIENCE
    while time.time() < end:
        asked = time.monotonic()
        async with house.session.post(url, json={"context": {"targetingKey": "one"}}) as answer:
            found = await answer.json()
        if found.get("value") == "fallback":
            trial.seen["ofrep"] = time.time()
            return
        await asyncio.sleep(max(0.0, POLL - (time.monotonic() - asked)))


async def run_trials(house: House, trials: Sequence[Trial]) -> None:
    """All trials, one after the other at a steady pace, and what arrives after the last."""
    known = {trial.place.service: trial for trial in trials}
    stream = asyncio.create_task(follow_stream(house, known))
    polls = []
    await asyncio.sleep(0.3)
    for trial in trials:
        produce(house, trial)
        if trial.routes:
            polls.append(asyncio.create_task(poll_flag(house, trial)))
        await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
    await asyncio.sleep(PATIENCE)
    await asyncio.gather(*polls)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    for trial in trials:
        for what, address in (("page", trial.place.user), ("card", trial.place.room)):
            if (accepted := house.desk.first(address)) is not None:
                trial.seen[what] = accepted.at
        if house.peer is not None and trial.place.service in house.peer.told:
            trial.seen["peer"] = house.peer.told[trial.place.service]


def look_inside(fireline: Fireline, trials: Sequence[Trial]) -> None:
    """Add when the event was judged and when the incident was decided upon, from the incident's own timeline."""
    known = {trial.place.service: trial for trial in trials}
    with fireline.store.reading() as tx:
        for incident in tx.incidents(open_only=False, limit=10_000):
            trial = known.get(incident.service)
            opened = next((e for e in tx.timeline(incident.number) if e.kind == "opened"), None)
            if trial is not None and opened is not None:
                trial.seen["judged"] = float(str(opened.data["at"]))
                trial.seen["decided"] = opened.at


async def measured(home: Path, kind: str, options: Namespace) -> tuple[list[Trial], float]:
    """The trials that count, and how many events a second the stream worker took in meanwhile."""
    count = options.trials
    places = [Place(number) for number in range(1, 2 * count + WARM + 1)]
    trials = [Trial(place, routes=place.number % 2 == 0) for place in places]
    async with house(home, kind, places) as running:
        with load(home, running.fireline.bootstrap, options.load):
            await asyncio.sleep(3.0)
            await run_trials(running, trials[:WARM])
            before, began = running.fireline.events()[0], time.monotonic()
            await run_trials(running, trials[WARM:])
            rate = (running.fireline.events()[0] - before) / (time.monotonic() - began)
            lag = running.fireline.events()[1]
        with suppress(TimeoutError):
            await asyncio.to_thread(eventually, "all is read", lambda: running.fireline.events()[1] < 0.5, 10)
        look_inside(running.fireline, trials)
        if lag > 1.0:
            print(f"the stream worker was {lag:.1f} s behind at the end: the load was too much for it", file=sys.stderr)
    return trials[WARM:], rate


def times(trials: Sequence[Trial], what: str, since: str = "") -> list[float]:
    """Milliseconds until `what`, of those that saw it; `since` the event, or another sight."""
    found = [(trial.after(what), trial.after(since) if since else 0.0) for trial in trials]
    return [end - begin for end, begin in found if end is not None and begin is not None]


def figures(kind: str, trials: Sequence[Trial], rate: float) -> list[Figure]:
    """What came out, beside Prometheus or beside the budget."""
    on = f"({kind})"
    routed = [trial for trial in trials if trial.routes]
    rows = [Figure(f"events taken in {on}", rate, "events/s")]
    peers = times(trials, "peer")
    for q, name, budget in ((0.5, "p50", 100.0), (0.9, "p90", None), (0.99, "p99", 500.0), (1.0, "max", None)):
        value = percentile(times(trials, "page"), q)
        if peers:
            rows.append(
                Figure(f"page {name} {on}", value, "ms", "Prometheus + Alertmanager, 1 s", percentile(peers, q))
            )
        if budget is not None:
            rows.append(Figure(f"page {name} {on}", value, "ms", "budget", budget))
    for what, told in (("stream", "route to a stream"), ("ofrep", "route to an OFREP poll of 50 ms")):
        for q, name, budget in ((0.5, "p50", 200.0), (0.9, "p90", None), (0.99, "p99", 1000.0), (1.0, "max", None)):
            value = percentile(times(routed, what), q)
            rows.append(Figure(f"{told} {name} {on}", value, "ms", "budget" if budget else "", budget))
    for begin, end in (("", "judged"), ("judged", "decided"), ("decided", "page"), ("page", "card")):
        name = f"p50 of the part from {begin or 'the event'} to {end} {on}"
        rows.append(Figure(name, percentile(times(trials, end, begin), 0.5), "ms"))
    missing = sum("page" not in trial.seen for trial in trials)
    missing += sum(what not in trial.seen for trial in routed for what in ("stream", "ofrep"))
    rows.append(Figure(f"pages and routes that did not arrive {on}", float(missing), ""))
    return rows


def run(kind: str, options: Namespace) -> list[Figure]:
    """One broker's figures."""
    with tempfile.TemporaryDirectory(prefix="fireline-bench-") as made:
        home = Path(made)
        if options.keep is not None:
            home = options.keep / kind
            home.mkdir(parents=True)
        trials, rate = asyncio.run(measured(home, kind, options))
        if options.keep is not None:
            rows = [{"service": t.place.service, "produced": t.produced, **t.seen} for t in trials]
            (home / "trials.json").write_text(json.dumps(rows))
    return figures(kind, trials, rate)


def main() -> None:
    """See the module's docstring."""
    options = arguments_of(__doc__).parse_args()
    options.trials = options.trials or (25 if options.quick else 150)
    kinds = ("embedded", "apache") if options.broker == "both" else (options.broker,)
    found = [figure for kind in kinds for figure in run(kind, options)]
    if options.json:
        print(as_json(found))
    else:
        show(f"Latency under {options.load:,} events/s, {options.trials} trials of each kind", found)


if __name__ == "__main__":
    main()
