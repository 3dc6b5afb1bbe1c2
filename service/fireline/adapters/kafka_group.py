"""Whether a consumer group has given every partition to one of its members.

Kafka gives a member with a lasting name back what it had, without a look at the topics there are now (KIP-345), and
tells it of no leader who would look (KIP-814). What it had may be from before a topic was there.
"""

import asyncio
from collections.abc import Iterable, Set

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_ends import Asking
from fireline.engine.ports import Unavailable

_WITHIN = 8.0


class GroupShares:
    """Asks for what a group has left out."""

    def __init__(self, connection: Connection, group: str) -> None:
        self._asking, self._group = Asking(connection), group
        self._embedded = connection.embedded

    async def left_out(self, topics: Iterable[str]) -> frozenset[tuple[str, int]] | None:
        """Partitions of `topics` that no member has, None while the group is not settled; raises `Unavailable`.

        The embedded broker has one worker, which has all.
        """
        return frozenset() if self._embedded else await asyncio.to_thread(self._ask, frozenset(topics))

    def _ask(self, topics: Set[str]) -> frozenset[tuple[str, int]] | None:
        with self._asking.admin() as admin:
            try:
                there = _partitions(admin, topics)
                group = admin.describe_consumer_groups([self._group], request_timeout=_WITHIN)
                found = group[self._group].result(2 * _WITHIN)
            except (KafkaException, TimeoutError) as fault:
                raise Unavailable(f"Kafka did not describe the group {self._group}: {fault}") from fault
        if found.state is not ConsumerGroupState.STABLE:
            return None
        return there - {(tp.topic, tp.partition) for one in found.members for tp in one.assignment.topic_partitions}


def _partitions(admin: AdminClient, topics: Set[str]) -> frozenset[tuple[str, int]]:
    known = admin.list_topics(timeout=_WITHIN).topics  # all of them: asking for one by name might create it
    return frozenset((topic, number) for topic in topics & known.keys() for number in known[topic].partitions)
