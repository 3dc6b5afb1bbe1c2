"""Topics as they are on the broker, and the few changes that are made to them when somebody asks for it."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from fireline.adapters.kafka_access import see_in
from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import Topic
from fireline.engine.ports import Unavailable

_WITHIN = 10.0

KEPT = ("retention.ms", "cleanup.policy", "min.insync.replicas", "max.message.bytes", "message.timestamp.type")
"""The settings of a topic that matter to Fireline."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as the broker has it. `configuration` has the settings in `KEPT`, none when we may not see them."""

    name: str
    partitions: int
    replication: int
    configuration: Mapping[str, str] = field(default_factory=dict)


def topic_states(connection: Connection, names: Iterable[str]) -> dict[str, TopicState]:
    """Those of the topics that exist, by name. Blocks; raises `Unavailable` when no broker answers."""
    admin = _admin(connection)
    wanted = set(names)
    try:
        known = admin.list_topics(timeout=_WITHIN).topics
    except KafkaException as fault:
        raise Unavailable(f"Kafka at {connection.bootstrap} does not answer: {fault}") from fault
    there = {name: topic.partitions for name, topic in known.items() if name in wanted}
    configured = {} if connection.embedded else _configurations(admin, there)
    return {
        name: TopicState(
            name,
            len(partitions),
            min((len(partition.replicas) for partition in partitions.values()), default=0),
            configured.get(name, {}),
        )
        for name, partitions in sorted(there.items())
    }


def broker_count(connection: Connection) -> int:
    """How many brokers there are. Blocks; raises `Unavailable`."""
    try:
        return len(_admin(connection).list_topics(timeout=_WITHIN).brokers)
    except KafkaException as fault:
        raise Unavailable(f"Kafka at {connection.bootstrap} does not answer: {fault}") from fault


def make_topic(connection: Connection, topic: Topic, replication: int | None = None) -> str:
    """Create a topic; why it could not be, or nothing. `replication` None is the broker's default. Blocks."""
    new = NewTopic(topic.name, topic.partitions or -1, replication or -1, config=topic.configuration)
    admin = _admin(connection)  # held until the answer is there: its end would be the answer
    return _answer(admin.create_topics([new], request_timeout=_WITHIN)[topic.name])


def set_options(connection: Connection, topic: str, options: Mapping[str, str]) -> str:
    """Set these settings of a topic and leave its others alone; why it could not be done, or nothing. Blocks."""
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in options.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = _admin(connection)
    return _answer(admin.incremental_alter_configs([resource], request_timeout=_WITHIN)[resource])


def grow(connection: Connection, topic: str, partitions: int) -> str:
    """Give a topic so many partitions in all; why it could not be done, or nothing. Blocks."""
    asked = [NewPartitions(topic, partitions)]
    admin = _admin(connection)
    return _answer(admin.create_partitions(asked, request_timeout=_WITHIN)[topic])


def _admin(connection: Connection) -> AdminClient:
    see_in(connection)  # librdkafka would try for ten seconds, and not say why in vain
    return AdminClient({**connection.for_librdkafka(), "log_level": 0})


_T = TypeVar("_T")


def _answer(asked: "Future[_T]") -> str:
    try:
        asked.result(_WITHIN)
    except KafkaException as fault:
        return str(fault.args[0].str())
    except TimeoutError:
        return "the broker did not answer"
    return ""


def _configurations(admin: AdminClient, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """The settings of each topic that we may see."""
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    found: dict[str, Mapping[str, str]] = {}
    if not resources:
        return found
    for resource, answer in admin.describe_configs(resources, request_timeout=_WITHIN).items():
        try:
            entries = answer.result(_WITHIN)
        except (KafkaException, TimeoutError):
            continue  # not allowed to look: what is said of it says so
        found[resource.name] = {name: str(entries[name].value) for name in KEPT if name in entries}
    return found
