"""What Fireline wants of its topics against what the broker has: each difference with why, remedy and change. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from fireline.adapters.kafka import MAX_RECORD_BYTES
from fireline.adapters.kafka_topic_states import TopicState
from fireline.adapters.kafka_topics import DEAD_LETTER, INCIDENTS, PARTIALS, ROUTES, Topic

OWN = frozenset({PARTIALS, DEAD_LETTER, INCIDENTS, ROUTES})
MESSAGE_BYTES = 1_048_588
"""Kafka's default of `max.message.bytes`, which our largest records fit."""
_LARGEST = MAX_RECORD_BYTES + 40_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Weight(StrEnum):
    """Whether a difference has to be mended (`check` exits 1), or is for somebody to know."""

    WRONG = "wrong"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. What mends it: `options` to set, `partitions` to grow to, `missing` to create; else by hand."""

    topic: str
    weight: Weight
    found: str
    wanted: str
    why: str
    options: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 0
    missing: bool = False
    by_hand: str = ""

    @property
    def fixable(self) -> bool:
        """Whether `fireline topics create --fix` mends it."""
        return bool(self.options or self.partitions or self.missing)

    def remedy(self, bootstrap: str) -> str:
        """What to do, as commands where there are any."""
        if self.missing:
            return "fireline topics create"
        if self.options:
            config = ",".join(f"{name}={_quoted(value)}" for name, value in self.options.items())
            return (
                f"fireline topics create --fix; or kafka-configs.sh --bootstrap-server {bootstrap} --alter "
                f"--entity-type topics --entity-name {self.topic} --add-config {config}"
            )
        if self.partitions:
            return f"fireline topics create --fix --partitions {self.partitions}"
        return self.by_hand


def _quoted(value: str) -> str:
    return f"[{value}]" if "," in value else value


def differences(
    topics: Iterable[Topic], states: Mapping[str, TopicState], *, brokers: int, partitions: int | None = None
) -> list[Difference]:
    """All differences. `partitions` is how many partitions topics of events are to have; None takes any number."""
    wanted = list(topics)
    widest = max((s.partitions for name, s in states.items() if name not in OWN), default=0)
    found: list[Difference] = []
    for topic in wanted:
        state = states.get(topic.name)
        if state is None:
            why = "nothing can be read from it or written to it"
            found.append(Difference(topic.name, Weight.WRONG, "no such topic", "the topic", why, missing=True))
            continue
        found += _partitions(topic, state, partitions, widest)
        found += _replicas(state, brokers)
        found += _configuration(topic, state) if state.configuration else _unseen(state)
    return found


def _partitions(topic: Topic, state: TopicState, asked: int | None, widest: int) -> Iterator[Difference]:
    name, has = topic.name, f"{state.partitions} partition{'s' if state.partitions > 1 else ''}"
    if name == PARTIALS:
        least, weight = (asked, Weight.WRONG) if asked is not None else (widest, Weight.NOTE)
        if state.partitions < least:
            yield Difference(
                name,
                weight,
                has,
                f"{least}",
                "at most so many stream workers share judging",
                by_hand=(
                    "is never altered: partitions decide which worker holds which windows, so others would lose"
                    " them. Stop all workers, delete the topic, create it anew, start: windows begin empty"
                ),
            )
    elif name not in OWN and asked is not None and state.partitions < asked:
        why = "at most so many stream workers share reading it"
        yield Difference(name, Weight.WRONG, has, f"{asked}", why, partitions=asked)


def _replicas(state: TopicState, brokers: int) -> Iterator[Difference]:
    least = int(state.configuration.get("min.insync.replicas", "1"))
    has = f"{state.replication} replica{'s' if state.replication > 1 else ''}"
    by_hand = "raise the number of replicas with kafka-reassign-partitions.sh"
    if least > state.replication:
        why = "Fireline waits for all of these (acks=all), so nothing can be written"
        yield Difference(
            state.name,
            Weight.WRONG,
            f"min.insync.replicas={least} of {has}",
            f"at most {state.replication}",
            why,
            {"min.insync.replicas": str(max(1, state.replication - 1))},
        )
    elif state.replication == 1 and brokers > 1:
        why = "it is lost with its broker, and away while that is away"
        yield Difference(state.name, Weight.NOTE, has, f"{min(3, brokers)}", why, by_hand=by_hand)
    elif least == state.replication > 1:
        why = "writing stops when one broker is away"
        options = {"min.insync.replicas": str(state.replication - 1)}
        yield Difference(state.name, Weight.NOTE, f"min.insync.replicas={least} of {has}", "one less", why, options)
    elif least == 1 and state.replication > 2 and state.configuration:
        why = "what one broker alone has taken counts as written, and is lost with it"
        options = {"min.insync.replicas": "2"}
        yield Difference(state.name, Weight.NOTE, f"min.insync.replicas=1 of {has}", "2", why, options)


def _unseen(state: TopicState) -> Iterator[Difference]:
    yield Difference(
        state.name,
        Weight.NOTE,
        "its configuration is not shown to us",
        "to see it",
        "retention and compaction cannot be checked",
        by_hand="allow the user DescribeConfigs on the topic",
    )


def _configuration(topic: Topic, state: TopicState) -> Iterator[Difference]:
    yield from _policy(topic, state)
    yield from _retention(topic, state)
    largest = state.configuration.get("max.message.bytes", "")
    if topic.name in OWN and largest.isdigit() and int(largest) < _LARGEST:
        yield Difference(
            topic.name,
            Weight.WRONG,
            f"max.message.bytes={largest}",
            f"at least {_LARGEST}",
            "larger records are refused: what should be in them stops the worker, or is lost",
            {"max.message.bytes": str(MESSAGE_BYTES)},
        )


def _policy(topic: Topic, state: TopicState) -> Iterator[Difference]:
    policy = state.configuration.get("cleanup.policy", "")
    found = f"cleanup.policy={policy}"
    if topic.compacted and policy != "compact":
        why = "the latest state of what did not change for long is deleted, and readers miss it"
        yield Difference(topic.name, Weight.WRONG, found, "compact", why, {"cleanup.policy": "compact"})
    elif not topic.compacted and "compact" in policy:
        why = "records are no states: of those with one key only the last would be kept"
        yield Difference(topic.name, Weight.WRONG, found, "delete", why, {"cleanup.policy": "delete"})


def _retention(topic: Topic, state: TopicState) -> Iterator[Difference]:
    text = state.configuration.get("retention.ms", "")
    kept = int(text) if text.lstrip("-").isdigit() else -1
    if topic.compacted or kept < 0:
        return
    if topic.retention_ms is not None and kept < topic.retention_ms:
        yield Difference(
            topic.name,
            Weight.WRONG,
            f"kept for {told(kept)}",
            told(topic.retention_ms),
            "what is older is gone before somebody can look at it"
            if topic.name == DEAD_LETTER
            else "a worker that was away for longer, or a restored backup, has lost what lay in between",
            {"retention.ms": str(topic.retention_ms)},
        )
    elif topic.retention_ms is None and kept < _HOUR_MS:
        why = "events that nobody could read for so long are lost, and nobody hears of them"
        yield Difference(
            topic.name,
            Weight.NOTE,
            f"kept for {told(kept)}",
            "an hour or more",
            why,
            by_hand="raise retention.ms of the topic: it is yours, so nothing here alters it",
        )


def told(ms: int) -> str:
    """Milliseconds in the largest unit that gives a short number; -1 is for ever."""
    if ms < 0:
        return "ever"
    for size, unit in ((_DAY_MS, "d"), (_HOUR_MS, "h"), (60_000, "min"), (1000, "s")):
        if ms >= size:
            return f"{ms / size:.3g} {unit}"
    return f"{ms} ms"


def worst(found: Sequence[Difference]) -> Weight | None:
    """The weight of the worst; None when there are none."""
    weights = {difference.weight for difference in found}
    return Weight.WRONG if Weight.WRONG in weights else Weight.NOTE if weights else None
