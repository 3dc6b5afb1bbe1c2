"""Builds the parts of `fireline respond` and runs them: outbox, deadlines, runs, the Slack socket."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from fireline.actions import build_actions
from fireline.actions.schema import Ports
from fireline.adapters.clock import SystemClock
from fireline.adapters.clock_steady import SteadyClock
from fireline.adapters.database import open_store
from fireline.adapters.database_queries import ReadOnlyQueries
from fireline.adapters.http import SafeFetch
from fireline.adapters.kafka import KafkaPublisher
from fireline.adapters.kubernetes import KubernetesCluster
from fireline.adapters.processes import Processes
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.adapters.wakes import Wakes
from fireline.apps import lifeline, logs, turns
from fireline.apps.audit_checkpoints import Checkpoints
from fireline.apps.audit_keys import keys_of
from fireline.apps.bootstrap import (
    Parts,
    assemble,
    channels_of,
    configured_channels,
    connection_of,
    files_of,
    follow_files,
    runs_of,
    settings_with,
)
from fireline.apps.own_files import FilesTold
from fireline.apps.settings import Settings
from fireline.apps.sight import Lookout, last_resort, until_it_answers
from fireline.apps.targets import targets_of
from fireline.apps.witnesses import follow_witness
from fireline.domain.clicks import ApprovalGiven, StopAsked
from fireline.domain.deciding_world import World
from fireline.domain.effects import StartRun, Timer
from fireline.domain.incidents import Acknowledge, EscalateNow, Resolve
from fireline.domain.outcomes import Outcome
from fireline.engine import stops
from fireline.engine.handovers import Handovers
from fireline.engine.outward import Channel, Publisher
from fireline.engine.perform import Performer
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.roster import SHIFT
from fireline.engine.routes import Changed, lease_due
from fireline.engine.runs import Runs
from fireline.engine.silences import Maintenance
from fireline.engine.stops import Switch
from fireline.engine.timers import HANDS, Sweeper

if TYPE_CHECKING:
    from fireline.adapters.slack import SlackSocket

log = logging.getLogger("fireline.respond")

RESTART_AFTER = 1.0
"""Seconds until a loop that a fault of ours ended begins again; the others go on meanwhile."""
LAST_WORK = 5.0
"""Seconds for what is under way when we are to end."""

Loop = Callable[[asyncio.Event], Coroutine[None, None, None]]
Loops = Mapping[str, Loop]


def run(*, rules: Path | None, runbooks: Path | None) -> int:
    """Respond until SIGTERM."""
    settings = settings_with(rules, runbooks)
    logs.set_up("respond", settings.log_level, settings.secrets())
    lifeline.hold()
    turns.shorten()
    clock = SteadyClock()
    try:
        parts = assemble(settings, clock=clock)
    except Unavailable as fault:
        log.warning("waiting for the database: %s", fault)
        asyncio.run(_outlast(settings, clock))
        parts = assemble(settings, clock=clock)
    asyncio.run(_respond(parts, clock))
    return 0


async def _outlast(settings: Settings, clock: SteadyClock) -> None:
    """Wait for a database that is away when we start, and say so as one that lost it does."""
    files = files_of(settings, clock)
    async with AsyncExitStack() as held:
        channels = _open_channels(settings, clock, held)
        resort = last_resort(settings, channels, lambda: World.of(files.current, configured_channels(settings)), clock)
        await until_it_answers(lambda: open_store(settings.database).close(), resort, clock)


async def _respond(parts: Parts, clock: SteadyClock) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    owner = f"respond-{parts.clock.token()[:8]}"
    async with AsyncExitStack() as held:
        channels = _open_channels(parts.settings, parts.clock, held)
        publisher = KafkaPublisher(connection_of(parts))
        held.push_async_callback(publisher.close)
        secrets = EnvironmentSecrets()
        fetch = SafeFetch(parts.settings.http_allow, secrets)
        held.push_async_callback(fetch.close)
        cluster = KubernetesCluster()
        held.push_async_callback(cluster.close)
        ports = Ports(
            parts.store,
            parts.files,
            parts.clock,
            parts.responder,
            fetch,
            publisher=publisher,
            execute=Processes(secrets, parts.clock),
            queries=ReadOnlyQueries(secrets),
            targets=targets_of(parts.settings),
            cluster=cluster,
        )
        runs = runs_of(parts, build_actions(ports), owner)
        if (socket := _slack(parts, runs)) is not None:
            socket.start()
            held.push_async_callback(socket.close)
        performer, sweeper = _performer(parts, channels, publisher, runs, owner), _sweeper(parts, owner)
        loops: Loops = {
            "outbox": performer.run,
            "deadlines": sweeper.run,
            "runs": runs.run,
            "audit": Checkpoints(parts.store, parts.settings, keys_of(parts.settings), parts.clock).run,
        }
        looks: Loops = {
            "files": lambda _: follow_files(parts.files),
            "changes": FilesTold(parts.files, parts.store, parts.responder, clock).run,
            "hand-offs": _handovers(parts).run,
            "maintenance": Maintenance(parts.store, parts.files, parts.clock).run,
            "clock": lambda _: follow_witness(parts.store, clock),
            "sight": _lookout(parts, channels, owner, held).run,
        }
        await _keep_all(loops, looks, stop)


def _lookout(parts: Parts, channels: Mapping[str, Channel], owner: str, held: AsyncExitStack) -> Lookout:
    resort = last_resort(parts.settings, channels, lambda: parts.responder.world, parts.clock)
    lookout = Lookout(parts.store, parts.responder, parts.clock, resort, owner)
    held.callback(lookout.close)
    return lookout


def _open_channels(settings: Settings, clock: SystemClock, held: AsyncExitStack) -> Mapping[str, Channel]:
    channels = channels_of(settings, clock)
    for channel in channels.values():
        held.push_async_callback(channel.close)
    return channels


def _performer(
    parts: Parts, channels: Mapping[str, Channel], publisher: Publisher, runs: Runs, owner: str
) -> Performer:
    async def start(effect: StartRun) -> Outcome:
        return await asyncio.to_thread(runs.start, effect)

    return Performer(
        parts.store,
        channels,
        publisher,
        start_run=start,
        clock=parts.clock,
        owner=owner,
        responder=parts.responder,
    )


def _sweeper(parts: Parts, owner: str) -> Sweeper:
    handovers = _handovers(parts)

    async def due(timer: Timer) -> None:
        if timer.kind == SHIFT:
            await asyncio.to_thread(handovers.review, timer)
            return
        if timer.kind == stops.KIND:
            await asyncio.to_thread(stops.tell, parts.store, parts.responder, timer)
            return
        await asyncio.to_thread(_route_lease_due, parts, timer)

    hands = HANDS if parts.store.writes_at_once else 1
    return Sweeper(parts.store, parts.responder, parts.clock, owner, wakes=Wakes(parts.clock), run_due=due, hands=hands)


def _handovers(parts: Parts) -> Handovers:
    return Handovers(parts.store, parts.files, parts.clock, configured_channels(parts.settings))


def _route_lease_due(parts: Parts, timer: Timer) -> None:
    """A fallback that no incident watches over ends; runs need no waking, they look at their own times."""
    with parts.store.transaction() as tx:
        if timer.kind != "route_lease":
            tx.disarm(timer.key)
            return
        service = timer.key.partition("/")[2]
        done = lease_due(tx, parts.files.current, service, parts.clock.now())
    if isinstance(done, Changed):
        log.warning("the lease of the fallback of %s ended: %s", service, done.route.reason)


def _slack(parts: Parts, runs: Runs) -> "SlackSocket | None":
    settings = parts.settings
    if settings.slack_bot_token is None or settings.slack_app_token is None:
        return None
    from fireline.adapters.slack import SlackSocket, person_by_slack_id, slack_client
    from fireline.adapters.slack_interactions import Asked

    switch = Switch(parts.store, parts.files, parts.clock, parts.responder.configured)

    def click(asked: Asked) -> str:
        match asked:
            case ApprovalGiven():
                return str(runs.approve(asked.run, asked.step, asked.person, asked.approved, asked.reason))
            case Acknowledge() | EscalateNow() | Resolve():
                decision = parts.responder.handle(asked)
                return decision.reply or decision.reason
            case StopAsked():
                return switch.of_incident(asked.incident, asked.person, asked.via, lifted=asked.lift).text
            case _:
                assert_never(asked)

    web = slack_client(settings.slack_bot_token.get_secret_value(), settings.slack_base_url)
    return SlackSocket(
        settings.slack_app_token.get_secret_value(),
        web,
        click,
        lambda user: person_by_slack_id(parts.files.current.catalog, user),
    )


async def _keep_all(loops: Loops, looks: Loops, stop: asyncio.Event) -> None:
    """Keep all at work until `stop`: then `loops` finish what they have begun, and `looks` have nothing to finish."""
    working = [asyncio.create_task(_keep(name, work, stop), name=name) for name, work in loops.items()]
    looking = [asyncio.create_task(_keep(name, work, stop), name=name) for name, work in looks.items()]
    await stop.wait()
    for task in looking:
        task.cancel()
    _done, late = await asyncio.wait(working, timeout=LAST_WORK)
    for task in late:
        task.cancel()
    await asyncio.gather(*looking, *late, return_exceptions=True)


async def _keep(name: str, work: Loop, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await work(stop)
        except (Unavailable, StaleVersion) as fault:
            log.warning("%s waits: %s", name, fault)
        except Exception:
            log.exception("%s failed; it begins again in %g s", name, RESTART_AFTER)
        if not stop.is_set():
            await asyncio.sleep(RESTART_AFTER)
