"""Topics: what Fireline needs to exist, how it is created where it may be, and what is said where it may not."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from fireline.adapters.kafka_access import see_in
from fireline.adapters.kafka_connection import Connection
from fireline.engine.ports import Unavailable

PARTIALS = "fireline.partials"
DEAD_LETTER = "fireline.dead-letter"
INCIDENTS = "fireline.incidents"
ROUTES = "fireline.routes"
REPLAY = "fireline.replay"

_WITHIN = 10.0
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be. `retention_ms` None is the cluster's default; a compacted topic keeps the last of a key.

    `partitions` None is the cluster's default too.
    """

    name: str
    partitions: int | None = None
    retention_ms: int | None = None
    compacted: bool = False

    @property
    def configuration(self) -> dict[str, str]:
        """Kafka's words for it."""
        words = {}
        if self.retention_ms is not None and not self.compacted:
            words["retention.ms"] = str(self.retention_ms)
        if self.compacted:
            words["cleanup.policy"] = "compact"
        return words


def topics_of_fireline(sources: Iterable[str], partitions: int = 4) -> list[Topic]:
    """All topics that Fireline reads and writes, `sources` being those that events come on."""
    wanted = [Topic(name, partitions) for name in sources]
    return [
        *wanted,
        # evaluate never looks further back than a checkpoint: seconds, or as long as it was down
        Topic(PARTIALS, partitions, retention_ms=_DAY_MS),
        Topic(DEAD_LETTER, 1, retention_ms=14 * _DAY_MS),
        Topic(INCIDENTS, 1, compacted=True),
        Topic(ROUTES, 1, compacted=True),
    ]


def ensure_topics(connection: Connection, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that are missing; a sentence for each that is missing still or not as it should be.

    Blocks for up to half a minute. Raises `Unavailable` when no broker answers. On the embedded broker a topic exists
    once it was named, so naming is all it does there.
    """
    admin = _admin(connection)
    wanted = {topic.name: topic for topic in topics}
    if connection.embedded:
        for name in wanted:
            _known(admin, name)
        return []
    there = _known(admin) & wanted.keys()
    faults, others = _create(admin, [topic for name, topic in wanted.items() if name not in there])
    return faults + _not_compacted(admin, [wanted[name] for name in sorted(there | others) if wanted[name].compacted])


def known_topics(connection: Connection) -> set[str]:
    """The topics that exist. Blocks; raises `Unavailable` when no broker answers."""
    return _known(_admin(connection))


def partitions_of(connection: Connection, topic: str) -> frozenset[int]:
    """The partitions of a topic, none when it does not exist; nothing is created. Blocks; raises `Unavailable`."""
    try:
        known = _admin(connection).list_topics(timeout=_WITHIN).topics.get(topic)
    except KafkaException as fault:
        raise Unavailable(f"Kafka does not answer: {fault}") from fault
    return frozenset(known.partitions) if known is not None else frozenset()


def topic_generation(connection: Connection, topic: str) -> str:
    """The name of the log behind a topic: another one after the topic was deleted or the cluster's data was wiped.

    It is the topic's id, and the cluster's id where brokers are too old to know one. Blocks; raises `Unavailable`.
    """
    admin = _admin(connection)
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_WITHIN)[topic].result(_WITHIN)
        return str(described.topic_id)
    except (KafkaException, TimeoutError):
        try:
            cluster = admin.list_topics(timeout=_WITHIN).cluster_id
        except KafkaException as fault:
            raise Unavailable(f"Kafka at {connection.bootstrap} does not answer: {fault}") from fault
        return f"cluster-{cluster}"


def _admin(connection: Connection) -> AdminClient:
    see_in(connection)  # librdkafka would try for ten seconds, and not say why in vain
    return AdminClient({**connection.for_librdkafka(), "log_level": 0})


def _known(admin: AdminClient, topic: str | None = None) -> set[str]:
    try:
        known = admin.list_topics(topic, timeout=_WITHIN) if topic else admin.list_topics(timeout=_WITHIN)
    except KafkaException as fault:
        raise Unavailable(f"Kafka does not answer: {fault}") from fault
    return set(known.topics)


def _create(admin: AdminClient, missing: list[Topic]) -> tuple[list[str], set[str]]:
    """What is wrong, and which of them somebody else had made, too lately to be listed."""
    if not missing:
        return [], set()
    asked: Mapping[str, Future[None]] = admin.create_topics(
        [NewTopic(t.name, t.partitions or -1, -1, config=t.configuration) for t in missing], request_timeout=_WITHIN
    )
    faults, others = list[str](), set[str]()
    for name, answer in asked.items():
        try:
            answer.result(_WITHIN)
        except KafkaException as fault:
            if fault.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                others.add(name)
            else:
                faults.append(f"topic {name} is missing and cannot be created: {fault.args[0].str()}")
        except TimeoutError:
            faults.append(f"topic {name} is missing, and the broker did not answer when asked to create it")
    return faults, others


def _not_compacted(admin: AdminClient, topics: list[Topic]) -> list[str]:
    resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in topics}
    if not resources:
        return []
    faults = []
    for resource, answer in admin.describe_configs(list(resources), request_timeout=_WITHIN).items():
        try:
            policy = answer.result(_WITHIN)["cleanup.policy"].value
        except (KafkaException, KeyError, TimeoutError):
            continue  # not allowed to look: nothing to say
        if "compact" not in policy:
            name = resource.name
            faults.append(f"topic {name} has cleanup.policy={policy}, readers of its latest state need `compact`")
    return faults
