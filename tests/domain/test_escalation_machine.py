"""Escalation whatever happens: every page ends, nothing is early or comes after the end, and enough must answer."""

from dataclasses import replace
from datetime import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fireline.domain.catalog import Catalog, ContactRule, ContactStep, DailyHours, Severity
from fireline.domain.deciding import Decision, decide, opens
from fireline.domain.deciding_draft import LIVE
from fireline.domain.effects import SendPage
from fireline.domain.incident_acts import ChangeSeverity
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    DeliveryReported,
    EscalateNow,
    Incident,
    Input,
    PageStatus,
    Resolve,
    SignalArrived,
    Status,
    TimerDue,
)
from fireline.domain.oncall import OnCall
from fireline.domain.policies import ALL, Count, Policy, PolicyLevel, When
from tests.domain.deciding_world import NOW, PEOPLE, signal, target, world
from tests.examples import examples

ENDED = {PageStatus.ACKNOWLEDGED, PageStatus.ESCALATED, PageStatus.EXHAUSTED, PageStatus.WITHDRAWN}
NAMES = ("ann", "bob", "cyd", "eve", "stranger")
SEVERITIES = (
    Severity("safety", 0, ack_timeout=600.0, urgency="low"),
    Severity("outage", 1, ack_timeout=1800.0, update_every=900.0),
    Severity("degraded", 2, urgency="low", update_every=300.0),
    Severity("notice", 3, pages=False),
)
ORDERED = replace(
    PEOPLE["ann"],
    rules=(ContactRule((ContactStep("email"), ContactStep("slack", 120.0)), "high"),),
    quiet_hours=DailyHours(time(22), time(7)),
)
QUIET = replace(PEOPLE["bob"], quiet_hours=DailyHours(time(3), time(4)))
TARGETS = st.sampled_from(
    [
        target("person", "ann"),
        target("person", "bob"),
        target("person", "eve"),
        target("person", "gone"),
        target("team", "payments-ml"),
        target("schedule", "primary"),
        target("next", "primary"),
        target("channel", "slack:C9"),
        target("channel", "pager:X"),
        target("group", "slack:S1"),
        replace(target("person", "cyd"), when=When(count=Count(2, 3600.0))),
    ]
)
LEVELS = st.builds(
    PolicyLevel,
    st.lists(TARGETS, min_size=1, max_size=3).map(tuple),
    st.sampled_from([0.0, 60.0, 300.0]),
    st.sampled_from([None, None, When(count=Count(2, 3600.0))]),
    st.sampled_from([1, 1, 2, ALL]),
)
POLICIES = st.builds(
    Policy, st.just("payments"), st.lists(LEVELS, min_size=1, max_size=3).map(tuple), st.integers(0, 2)
)


def placed(policy: Policy, *, ann: bool = True):
    base = world()
    people = {**base.catalog.people, "ann": ORDERED, "bob": QUIET}
    if not ann:
        del people["ann"]
    catalog = Catalog(base.catalog.services, base.catalog.teams, people, SEVERITIES, base.catalog.default_team)
    policies = {**base.oncall.policies, "payments": policy}
    return world(catalog=catalog, oncall=OnCall(base.oncall.schedules, policies))


