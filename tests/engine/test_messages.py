"""What is shown: buttons that fit the state, why it is you, and hostile text as nothing but text."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.clicks import subject_of
from fireline.domain.effects import AskApproval
from fireline.domain.incidents import EscalateNow, Resolve, RouteReported, RunReported, SignalArrived
from fireline.domain.stops import Stop
from fireline.engine import messages
from fireline.engine.outward import MessageRef
from tests.domain.deciding_world import NOW, Scene, signal

ALL = ["acknowledge", "escalate", "resolve"]


def scene(**given):
    made = Scene()
    made.fires(**given)
    return made


def card(made, now=None):
    return messages.card("k", "C1", made.incident, made.world, now=now or made.now)


def page(made, number=1):
    asked = next(p for p in made.incident.pages if p.number == number)
    return messages.page("k", "U1", made.incident, asked, made.world, now=made.now)


def buttons(message):
    return [button.action for button in message.buttons]


def fields(message):
    return dict(message.fields)


# the stop switch
def test_runs_can_be_stopped_while_one_is_under_way_and_let_go_on_while_they_are_held():
    made = scene()
    assert "stop" not in buttons(card(made)), "nothing runs"
    made.says(RunReported(7, 1, "route-to-fallback", "running", "begun"))
    asked = made.incident.pages[0]
    assert buttons(card(made))[-1] == "stop"
    pulled = Stop(1, made.incident.service, "it does harm", "ann", "slack", NOW, name="Ann Lee")
    for shown in (
        messages.card("k", "C1", made.incident, made.world, now=NOW, stops=[pulled]),
        messages.page("k", "U1", made.incident, asked, made.world, now=NOW, stops=[pulled]),
    ):
        assert buttons(shown)[-1] == "lift"
        assert "pulled by Ann Lee: it does harm" in fields(shown)["Runs are held"]
    everything = replace(pulled, service="")
    shown = messages.card("k", "C1", made.incident, made.world, now=NOW, stops=[everything])
    assert buttons(shown)[-1] == "stop", "lifting it for everything is no button on one incident"
    assert "Runs are held" in fields(shown)
    elsewhere = messages.card("k", "C1", made.incident, made.world, now=NOW, stops=[replace(pulled, service="other")])
    assert "Runs are held" not in fields(elsewhere)


# buttons
def test_whoever_is_asked_can_take_it_pass_it_on_or_end_it():
    made = scene()
    assert buttons(card(made)) == buttons(page(made)) == ALL
    assert card(made).buttons[0].style == "primary"
    assert "Page the next level of INC-7 now?" in [b.confirm for b in card(made).buttons]


def test_nobody_is_asked_to_take_what_somebody_has():
    made = scene()
    made.acks()
    assert buttons(card(made)) == buttons(page(made)) == ["escalate", "resolve"]
    made.says(EscalateNow(7, "ann", "slack"))
    assert buttons(card(made)) == ALL, "it is free again"


def test_there_is_nothing_to_press_on_what_is_over():
    made = scene()
    made.says(Resolve(7, "ann", "slack"))
    assert buttons(card(made)) == buttons(page(made)) == []
    assert card(made).title.startswith("RESOLVED INC-7 fraud-scoring")


def test_a_buttons_value_says_which_incident_as_of_which_version():
    made = scene()
    made.fires("degraded", region="us")
    subject = subject_of(page(made).buttons[0].value)
    assert (subject.incident, subject.version, subject.page) == (7, made.incident.version, 1)
    assert subject_of(card(made).buttons[0].value).page is None


# text
def test_a_page_says_why_it_is_you_until_when_and_who_is_next():
    assert page(scene()).why == (
        "Rule fraud_latency fires on fraud-scoring, which payments-ml answers for (policy payments); you are level 1, "
        "on call from schedule primary, layer weekly, until Mon 09:00; then Bob Roy."
    )


def test_a_card_says_what_fires_on_which_numbers_who_is_on_it_and_since_when():
    made = scene()
    made.fires("degraded", region="us")
    shown = card(made)
    assert shown.body.splitlines() == [
        "outage: fraud_latency{service=fraud-scoring, region=eu}: p99 of fraud-scoring in eu is 2400 ms",
        "degraded: fraud_latency{service=fraud-scoring, region=us}: p99 of fraud-scoring in us is 2400 ms",
    ]
    assert "p99 > 2000.0; p99 2400, n 80; 80 samples" in shown.facts
    assert fields(shown)["On it"] == "nobody yet, asked: Ann Berg"
    made.now += 600
    made.acks()
    made.now += 600
    assert fields(card(made))["On it"] == "Ann Berg, since 03:10"
    assert fields(card(made))["Open for"] == "20 min"


def test_a_card_counts_what_it_does_not_show():
    made = scene()
    for number in range(9):
        made.fires(region=f"r{number}")
    assert card(made).body.splitlines()[-1] == "and 5 more signals"


def test_what_cleared_is_shown_as_cleared_after_what_fires():
    made = scene()
    made.now += 5
    made.fires(region="us")
    made.clears()
    assert [line.split(":")[0] for line in card(made).body.splitlines()] == ["outage", "cleared"]


def test_fallbacks_and_runs_are_shown():
    made = scene()
    made.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail=""))
    made.says(RunReported(7, 12, "route-to-fallback", "running", ""))
    assert fields(card(made))["On fallback"] == "fraud-scoring"
    assert fields(card(made))["Runs"] == "route-to-fallback #12 running"


def test_nobody_is_said_in_capitals():
    made = scene(service="ghost")
    assert fields(card(made))["On it"] == "NOBODY: every level was asked"


def test_a_recordings_incident_says_that_it_is_none_of_now():
    made = Scene()
    past = signal(at=made.now)
    made.says(SignalArrived(replace(past, timeline="march")))
    assert card(made).title.startswith("OUTAGE INC-7 fraud-scoring (march): ")


def test_a_line_finds_its_thread_or_says_what_it_is_about():
    ref = MessageRef("slack", "C1", {"ts": "1"})
    assert messages.line("k", "C1", "it rises", "INC-7", ref).title == "it rises"
    assert messages.line("k", "C1", "it rises", "INC-7", ref).thread == ref
    assert messages.line("k", "C1", "it rises", "INC-7", None).title == "INC-7: it rises"


def test_a_question_can_be_answered_until_it_was():
    effect = AskApproval("k", 7, 12, "ask", "slack", "C1", "Hand it back?")
    asked = messages.approval(effect, None)
    assert buttons(asked) == ["approve", "reject"]
    subject = subject_of(asked.buttons[0].value)
    assert (subject.run, subject.step, subject.incident) == (12, "ask", 7)
    answered = messages.answered(effect, "done", MessageRef("slack", "C1", {"ts": "1"}))
    assert (answered.buttons, answered.body) == ((), "Hand it back?")


HOSTILE = [
    "<!channel> <@U1> *bold* `code` <https://evil.example|click>",
    '<script>alert("x")</script>',
    '"}, {"incident": 99, "version": 1',
    "line\nbreak\r\x00\x1b[31mred",
    "\u202edesrever",
    "{{ 7 * 7 }} ${x} %s {0}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_passes_as_the_value_it_is_and_reaches_no_button(text):
    """Channels escape; here nothing interprets it, and nothing it says becomes something to press."""
    made = Scene()
    hostile = signal(at=NOW, region=text)
    made.says(SignalArrived(replace(hostile, summary=text)))
    shown = page(made)
    assert text in shown.title
    assert text in shown.body
    for button in shown.buttons:
        assert json.loads(button.value) == {"incident": 7, "version": 1, "page": 1}


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_makes_a_message(summary, region):
    made = Scene()
    made.says(SignalArrived(replace(signal(at=NOW, region=region), summary=summary)))
    assert card(made).title == f"OUTAGE INC-7 fraud-scoring: {summary}"
    assert buttons(card(made)) == ALL


def test_how_far_the_numbers_can_be_trusted_stands_below_them():
    made = Scene()
    fired = signal(at=NOW)
    doubt = replace(fired.evidence, notes=("3 % of this window came late: 3 events not counted", "p99 rests on 2"))
    made.says(SignalArrived(replace(fired, evidence=doubt)))
    assert page(made).facts[1:3] == card(made).facts[1:3] == doubt.notes
    entry = made.decisions[0].entries[0]
    assert doubt.notes[0] in entry.text
    assert entry.data["notes"] == list(doubt.notes)
