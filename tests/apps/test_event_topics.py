"""Which topics are read, and how, when settings and `topics.yaml` both speak of them."""

import pytest

from fireline.apps.event_topics import configured_topics, formats_of, overruled, topics_of
from fireline.apps.settings import NATIVE_TOPICS, load_settings
from fireline.domain.topics import FieldMap, Topic
from fireline.sources import FORMATS

PAYMENTS = Topic("payments", "cloudevents", FieldMap(key="service"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.delenv("FIRELINE_TOPICS", raising=False)


def test_the_topics_of_the_file_are_read_beside_those_of_the_settings():
    settings = load_settings()
    topics = topics_of(settings, {"payments": PAYMENTS})
    assert topics.keys() == {*NATIVE_TOPICS, "payments"}
    formats = formats_of(settings, {"payments": PAYMENTS})
    assert formats["fireline.metrics"] is FORMATS["native"], "nothing is put around what is not mapped"
    assert formats["payments"] is not FORMATS["cloudevents"]


def test_the_file_wins_and_says_so_when_the_settings_were_made_for_another_format(monkeypatch):
    monkeypatch.setenv("FIRELINE_TOPICS", "payments=native,orders=cloudevents")
    settings = load_settings()
    configured = {"payments": PAYMENTS, "orders": Topic("orders", "cloudevents")}
    assert {name: topic.format for name, topic in topics_of(settings, configured).items()} == {
        "payments": "cloudevents",
        "orders": "cloudevents",
    }
    assert overruled(settings, configured) == [
        "topics.yaml reads payments as cloudevents, which takes the place of FIRELINE_TOPICS' native"
    ]


def test_settings_that_nobody_wrote_are_not_overruled():
    assert overruled(load_settings(), {"fireline.metrics": Topic("fireline.metrics", "cloudevents")}) == []


def test_commands_read_the_file_as_it_is_now_and_nothing_of_a_faulty_one(tmp_path, repository):
    for name in ("catalog.yaml", "oncall.yaml"):
        (tmp_path / name).write_text((repository / "rules" / name).read_text())
    (tmp_path / "runbooks").mkdir()
    settings = load_settings(rules=tmp_path, runbooks=tmp_path / "runbooks")
    file = tmp_path / "topics.yaml"
    file.write_text("topics: {payments: {format: cloudevents, key: service}}\n")
    assert configured_topics(settings) == {"payments": PAYMENTS}
    file.write_text("topics: {payments: {format: cloudevent}}\n")
    assert configured_topics(settings) == {}
