"""`fireline topics`: differences between what is wanted and what is there, and making the two agree on request."""

import json

import pytest

from fireline.adapters.kafka_connection import Connection
from fireline.adapters.kafka_topic_states import TopicState, make_topic, topic_states
from fireline.adapters.kafka_topics import DEAD_LETTER, INCIDENTS, PARTIALS, ROUTES, Topic, topics_of_fireline
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.topics_check import Weight, differences, told

EVENTS = "fireline.metrics"
KEPT = {
    "cleanup.policy": "delete", "retention.ms": str(30 * 86_400_000), "min.insync.replicas": "1",
    "max.message.bytes": "1048588",
}  # fmt: skip
COMPACT = {**KEPT, "cleanup.policy": "compact"}


def state(name, partitions=4, replication=1, **options) -> TopicState:
    kept = COMPACT if name in {INCIDENTS, ROUTES} else KEPT
    return TopicState(name, partitions, replication, {**kept, **{k.replace("_", "."): v for k, v in options.items()}})


def found(*changed: TopicState, brokers=1, partitions=None):
    states = {name: state(name) for name in (EVENTS, PARTIALS, DEAD_LETTER, INCIDENTS, ROUTES)}
    states |= {one.name: one for one in changed}
    return differences(topics_of_fireline([EVENTS]), states, brokers=brokers, partitions=partitions)


def only(*changed, **more):
    (difference,) = found(*changed, **more)
    return difference


def test_topics_as_they_are_created_have_no_difference():
    assert found() == []


def test_a_missing_topic():
    difference = differences([Topic(EVENTS, 4)], {}, brokers=1)[0]
    assert (difference.weight, difference.missing, difference.remedy("b:1")) == (
        Weight.WRONG, True, "fireline topics create",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "options"),
    [
        (state(ROUTES, cleanup_policy="delete"), {"cleanup.policy": "compact"}),
        (state(INCIDENTS, cleanup_policy="compact,delete"), {"cleanup.policy": "compact"}),
        (state(EVENTS, cleanup_policy="compact"), {"cleanup.policy": "delete"}),
        (state(PARTIALS, retention_ms="3600000"), {"retention.ms": "86400000"}),
        (state(DEAD_LETTER, retention_ms="86400000"), {"retention.ms": str(14 * 86_400_000)}),
        (state(PARTIALS, max_message_bytes="100000"), {"max.message.bytes": "1048588"}),
        (state(EVENTS, min_insync_replicas="2"), {"min.insync.replicas": "1"}),
    ],
)
def test_what_is_wrong_and_can_be_set(one, options):
    difference = only(one)
    assert (difference.weight, difference.topic, difference.options) == (Weight.WRONG, one.name, options)
    assert difference.fixable
    remedy = difference.remedy("kafka:9092")
    assert "fireline topics create --fix" in remedy
    assert f"--entity-name {one.name} --add-config {next(iter(options))}=" in remedy


def test_what_is_longer_larger_or_for_ever_is_right():
    assert found(state(PARTIALS, retention_ms="-1"), state(DEAD_LETTER, max_message_bytes="9999999")) == []
    assert found(state(EVENTS, retention_ms=str(3_600_000))) == []


def test_what_is_only_to_be_known():
    assert only(state(EVENTS, retention_ms="60000")).weight is Weight.NOTE
    assert not only(state(EVENTS, retention_ms="60000")).fixable, "it is not ours"
    assert [d.weight for d in found(brokers=3)] == [Weight.NOTE] * 5, "one replica of three possible ones"
    assert only(state(ROUTES, replication=3)).options == {"min.insync.replicas": "2"}
    assert only(state(ROUTES, replication=2, min_insync_replicas="2")).options == {"min.insync.replicas": "1"}
    unseen = only(TopicState(ROUTES, 1, 1, {}))
    assert (unseen.weight, "DescribeConfigs" in unseen.remedy("")) == (Weight.NOTE, True)


