"""The demo's model gateway: serves POST /score with a primary and a fallback model and follows Fireline's routes.

It is a client of Fireline like any other: events go to Kafka, routes come over OFREP. It also makes its own traffic
over HTTP, can break its primary, and counts what its callers felt. `python -m fireline.apps.gateway --help`.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import aiohttp
import orjson
from aiohttp import web

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka import Outgoing, Producer, Refused
from fireline.adapters.kafka_connection import Connection
from fireline.apps import lifeline
from fireline.apps.demo_facts import TOO_LATE_MS, Facts
from fireline.apps.demo_follow import Follower
from fireline.apps.demo_scorers import FEATURES, LogisticRegression, RuleSet, Served, Serving, transactions
from fireline.apps.web_table import choose
from fireline.domain.routes import Route
from fireline.engine.ports import Clock, Unavailable

log = logging.getLogger("fireline.gateway")

SERVICE, MODEL = "fraud-scoring", "fraud"
VERSIONS = {"primary": "14", "fallback": "rules-3"}
PREDICTIONS, METRICS = "fireline.predictions", "fireline.metrics"
PROBE_EVERY = 10
"""While nothing goes to the primary, one request in this many is sent to it as well, and its answer thrown away."""


_LONGEST_WAIT = 0.5


class Reporter:
    """Sends events to Kafka in small batches; while Kafka is away the newest wait here, and the oldest are let go."""

    def __init__(self, kafka: str, clock: Clock, every: float = 0.025, most: int = 20_000) -> None:
        self._producer = Producer(Connection(kafka), client_id="gateway")
        self._waiting: deque[Outgoing] = deque(maxlen=most)
        self._clock, self._every = clock, every
        self.sent = 0

    def report(self, topic: str, value: Mapping[str, object]) -> None:
        """Queue one event."""
        self._waiting.append(Outgoing(topic, orjson.dumps(value), SERVICE.encode()))

    async def run(self) -> None:
        """Send until cancelled; on a slow machine in larger batches, as readers take those as easily as small ones."""
        took = 0.0
        while True:
            await self._clock.sleep(max(self._every, 2 * took))
            if self._waiting:
                began = self._clock.now()
                await self._flush()
                took = min(self._clock.now() - began, _LONGEST_WAIT)

    async def _flush(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(500, len(self._waiting)))]
        try:
            await self._producer.send(batch)
            self.sent += len(batch)
        except Refused as fault:
            log.error("Kafka refused events: %s", fault)
        except Unavailable as fault:
            log.warning("%s", fault)
            self._waiting.extendleft(reversed(batch))
            await self._clock.sleep(1.0)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._producer.close()


class Gateway:
    """Routes each request by the weights in force, and reports what came of it."""

    def __init__(self, follower: Follower, reporter: Reporter, clock: Clock) -> None:
        self._follower, self._reporter, self._clock = follower, reporter, clock
        self.targets = {
            "primary": Serving(LogisticRegression(), 45.0, seed=1),
            "fallback": Serving(RuleSet(), 12.0, seed=2),
        }
        self.facts = Facts()
        self._count = 0
        self._probes: set[asyncio.Task[None]] = set()

    def target(self, request_id: str) -> str:
        """Where this request goes; a target we do not have counts as the fallback."""
        weights = self._follower.weights
        chosen = choose(Route(SERVICE, weights, 0, 0.0, "", ""), request_id)
        return chosen if chosen in self.targets else "fallback"

    async def score(self, request_id: str, features: Mapping[str, float], began: float) -> tuple[str, Served]:
        """Serve one request that came at `began`; the target and what came of it."""
        target = self.target(request_id)
        self._count += 1
        if not self._follower.weights.get("primary") and self._count % PROBE_EVERY == 0:
            task = asyncio.create_task(self._probe(request_id, features))
            self._probes.add(task)
            task.add_done_callback(self._probes.discard)
        served = await self.targets[target].serve(features)
        self.facts.served(target, served, began, self._clock.now())
        self._tell(request_id, target, served, features, probe=False)
        return target, served

    async def _probe(self, request_id: str, features: Mapping[str, float]) -> None:
        served = await self.targets["primary"].serve(features)
        self.facts.probed(served)
        self._tell(f"{request_id}-probe", "primary", served, features, probe=True)

    def _tell(
        self, request_id: str, target: str, served: Served, features: Mapping[str, float], *, probe: bool
    ) -> None:
        labels = {"service": SERVICE, "target": target, "probe": "true" if probe else "false"}
        now, scored = self._clock.now(), served.scored
        event: dict[str, object] = {"type": "prediction", "model": MODEL, "version": VERSIONS[target], **labels}
        event |= {"request_id": request_id, "ts": now, "latency_ms": served.latency_ms, "error": served.error}
        event["features"] = dict(features)
        if scored is not None:
            event |= {"prediction": scored.prediction, "confidence": scored.confidence}
        self._reporter.report(PREDICTIONS, event)
        name, value = "inference_latency_ms", served.latency_ms
        self._reporter.report(METRICS, {"type": "metric", "name": name, "value": value, "ts": now, "labels": labels})

    def set_broken(self, broken: bool) -> None:
        """Break or heal the primary."""
        primary, now = self.targets["primary"], self._clock.now()
        if primary.broken != broken:
            log.info("the primary %s", "breaks" if broken else "is healthy again")
            (self.facts.broke if broken else self.facts.healed)(now)
        primary.broken = broken

    def stats(self) -> dict[str, object]:
        """What this gateway and its callers saw."""
        follower = self._follower
        heard = None if follower.heard_at is None else self._clock.now() - follower.heard_at
        route = {"weights": dict(follower.weights), "version": follower.version, "heard_ago": heard}
        broken = self.targets["primary"].broken
        return {**self.facts.told(), "route": route, "primary_broken": broken, "events_sent": self._reporter.sent}


def features_of(value: object) -> dict[str, float]:
    """The features of a request; raises ValueError that says what is missing."""
    given = value.get("features") if isinstance(value, dict) else None
    if not isinstance(given, dict):
        raise ValueError(f"expected features: {', '.join(FEATURES)}")
    missing = [name for name in FEATURES if not isinstance(given.get(name), int | float)]
    if missing:
        raise ValueError(f"expected numbers for {', '.join(missing)}")
    return {name: float(given[name]) for name in FEATURES}


TAKEN_AT = "Taken-At"
"""The header that tells callers when the gateway took their request, in seconds since the epoch."""


def application(gateway: Gateway, clock: Clock) -> web.Application:
    """POST /score for callers, GET /stats for the curious, POST /break and /heal for the demo."""

    async def score(request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
            features, request_id = features_of(body), str(body.get("request_id", ""))[:100]
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        began = clock.now()
        target, served = await gateway.score(request_id, features, began)
        taken = {TAKEN_AT: repr(began)}
        if served.scored is None:
            return web.json_response({"error": served.error, "target": target}, status=502, headers=taken)
        answer = {"prediction": served.scored.prediction, "confidence": served.scored.confidence, "target": target}
        return web.json_response(answer, headers=taken)

    async def stats(_: web.Request) -> web.Response:
        return web.json_response(gateway.stats())

    async def broken(_: web.Request) -> web.Response:
        gateway.set_broken(True)
        return web.json_response({"broken": True})

    async def healed(_: web.Request) -> web.Response:
        gateway.set_broken(False)
        return web.json_response({"broken": False})

    app = web.Application(client_max_size=64 * 1024)
    app.add_routes([web.post("/score", score), web.get("/stats", stats)])
    app.add_routes([web.post("/break", broken), web.post("/heal", healed)])
    return app


class Callers:
    """The gateway's own callers, over HTTP like any other: they know by their own clock what was of use to them."""

    def __init__(self, url: str, facts: Facts, clock: Clock) -> None:
        self._url, self._facts, self._clock = url + "/score", facts, clock
        self._calling: set[asyncio.Task[None]] = set()

    async def run(self, rate: float) -> None:
        """`rate` requests a second until cancelled, whatever becomes of earlier ones."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10.0)) as session:
            began = self._clock.now()
            for number, features in enumerate(_endless()):
                await self._clock.sleep(began + number / rate - self._clock.now())
                if len(self._calling) < 10 * rate:
                    task = asyncio.create_task(self._call(session, f"r{number}", features))
                    self._calling.add(task)
                    task.add_done_callback(self._calling.discard)

    async def _call(self, session: aiohttp.ClientSession, request_id: str, features: Mapping[str, float]) -> None:
        asked = taken = self._clock.now()
        answered = False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(self._url, json={"request_id": request_id, "features": features}) as answer:
                await answer.read()
                taken = float(answer.headers.get(TAKEN_AT, asked))
                answered = answer.status == 200
        late = (self._clock.now() - asked) * 1000.0 > TOO_LATE_MS
        self._facts.felt(taken, failed=late or not answered)


def _endless() -> Iterator[dict[str, float]]:
    seed = 100
    while True:
        for row in transactions(1000, seed).tolist():
            yield dict(zip(FEATURES, row, strict=True))
        seed += 1


async def _schedule(gateway: Gateway, break_after: float, heal_after: float, clock: Clock) -> None:
    if break_after > 0:
        await clock.sleep(break_after)
        gateway.set_broken(True)
        await clock.sleep(heal_after)
        gateway.set_broken(False)


async def run_gateway(options: argparse.Namespace, clock: Clock) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    follower = Follower(options.fireline, SERVICE, clock)
    reporter = Reporter(options.kafka, clock)
    gateway = Gateway(follower, reporter, clock)
    runner = web.AppRunner(application(gateway, clock), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port)
    await site.start()
    port = runner.addresses[0][1]
    sys.stdout.write(f"gateway http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    work = [follower.run(), reporter.run(), _schedule(gateway, options.break_after, options.heal_after, clock)]
    if options.rate > 0:
        work.append(Callers(f"http://127.0.0.1:{port}", gateway.facts, clock).run(options.rate))
    tasks = [asyncio.create_task(one) for one in work]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await runner.cleanup()
    await reporter.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the gateway."""
    parser = argparse.ArgumentParser(prog="gateway", description="A model gateway that follows Fireline's routes.")
    parser.add_argument("--fireline", default="http://127.0.0.1:8321", help="Fireline's address")
    parser.add_argument("--kafka", required=True, help="bootstrap server, host:port")
    parser.add_argument("--port", type=int, default=0, help="port to serve on, 0 for any free one")
    parser.add_argument("--rate", type=float, default=200.0, help="own requests a second, 0 for none")
    parser.add_argument("--break-after", type=float, default=0.0, help="seconds until the primary breaks, 0 for never")
    parser.add_argument("--heal-after", type=float, default=25.0, help="seconds from the break until it heals")
    options = parser.parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s gateway %(message)s", datefmt="%H:%M:%S")
    lifeline.hold()
    asyncio.run(run_gateway(options, SystemClock()))


if __name__ == "__main__":
    main()
