"""The embedded broker: Fireline without a Kafka to install.

librdkafka, inside `confluent-kafka`, carries a broker that speaks the Kafka protocol on a loopback port. It is right
for trying Fireline and for fast tests: topics appear when they are first named (always 4 partitions), nothing is
compacted, about 5 MB or 100,000 records a partition are kept, in memory only. What must survive (incidents, runs,
routes) is in the database. It lives in the process that starts it; the supervisor of `fireline up` does.
"""

import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

PARTITIONS = 4
"""The partitions of every topic of the embedded broker; librdkafka has no setting for it."""

_READY_WITHIN = 10.0


class EmbeddedBroker:
    """A running broker. `generation` names this start of it: a checkpoint of another one belongs to a log long gone."""

    def __init__(self) -> None:
        """Start it. Raises RuntimeError when it does not come up."""
        self.generation = secrets.token_hex(8)
        self._host: Producer | None = Producer(
            {
                "test.mock.num.brokers": "1",
                # librdkafka replaces it by the address of its own broker, but refuses to start without one
                "bootstrap.servers": "127.0.0.1:1",
                "log_level": 0,
            }
        )
        brokers = list(self._host.list_topics(timeout=_READY_WITHIN).brokers.values())
        if not brokers:
            raise RuntimeError("the embedded broker did not start: librdkafka named no address")
        self.bootstrap = f"{brokers[0].host}:{brokers[0].port}"

    def create(self, topics: Iterable[str]) -> None:
        """Make the topics exist now, so that a consumer which starts before any producer finds them."""
        if self._host is None:
            raise RuntimeError("the embedded broker is closed")
        for topic in topics:
            self._host.list_topics(topic, timeout=_READY_WITHIN)

    def close(self) -> None:
        """Stop it; its topics are gone. Closing twice is no fault."""
        self._host = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