def test_too_few_partitions_are_told_when_a_number_is_wanted_and_those_of_partials_are_never_altered():
    assert found(state(EVENTS, 1)) == []
    difference = only(state(EVENTS, 1), partitions=4)
    assert (difference.weight, difference.partitions) == (Weight.WRONG, 4)
    assert "--fix --partitions 4" in difference.remedy("")
    partials = only(state(PARTIALS, 2), partitions=4)
    assert (partials.weight, partials.fixable) == (Weight.WRONG, False)
    assert "never altered" in partials.remedy("")
    assert "windows" in partials.remedy("")
    assert only(state(PARTIALS, 2)).weight is Weight.NOTE, "fewer than the topics of events have"


def test_times_for_people():
    assert [told(ms) for ms in (-1, 5, 1500, 90_000, 3_600_000, 14 * 86_400_000)] == [
        "ever", "5 ms", "1.5 s", "1.5 min", "1 h", "14 d",
    ]  # fmt: skip


def test_of_the_embedded_broker_it_says_what_cannot_be_set(house, embedded_broker):
    with house.store.transaction() as tx:
        fact = {"bootstrap": embedded_broker.bootstrap, "generation": embedded_broker.generation}
        tx.put_fact(BROKER_FACT, fact, house.clock.now())
    missing = house("topics", "check")
    assert missing.code == 1
    assert "fireline.dead-letter" in missing.out
    made = house("topics", "create", "--fix", "--partitions", "9")
    assert made.code == 0
    assert "compacts nothing" in made.err
    assert house("topics", "check", "--partitions", "9").code == 0
    listed = house("topics", "ls")
    assert f"{ROUTES}\tFireline\t4\t1\t0\t-" in listed.out


@pytest.mark.kafka
def test_on_apache_kafka_what_is_wrong_is_told_mended_on_request_and_nothing_else_touched(house, own_apache_kafka):
    connection = own_apache_kafka.connection
    house.set(KAFKA=connection.bootstrap)
    for topic in (Topic(PARTIALS, 2, retention_ms=3_600_000), Topic(ROUTES, 1), Topic(EVENTS, 1)):
        assert make_topic(connection, topic) == ""
    assert "already exists" in make_topic(connection, Topic(EVENTS, 1))
    assert house("topics", "check").code == 1
    rows = json.loads(house("topics", "check", "--json", "--partitions", "4").out)
    wrong = {(row["topic"], row["found"]) for row in rows if row["found"] != "no such topic"}
    assert wrong == {
        (PARTIALS, "2 partitions"), (PARTIALS, "kept for 1 h"), (ROUTES, "cleanup.policy=delete"),
        (EVENTS, "1 partition"),
    }  # fmt: skip
    before = states(connection)
    assert house("topics", "create", "--dry-run", "--fix", "--partitions", "4").code == 0
    assert states(connection) == before

    created = house("topics", "create")
    assert created.code == 1, "what exists is altered by --fix alone"
    now = states(connection)
    assert {name: now[name] for name in before} == before
    doctor = kafka_of(house("doctor", "--json").out)
    assert (doctor["finding"], "fireline topics check" in doctor["remedy"]) == ("fault", True)
    assert "fireline.routes has cleanup.policy=delete, wanted compact" in doctor["found"]
    assert now.keys() >= {DEAD_LETTER, INCIDENTS}
    assert now[INCIDENTS].configuration["cleanup.policy"] == "compact"

    refused = house("topics", "create", "--fix", "--partitions", "4")
    assert refused.code == 1
    assert "never altered" in refused.out
    now = states(connection)
    assert (now[PARTIALS].partitions, now[EVENTS].partitions) == (2, 4)
    assert now[PARTIALS].configuration["retention.ms"] == "86400000"
    assert now[ROUTES].configuration["cleanup.policy"] == "compact"
    sound = house("topics", "check")
    assert sound.code == 0
    assert "note: 2 partitions" in sound.out
    assert kafka_of(house("doctor", "--json").out)["finding"] == "note"
    row = next(row for row in json.loads(house("topics", "ls", "--json").out) if row["topic"] == DEAD_LETTER)
    assert (row["partitions"], row["retention_ms"], row["records"]) == (1, 14 * 86_400_000, 0)


def kafka_of(told: str) -> dict[str, str]:
    return next(check for check in json.loads(told) if check["check"] == "kafka")


def states(connection: Connection) -> dict[str, TopicState]:
    return topic_states(connection, [topic.name for topic in topics_of_fireline([EVENTS])])
