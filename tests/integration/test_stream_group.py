"""Every partition is read by somebody, whatever the group thinks it has shared out."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topics import ensure_topics, topics_of_fireline
from tests.integration.streams import Streams


@pytest.mark.kafka
@pytest.mark.timeout(900)
async def test_a_member_that_comes_back_under_its_name_gets_what_its_group_never_shared_out(
    apache_kafka, tmp_path: Path
):
    """A member with a name of its own has the partitions back that it had, without a look at what there is now.

    What it had may be from a time when a topic was not there yet: wiped, made anew, or not read by that version.
    """
    connection = Connection(apache_kafka.bootstrap)
    ensure_topics(connection, topics_of_fireline(["fireline.metrics", "fireline.replay"]))
    before = AIOKafkaConsumer(
        "fireline.replay",
        bootstrap_servers=connection.bootstrap,
        group_id="come-back",
        group_instance_id="w",
        session_timeout_ms=600_000,  # its place is kept for as long as the worker takes to start
    )
    await before.start()
    await before.stop()  # it does not leave the group: it has a name
    service = f"come-back-{tmp_path.name}"  # the broker is shared with other tests
    streams = Streams(connection, "", tmp_path, {"all": 100})
    try:
        worker = streams.start(group="come-back", instance="w")
        await streams.ready(worker)
        await streams.feed(100, service)
        await streams.until(lambda: {"service": service} in [signal["entity"] for signal in streams.signals()])
        assert "nobody reads fireline.metrics " in streams.said()
        assert streams.end(worker) == 0
    finally:
        streams.close()
