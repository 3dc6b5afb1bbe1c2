"""kafka.publish on a real broker: only where it may, once by its key, and duplicates are told."""

from dataclasses import replace

from aiokafka import AIOKafkaConsumer

from fireline.actions.kafka import Publish, PublishOptions
from fireline.actions.ledger import begun
from fireline.actions.schema import Ports
from fireline.adapters.kafka import KafkaPublisher
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.domain.targets import Targets
from fireline.engine.outward import StepContext
from tests.engine.runs_world import world

CONTEXT = StepContext("run-1.tell", 1, "tell", None, 100.0, {}, 100.0)
OPTIONS = PublishOptions(topic="ml.retrain", key="fraud", value={"model": "fraud"})


async def records(connection, topic):
    consumer = AIOKafkaConsumer(topic, **connection.for_aiokafka(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found = []
        while len(found) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


async def test_it_is_there_once_with_its_key_and_a_repetition_in_doubt_is_told(tmp_path, embedded):
    w = world(tmp_path)
    publisher = KafkaPublisher(embedded)
    ports = Ports(
        w.store, w.settings, w.clock, w.responder, publisher=publisher, targets=Targets(frozenset({"ml.retrain"}))
    )
    action = Publish(ports)
    first = await action.perform(OPTIONS, CONTEXT)
    again = await action.perform(OPTIONS, CONTEXT)
    crashed = replace(CONTEXT, key="run-2.tell")
    begun(w.store, crashed)  # and the process died before anybody knew what became of it
    resent = await action.perform(replace_key(OPTIONS), crashed)
    other = await action.perform(PublishOptions(topic="elsewhere", value={}), CONTEXT)
    found = await records(embedded, "ml.retrain")
    await publisher.close()
    w.store.close()
    assert isinstance(first, Done)
    assert again == first
    assert first.output["resent"] is False
    assert isinstance(resent, Done)
    assert resent.output["resent"] is True
    assert isinstance(other, Failed)
    assert "there are ml.retrain" in other.reason
    by_key = {dict(record.headers)["idempotency-key"]: record for record in found}
    assert len(found) == len(by_key) == 2
    assert by_key[b"run-1.tell@100.000"].key == b"fraud"
    assert by_key[b"run-1.tell@100.000"].value == b'{"model":"fraud"}'
    assert by_key[b"run-2.tell@100.000"].key == b"run-2.tell"
    assert dict(by_key[b"run-2.tell@100.000"].headers)["resent"] == b"true"


def replace_key(options):
    return options.model_copy(update={"key": ""})


async def test_a_broker_that_is_away_is_tried_again_and_the_next_one_is_marked(tmp_path):
    class Away:
        def __init__(self):
            self.headers = []

        async def publish(self, topic, key, value, headers=None):
            self.headers.append(headers)
            return RetryLater(1.0, "away") if len(self.headers) == 1 else Done({"topic": topic})

    w = world(tmp_path)
    away = Away()
    action = Publish(
        Ports(w.store, w.settings, w.clock, w.responder, publisher=away, targets=Targets(frozenset({"t"})))
    )
    options = PublishOptions(topic="t", value={})
    assert isinstance(await action.perform(options, CONTEXT), RetryLater)
    assert isinstance(await action.perform(options, CONTEXT), Done)
    assert [h.get("resent") for h in away.headers] == [None, "true"]
    w.store.close()
