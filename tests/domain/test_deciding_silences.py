"""What silences do to an incident, decided: whatever happens, nobody is paged while all of it is held back."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.deciding_draft import LIVE
from fireline.domain.effects import Say, SendPage
from fireline.domain.incidents import EscalateNow, RunReported, SilencesChanged, Status
from fireline.domain.silence_matchers import parse
from fireline.domain.silences import Recurrence, Resolves, Silence, Silences
from fireline.engine.recurring import starts
from tests.domain.deciding_world import NOW, Scene, kinds, of, texts

FRAUD = 'service="fraud-scoring"'


def silence(number: int, start: float, end: float, matchers: str = FRAUD, **more) -> Silence:
    return Silence(number, "", parse(matchers), NOW + start, NOW + end, "ann", "because", **more)


def scene(*silences: Silence) -> Scene:
    return Scene(silences=Silences(silences, starts))


def put(told: Scene, *silences: Silence):
    """Other silences from now on, which the open incident hears of."""
    told.world = replace(told.world, silences=Silences(silences, starts))
    return told.says(SilencesChanged(told.incident.number))


def test_a_silence_that_comes_later_is_waited_for_and_stops_the_escalation() -> None:
    told = scene(silence(1, 120.0, 600.0))
    told.fires()
    assert len(told.incident.pages) == 1
    heard = told.passes(120.0)
    assert "silenced" in kinds(heard[-1])
    assert "No further page: silenced by S-1 of Ann Berg" in texts(heard[-1])
    assert told.incident.escalation is None
    assert not any(page.status in LIVE for page in told.incident.pages)
    assert [e for d in told.passes(479.0) for e in of(d, SendPage)] == []
    assert [e.incident for d in told.passes(1.0) for e in of(d, SendPage)] == [told.incident.number]


def test_an_acknowledgement_that_goes_stale_in_a_silence_pages_when_it_ends() -> None:
    told = scene()
    told.fires()
    told.acks()
    put(told, silence(1, 0.0, 7200.0))
    assert told.incident.acknowledged_by == "ann"
    stale = told.passes(1800.0)
    assert "Not paged: still silenced by S-1" in "".join(texts(d) for d in stale)
    assert [e for d in stale for e in of(d, SendPage)] == []
    assert [e.person for d in told.passes(5400.0) for e in of(d, SendPage)][:1] == ["ann"]


def test_an_exhausted_incident_begins_anew_after_a_silence() -> None:
    told = scene()
    told.fires()
    told.passes(3600.0)
    assert told.incident.escalation.exhausted
    put(told, silence(1, 3000.0, 3700.0))
    assert [e for d in told.passes(100.0) for e in of(d, SendPage)]


def test_a_run_that_fails_in_a_silence_says_why_nobody_is_paged() -> None:
    told = scene(silence(1, 0.0, 600.0))
    told.fires()
    failed = told.says(RunReported(told.incident.number, 1, "reroute", "failed", ""))
    assert of(failed, SendPage) == []
    assert "Not paged: still silenced by S-1" in texts(failed)


def test_a_silence_that_is_made_longer_is_told_and_holds() -> None:
    told = scene(silence(1, 0.0, 600.0))
    told.fires()
    longer = put(told, silence(1, 0.0, 1200.0))
    assert "Silenced by S-1 until" in texts(longer)
    assert [e for d in told.passes(1199.0) for e in of(d, SendPage)] == []
    assert kinds(put(told, silence(1, 0.0, 1200.0))) == []


@pytest.mark.parametrize(("resolves", "said"), [(Resolves.PASS, True), (Resolves.HOLD, False)])
def test_the_end_of_a_silenced_incident_is_said_where_the_silence_lets_it_through(resolves, said) -> None:
    told = scene(silence(1, 0.0, 7200.0, resolves=resolves))
    told.fires()
    told.clears()
    heard = told.passes(60.0)
    assert told.incident.status is Status.RESOLVED
    assert any("Resolved: nothing has fired" in entry.text for d in heard for entry in d.entries)
    assert any("Resolved: nothing has fired" in each.text for d in heard for each in of(d, Say)) is said


def test_an_incident_that_is_reopened_in_a_silence_says_again_why_nobody_is_paged() -> None:
    told = scene(silence(1, 0.0, 7200.0))
    told.fires()
    told.clears()
    told.passes(120.0)
    again = told.fires()
    assert told.incident.reopened == 1
    assert kinds(again).count("silenced") == 1
    assert "Not paged: still silenced by S-1 of Ann Berg" in texts(again)


def test_windows_hold_again_and_again() -> None:
    first = datetime(2026, 3, 3, 2, 50)
    hourly = Recurrence("FREQ=HOURLY", "Europe/Berlin", first, 900.0)  # 02:50 to 03:05, and every hour
    told = scene(silence(1, -600.0, 9e6, recurrence=hourly))
    told.fires()
    assert told.incident.pages == ()
    assert told.passes(299.0) == []
    assert len([e for d in told.passes(1.0) for e in of(d, SendPage)]) == 1
    again = told.passes(2700.0)
    assert "silenced" in [k for d in again for k in kinds(d)]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["fires", "clears", "other", "rises", "acks", "run"]),
        st.floats(0.0, 900.0),
    ),
    max_size=12,
)


@given(ACTS)
def test_nobody_is_paged_while_all_that_fires_is_held_back_and_somebody_is_once_it_is_not(acts) -> None:
    told = scene(silence(1, 0.0, 5000.0, 'rule=~"fraud.*"'))
    decisions = [told.fires("degraded")]
    for name, after in acts:
        decisions += told.passes(after)
        if name in {"fires", "other", "rises"}:
            given_ = {"fires": {}, "other": {"region": "us"}, "rises": {"severity": "outage"}}[name]
            decisions.append(told.fires(**{"severity": "degraded", **given_}))
        elif name == "clears":
            decisions.append(told.clears())
        elif name == "acks":
            decisions.append(told.acks("bob"))
        elif name == "run":
            decisions.append(told.says(RunReported(told.incident.number, 1, "reroute", "failed", "")))
    # a run that fails while nothing fires is no signal that a silence could match, and pages
    held = [d for d in decisions if d.incident is not None and d.incident.firing and of(d, SendPage)]
    assert all(entry.at >= NOW + 5000.0 for d in held for entry in d.entries)
    told.passes(max(0.0, NOW + 5000.0 - told.now))
    open_ = told.incident.status is not Status.RESOLVED and told.incident.firing
    if open_ and told.incident.acknowledged_by is None:
        assert told.incident.pages, "it fires, nobody has it, and nothing is silenced"


def test_who_asks_for_the_next_level_is_heard_until_it_is_resolved() -> None:
    told = scene(silence(1, 0.0, 86_400.0))
    told.fires()
    asked = told.says(EscalateNow(told.incident.number, "cyd", "slack"))
    assert of(asked, SendPage)
    again = told.fires("outage", region="us")
    assert "silenced" not in kinds(again)
    assert any(page.status in LIVE for page in told.incident.pages)
