"""The shipped rules on real recordings: they fire where people said that something was wrong."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fireline.apps.bootstrap import plugins
from fireline.apps.replay_files import Recorded, read_recording
from fireline.domain.configuration import Configuration
from fireline.domain.rules import Signal, State
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from fireline.spec.loading import load

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def configuration(repository: Path) -> Configuration:
    loaded = load(repository / "rules", repository / "runbooks", plugins())
    assert loaded.configuration is not None
    return loaded.configuration


def signals(configuration: Configuration, rule: str, file: Path, name: str | None = None) -> list[Signal]:
    records = [r.value for r in read_recording(file, name) if isinstance(r, Recorded)]
    return list(play([configuration.rules[rule]], FAMILIES, FORMATS["native"], records).signals)


def windows(shared_data: Path, file: str) -> list[tuple[float, float]]:
    labels = json.loads((shared_data / "nab" / "labels.json").read_text())[file]
    begin_and_end = [[datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t in window] for window in labels]
    return [(begin, end) for begin, end in begin_and_end]


@pytest.mark.parametrize(
    ("rule", "file", "name", "at_least"),
    [
        ("checkout_host_latency", "realKnownCause/ec2_request_latency_system_failure.csv", "ec2_request_latency", 2),
        ("web_fleet_cpu", "realKnownCause/cpu_utilization_asg_misconfiguration.csv", "cpu_utilization_asg", 1),
    ],
)
def test_server_rules_fire_inside_labelled_windows(configuration, shared_data, rule, file, name, at_least):
    fired = [s for s in signals(configuration, rule, shared_data / "nab" / file, name) if s.state is State.FIRING]
    caught = [w for w in windows(shared_data, file) if any(w[0] <= s.at <= w[1] for s in fired)]
    assert len(caught) >= at_least
    assert {s.service for s in fired} <= set(configuration.catalog.services)


def test_the_decay_of_a_real_model_is_an_outage_and_a_healthy_year_is_not(configuration, shared_data):
    found = signals(configuration, "price_direction_agreement", shared_data / "elec2" / "events.ndjson.gz")
    outages = [datetime.fromtimestamp(s.at, UTC) for s in found if s.state is State.FIRING and s.severity == "outage"]
    assert any(datetime(1998, 4, 1, tzinfo=UTC) <= at <= datetime(1998, 7, 31, tzinfo=UTC) for at in outages)
    assert not [at for at in outages if datetime(1996, 11, 1, tzinfo=UTC) <= at < datetime(1998, 4, 1, tzinfo=UTC)]


def test_verdicts_of_a_recording_do_not_depend_on_how_it_is_cut(configuration, shared_data):
    file = shared_data / "nab" / "realKnownCause" / "ec2_request_latency_system_failure.csv"
    records = [r.value for r in read_recording(file, "ec2_request_latency") if isinstance(r, Recorded)]
    rule = configuration.rules["checkout_host_latency"]
    cuts = [play([rule], FAMILIES, FORMATS["native"], records, batch=size).signals for size in (1, 7, 500, 10_000)]
    told = [[(s.state, s.severity, round(s.episode)) for s in cut] for cut in cuts]
    assert told[0] == told[1] == told[2] == told[3]
