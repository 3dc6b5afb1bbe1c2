"""`fireline replay`: feed recorded events into Kafka with their own event time.

They are judged on a timeline of their own, on which time passes by the events.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zlib import crc32

from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka import Outgoing, Producer, Refused
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import REPLAY, Topic, ensure_topics
from fireline.apps import faults
from fireline.apps.bootstrap import Parts, assemble, connection_of, settings_with
from fireline.apps.output import err
from fireline.apps.replay_files import BadLine, Recorded, read_recording
from fireline.apps.web_health import STREAM_FACT
from fireline.engine.ingest_records import TIMELINE_HEADER
from fireline.engine.ports import Unavailable

_BATCH = 1000
_SHOWN = 20
_ATTEMPTS = 5
_EMBEDDED_BYTES = 1_500_000
"""What the embedded broker is fed before what was sent is read: it forgets the oldest beyond 5 MB a partition."""
_PATIENCE = 120.0
"""Seconds to wait for the stream worker while it reads nothing of what was sent: time enough to be started again."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far it is: events sent, lines that were no events, the span of event time, in seconds since the epoch."""

    sent: int = 0
    bad: int = 0
    first: float | None = None
    last: float | None = None


async def replay(
    path: Path,
    connection: Connection,
    *,
    topic: str = REPLAY,
    timeline: str = "",
    speed: float = 0.0,
    recording: Iterable[Recorded | BadLine] | None = None,
    pace: Callable[[], Awaitable[None]] | None = None,
    on_bad: Callable[[BadLine], None] = lambda bad: None,
    on_progress: Callable[[Replayed], None] = lambda done: None,
) -> Replayed:
    """Send the file's events in its order, `speed` times faster than recorded (0: as fast as the broker takes them).

    `timeline` names the recording, so that its time is its own; without one all of the topic share one time.
    `pace` is awaited after every 1.5 MB, for brokers that forget what is not read soon.
    A line that is no event goes to `on_bad`, the rest goes on. Raises OSError for the file, `Unavailable` for Kafka.
    """
    await asyncio.to_thread(ensure_topics, connection, [Topic(topic, 4)])
    producer = Producer(connection, client_id="fireline-replay", linger_ms=2)
    loop = asyncio.get_running_loop()
    done, began, unread = Replayed(), loop.time(), 0
    try:
        for batch in _batches(read_recording(path) if recording is None else recording, speed):
            for line in batch:
                done = _counted(done, line)
                if isinstance(line, BadLine):
                    on_bad(line)
            events = [line for line in batch if isinstance(line, Recorded)]
            if events:
                await asyncio.sleep(began + _due(done, events, speed) - loop.time())
                await _send(producer, topic, events, timeline)
                unread += sum(len(event.value) for event in events)
            if pace is not None and unread > _EMBEDDED_BYTES:
                unread = 0
                await pace()
            on_progress(done)
    finally:
        await producer.close()
    return done


def _batches(lines: Iterable[Recorded | BadLine], speed: float) -> Iterator[list[Recorded | BadLine]]:
    """At most a thousand lines; with a speed, those of about a twentieth of a second of our time."""
    batch: list[Recorded | BadLine] = []
    starts: float | None = None
    for line in lines:
        if isinstance(line, Recorded):
            starts = line.at if starts is None else starts
            if speed > 0 and batch and line.at - starts > 0.05 * speed:
                yield batch
                batch, starts = [], line.at
        batch.append(line)
        if len(batch) >= _BATCH:
            yield batch
            batch, starts = [], None
    if batch:
        yield batch


def _counted(done: Replayed, line: Recorded | BadLine) -> Replayed:
    if isinstance(line, BadLine):
        return Replayed(done.sent, done.bad + 1, done.first, done.last)
    first = line.at if done.first is None else done.first
    return Replayed(done.sent + 1, done.bad, first, max(line.at, done.last or line.at))


def _due(done: Replayed, events: Sequence[Recorded], speed: float) -> float:
    """When the batch is to be sent, in seconds since the beginning."""
    return (events[0].at - done.first) / speed if speed > 0 and done.first is not None else 0.0


async def _until_read(parts: Parts) -> None:
    """Wait until the stream worker says, after now, that it has read everything; raises `Unavailable` if it stops.

    A long recording takes long: patience is over when the worker has come no nearer to the end for a while.
    """
    since = moved = parts.clock.now()
    least = math.inf
    while left := await asyncio.to_thread(_left, parts, since):
        now = parts.clock.now()
        if left < least:
            least, moved = left, now
        elif now - moved > _PATIENCE:
            raise Unavailable(f"the stream worker did not read what was sent: nothing more of it for {_PATIENCE:.0f} s")
        await asyncio.sleep(0.1)


def _left(parts: Parts, since: float) -> float:
    """How many records the worker says, later than `since`, that it has not read; infinite when it says nothing."""
    with parts.store.reading() as tx:
        fact = tx.fact(STREAM_FACT)
    told = {} if fact is None else fact[0]
    as_of, lag = told.get("lag_as_of"), told.get("lag")
    return float(lag) if isinstance(as_of, float) and as_of > since and isinstance(lag, int | float) else math.inf


async def _send(producer: Producer, topic: str, events: Sequence[Recorded], timeline: str) -> None:
    """A batch that is not confirmed is sent again, so a broker that fails meanwhile may hold some events twice.

    All events of a recording go to one partition: their order is its time. Read from several, one of which may be
    ahead by more than a window, events would come too late to count.
    """
    headers = ((TIMELINE_HEADER, timeline.encode()),) if timeline else ()
    for left in reversed(range(_ATTEMPTS)):
        try:
            place = crc32(timeline.encode()) % await producer.partitions(topic) if timeline else None
            await producer.send([Outgoing(topic, e.value, key=e.key, partition=place, headers=headers) for e in events])
        except Unavailable:
            if not left:
                raise
            await asyncio.sleep(1.0)
        else:
            return


def run(*, file: Path, speed: float, name: str | None, labels: list[str], kafka: str | None, topic: str) -> int:
    """Replay a file; 0 when every line was an event, 1 otherwise. Raises what `faults.told` knows how to tell."""
    pairs = [label.partition("=") for label in labels]
    if wrong := [label for label, (key, equals, _) in zip(labels, pairs, strict=True) if not key or not equals]:
        raise faults.Refused(f"found --label {wrong[0]!r}; expected key=value")
    parts = None if kafka else assemble(settings_with())
    connection = Connection(kafka or "") if parts is None else connection_of(parts)
    pace = partial(_until_read, parts) if parts is not None and connection.embedded else None
    console, bad = err(), []
    timeline = f"replay of {file.name}, {SystemClock().token()[:4]}" if topic == REPLAY else ""

    def tell(line: BadLine) -> None:
        bad.append(line)
        if len(bad) <= _SHOWN:
            console.print(f"{file}:{line.line}: {line.reason}", markup=False)

    recording = read_recording(file, name, {key: value for key, _, value in pairs})
    try:
        with console.status(f"Replaying {file.name}") as status:
            done = asyncio.run(
                replay(
                    file,
                    connection,
                    topic=topic,
                    timeline=timeline,
                    speed=speed,
                    recording=recording,
                    pace=pace,
                    on_bad=tell,
                    on_progress=lambda p: status.update(f"Replaying {file.name}: {p.sent} events"),
                )
            )
    except (OSError, Refused) as fault:
        raise faults.Refused(f"{file} cannot be replayed: {fault}") from fault
    console.print(f"{done.sent} events of {file.name} sent to {topic}, {done.bad} lines were no events", markup=False)
    return 1 if bad else 0
