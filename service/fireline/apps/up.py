"""`fireline up`: every role on this machine as supervised processes, with an embedded broker by default."""

import asyncio
import logging
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from zlib import crc32

from fireline.adapters.embedded_broker import EmbeddedBroker
from fireline.adapters.kafka_topics import REPLAY, topics_of_fireline
from fireline.apps import lifeline, logs
from fireline.apps.bootstrap import BROKER_FACT, KEPT, Parts, assemble, settings_with
from fireline.apps.event_topics import topics_of
from fireline.apps.files import keep
from fireline.apps.output import err
from fireline.apps.settings import PREFIX, Settings
from fireline.apps.supervisor import Supervisor

log = logging.getLogger("fireline.up")

ROLES = ("stream", "respond", "web")


def run(*, rules: Path | None, runbooks: Path | None) -> int:
    """Run until SIGINT or SIGTERM; raises what `faults.told` knows when files, settings or database are faulty."""
    settings = settings_with(rules, runbooks)
    logs.set_up("up", settings.log_level, settings.secrets())
    lifeline.hold()
    parts = assemble(settings)
    _keep(parts)
    with ExitStack() as held:
        environment = {
            PREFIX + "RULES": str(settings.rules),
            PREFIX + "RUNBOOKS": str(settings.runbooks),
            # the same after a restart: the group knows the worker again, and gives it its partitions at once
            PREFIX + "STREAM_INSTANCE": settings.stream_instance or _instance(settings),
        }
        kafka, generation = settings.kafka, ""
        if kafka is None:
            broker = held.enter_context(EmbeddedBroker())
            sources = [*topics_of(settings, parts.files.current.topics), REPLAY]
            broker.create(topic.name for topic in topics_of_fireline(sources))
            kafka, generation = broker.bootstrap, broker.generation
            environment |= {PREFIX + "KAFKA": kafka, PREFIX + "KAFKA_GENERATION": generation}
        with parts.store.transaction() as tx:
            tx.put_fact(BROKER_FACT, {"bootstrap": kafka, "generation": generation}, parts.clock.now())
        parts.store.close()
        _greet(settings, kafka, embedded=settings.kafka is None)
        asyncio.run(_supervise(environment))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # all has ended: impatience cannot make a failure of it
    return 0


def _instance(settings: Settings) -> str:
    """This machine and this state directory: no two supervisors share both."""
    return f"{socket.gethostname()}-{crc32(str(settings.state_dir.resolve()).encode()):08x}"


async def _supervise(environment: dict[str, str]) -> None:
    supervisor = Supervisor()
    for role in ROLES:
        supervisor.add(role, [role], environment)
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(supervisor.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)  # not the loop's own handlers, which end with it, before we do
    await supervisor.run()


def _greet(settings: Settings, kafka: str, *, embedded: bool) -> None:
    console = err()
    broker = f"embedded broker at {kafka}" if embedded else f"Kafka at {kafka}"
    console.print(f"Fireline is up: {broker}, database {_shown(settings)}", markup=False)
    console.print(f"  status page  http://{settings.web_host}:{settings.web_port}/", markup=False)
    console.print(
        f"  routes       http://{settings.web_host}:{settings.web_port}/ofrep/v1/evaluate/flags", markup=False
    )
    if embedded:
        console.print(
            "  The embedded broker keeps events in memory, 100,000 a partition: for trying Fireline and for tests.\n"
            "  For production set FIRELINE_KAFKA=host:port. Incidents, runs and routes are in the database and stay.",
            style="dim",
        )
    if settings.slack_bot_token is None:
        console.print(
            "  Pages go to this console. For Slack set FIRELINE_SLACK_BOT_TOKEN and FIRELINE_SLACK_APP_TOKEN\n"
            "  (docs/how-to/slack.md has the app manifest).",
            style="dim",
        )


def _shown(settings: Settings) -> str:
    """The database's URL without its passwords."""
    url = settings.database
    for secret in settings.secrets():
        url = url.replace(secret, "***" if "@" not in secret else ":***@")
    return url


def _keep(parts: Parts) -> None:
    """What a role goes on with when it starts while the files are broken: at first, what we start with."""
    folder = parts.settings.state_dir / KEPT
    try:
        keep(folder, parts.files.current)
    except OSError as fault:
        log.warning("the last good files cannot be kept in %s: %s", folder, fault)
