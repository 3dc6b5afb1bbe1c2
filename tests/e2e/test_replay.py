"""Recordings of real systems through the whole of Fireline: `fireline replay` opens incidents with owners."""

import gzip
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from fireline.domain.incidents import Incident
from tests.e2e.harness import Fireline, eventually

MONTHS = 24_000
"""Events of the first eight months of the electricity market: `price_direction_agreement` fires three times in them."""
pytestmark = [pytest.mark.slow, pytest.mark.shared_data, pytest.mark.timeout(1800)]


def replay(fireline: Fireline, *words: str) -> str:
    command = [sys.executable, "-m", "fireline.apps", "replay", *words]
    done = subprocess.run(command, env=fireline.environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def first_months(recording: Path, home: Path) -> Path:
    """The beginning of a recording: the model decays in it, and it is more than the broker is fed at a time."""
    short = home / recording.name
    with gzip.open(recording, "rb") as lines, gzip.open(short, "wb", compresslevel=1) as kept:
        kept.writelines(islice(lines, MONTHS))
    return short


def owners(fireline: Fireline) -> dict[str, str]:
    return {i.service: i.owner for i in fireline.incidents() if i.timeline.startswith("replay of ")}


def paged(incident: Incident) -> set[str]:
    return {page.person for page in incident.pages}


def test_replayed_recordings_open_incidents_that_name_their_owner(tmp_path: Path, repository: Path, shared_data: Path):
    nab = shared_data / "nab" / "realKnownCause"
    with Fireline(tmp_path, repository) as fireline:
        latency = str(nab / "ec2_request_latency_system_failure.csv")
        told = replay(fireline, latency, "--name", "ec2_request_latency")
        assert "4032 events" in told
        replay(fireline, str(nab / "cpu_utilization_asg_misconfiguration.csv"), "--name", "cpu_utilization_asg")
        replay(fireline, str(first_months(shared_data / "elec2" / "events.ndjson.gz", tmp_path)))
        wanted = {"checkout-host": "platform", "web-fleet": "platform", "price-direction": "market-ml"}
        eventually(f"incidents of {sorted(wanted)}", lambda: wanted.items() <= owners(fireline).items(), 90)
        people = {i.service: paged(i) for i in fireline.incidents()}
        assert people["checkout-host"] == {"dana"}
        assert people["price-direction"] <= {"emil", "cleo"}
        assert people["price-direction"]

        def all_judged() -> bool:
            with fireline.store.reading() as tx:
                fact = tx.fact("stream")
            return fact is not None and fact[0]["events"] == 4032 + 18050 + MONTHS

        eventually("every event was judged, none lost on the way", all_judged, 120)