class Escalations(RuleBasedStateMachine):
    """One incident whose policy, people and severity change under it."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = Policy("payments", (PolicyLevel((target("team", "payments-ml"),), 300.0, acknowledge=ALL),), 1)
        self.world = placed(self.policy)
        self.now = NOW
        self.incident: Incident | None = None
        self.timers: dict[str, object] = {}
        self.number = 0

    def says(self, what: Input) -> Decision:
        before, number = self.incident, None
        if isinstance(what, SignalArrived) and opens(before, what.signal, self.world, self.now):
            self.number += 1
            number = self.number
        decision = decide(before, what, self.world, self.now, number=number)
        if number is not None:
            self.timers.clear()
        for key in decision.disarm:
            self.timers.pop(key, None)
        self.timers.update({timer.key: timer for timer in decision.arm})
        for timer in decision.arm:
            assert timer.due_at >= self.now or timer.kind == "silence", "no deadline is armed in the past"
        sent = [effect for effect in decision.effects if isinstance(effect, SendPage)]
        self.incident = decision.incident
        if self.incident is not None and self.incident.status is Status.RESOLVED:
            assert not sent, "nobody is paged for what is over"
        for effect in sent:
            page = next(p for p in self.incident.pages if p.number == effect.page)
            steps = [step.due_at for step in page.plan if step.channel == effect.channel]
            tried = [a for a in page.attempts if a.state == "failed"]
            assert not steps or steps[0] <= self.now or tried or page.status in ENDED or _gone(page, self.world), (
                "early"
            )
        return decision

    @rule(severity=st.sampled_from(["safety", "outage", "degraded", "notice"]), name=st.sampled_from(["a", "b"]))
    def fires(self, severity: str, name: str) -> None:
        self.says(SignalArrived(signal("firing", severity, rule=name, at=self.now)))

    @rule(name=st.sampled_from(["a", "b"]))
    def clears(self, name: str) -> None:
        self.says(SignalArrived(signal("clear", rule=name, at=self.now)))

    @rule(seconds=st.sampled_from([1.0, 59.0, 300.0, 3601.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: bool(self.timers))
    @rule(early=st.booleans())
    def the_next_deadline(self, early: bool) -> None:
        timer = min(self.timers.values(), key=lambda t: (t.due_at, t.key))
        before = self.incident
        if early and timer.due_at - 0.5 > self.now:
            self.now = timer.due_at - 0.5
            self.says(TimerDue(timer.incident, timer.kind, timer.key, timer.due_at))
            assert self.incident.pages == before.pages, "early: nobody is asked"
            return
        self.now = max(self.now, timer.due_at)
        self.says(TimerDue(timer.incident, timer.kind, timer.key, timer.due_at))
        assert self.timers.get(timer.key) != timer

    @precondition(lambda self: self.incident is not None)
    @rule(person=st.sampled_from(NAMES))
    def acknowledges(self, person: str) -> None:
        before = self.incident
        decision = self.says(Acknowledge(before.number, person, "slack"))
        assert decision.reply
        escalation = before.escalation
        if before.acknowledged_by is not None or self.incident.acknowledged_by is None or escalation is None:
            return
        answered = {*escalation.acknowledged, person}
        counted = answered & set(escalation.asked) if escalation.asked else answered
        assert escalation.exhausted or len(counted) >= escalation.needs, "acknowledged by fewer than must"

    @precondition(lambda self: self.incident is not None)
    @rule(person=st.sampled_from(NAMES), what=st.sampled_from([EscalateNow, Resolve]))
    def asks(self, person: str, what: type) -> None:
        self.says(what(self.incident.number, person, "slack"))

    @precondition(lambda self: self.incident is not None)
    @rule(severity=st.sampled_from([None, "outage", "degraded"]))
    def sets_severity(self, severity: str | None) -> None:
        self.says(ChangeSeverity(self.incident.number, "cyd", "cli", severity))

    @precondition(lambda self: self.incident is not None)
    @rule()
    def writes(self) -> None:
        self.says(AddNote(self.incident.number, "ann", "looked"))

    @precondition(lambda self: self.incident is not None and self.incident.pages)
    @rule(delivered=st.booleans(), channel=st.sampled_from(["slack", "email"]))
    def the_last_page_is_reported(self, delivered: bool, channel: str) -> None:
        number = self.incident.pages[-1].number
        self.says(DeliveryReported(self.incident.number, number, channel, delivered, "said so"))

    @rule(policy=POLICIES, ann=st.booleans())
    def files_change(self, policy: Policy, ann: bool) -> None:
        self.world = placed(policy, ann=ann)

    @invariant()
    def steps_are_of_live_pages(self) -> None:
        """A deadline of a step is of a page that waits, and of a page that waits for its time there is one."""
        if self.incident is None:
            assert not self.timers
            return
        live = [page for page in self.incident.pages if page.status in LIVE]
        numbers = {f"page-{page.number}" for page in live}
        kept = {key.split("/")[1] for key, timer in self.timers.items() if timer.kind == "contact"}
        assert kept <= numbers
        assert {f"page-{page.number}" for page in live if not page.attempts} <= kept

    @invariant()
    def what_is_asked_has_an_end(self) -> None:
        """A live page is of a level that waits; so it ends acknowledged, escalated, exhausted or withdrawn."""
        if self.incident is None:
            return
        live = [page for page in self.incident.pages if page.status in LIVE]
        waits = f"inc-{self.incident.number}/escalate" in self.timers
        settling = not self.incident.firing
        unpaged = not self.world.severity(self.incident.severity).pages
        assert not live or waits or settling or unpaged
        assert all(page.status in ENDED for page in self.incident.pages if page not in live)

    @invariant()
    def nothing_outlives_the_end(self) -> None:
        if self.incident is None:
            return
        if self.incident.status is Status.RESOLVED:
            assert not self.timers
        kinds = {timer.kind for timer in self.timers.values()}
        if self.incident.acknowledged_by is None:
            assert not kinds & {"ack_timeout", "ack_warning", "update"}
        else:
            assert not kinds & {"escalate", "contact"}


def _gone(page, world) -> bool:
    """Whether an earlier step's channel is not the person's any more, so that the next one took its place."""
    known = world.person(page.person).contacts
    return any(step.channel not in known for step in page.plan)


Escalations.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestEscalations = Escalations.TestCase
