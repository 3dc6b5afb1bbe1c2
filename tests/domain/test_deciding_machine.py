"""Whatever happens in whatever order: the decision function has an answer, and its promises hold."""

from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fireline.domain.deciding import Decision, decide, opens
from fireline.domain.deciding_draft import LIVE, standing
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
    RouteReported,
    RunReported,
    SignalArrived,
    Status,
    TimerDue,
)
from fireline.domain.oncall import OnCall
from tests.domain.deciding_world import NOW, policy, signal, target, world
from tests.examples import examples

PEOPLE = st.sampled_from(["ann", "bob", "stranger"])
SERVICES = st.sampled_from(["fraud-scoring", "ghost", "search", "nowhere"])
SEVERITIES = st.sampled_from(["safety", "outage", "degraded", "notice", "invented"])
REGIONS = st.sampled_from(["eu", "us"])
VERSIONS = st.one_of(st.none(), st.integers(0, 12))
ONCALLS = st.sampled_from(
    [
        world().oncall,
        OnCall(),
        OnCall({}, {"payments": policy("payments", [target("person", "ann")], repeat=3, wait=0.0)}),
        OnCall(
            world().oncall.schedules,
            {"payments": policy("payments"), "platform": policy("platform", [target("team", "none")])},
        ),
    ]
)


class Machine(RuleBasedStateMachine):
    """One incident key of one service, with its timers, under everything that may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world()
        self.now = NOW
        self.incident: Incident | None = None
        self.timers: dict[str, object] = {}
        self.sent: set[str] = set()
        self.number = 0

    def says(self, what: Input) -> Decision:
        before = self.incident
        number = None
        if isinstance(what, SignalArrived) and opens(before, what.signal, self.world, self.now):
            self.number += 1
            number = self.number
        decision = decide(before, what, self.world, self.now, number=number)
        after = decision.incident
        if before is not None and after is not None and after.number == before.number:
            assert after.version - before.version in (0, 1)
            assert (after == before) == (after.version == before.version)
        elif after is not None:
            assert after.version == 1
            self.timers.clear()  # the key's next incident; the one before it is resolved and has none
        changed = before is None or after is None or after.version != before.version
        assert changed or not decision.effects
        assert decision.reason or decision.reply
        for key in decision.disarm:
            self.timers.pop(key, None)
        self.timers.update({timer.key: timer for timer in decision.arm})
        for effect in decision.effects:
            if isinstance(effect, SendPage):
                assert effect.key not in self.sent, "an effect's key is used for one thing only"
                self.sent.add(effect.key)
        self.incident = after
        return decision

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 61.0, 300.0, 1801.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(severity=SEVERITIES, region=REGIONS, name=st.sampled_from(["a", "b"]), again=st.booleans())
    def fires(self, severity: str, region: str, name: str, again: bool) -> None:
        episode = NOW if again else self.now
        self.says(SignalArrived(signal("firing", severity, rule=name, region=region, at=self.now, episode=episode)))

    @rule(region=REGIONS, name=st.sampled_from(["a", "b"]), state=st.sampled_from(["clear", "unknown"]))
    def clears(self, region: str, name: str, state: str) -> None:
        self.says(SignalArrived(signal(state, rule=name, region=region, at=self.now)))

    @precondition(lambda self: self.incident is not None)
    @rule(person=PEOPLE, version=VERSIONS, what=st.sampled_from([Acknowledge, EscalateNow, Resolve]))
    def clicks(self, person: str, version: int | None, what: type) -> None:
        resolved = self.incident.status is Status.RESOLVED
        before = self.incident
        decision = self.says(what(self.incident.number, person, "slack", version))
        assert decision.reply
        if resolved:
            assert decision.incident == before, "a late click changes nothing"

    @precondition(lambda self: self.incident is not None)
    @rule(person=PEOPLE, severity=st.one_of(st.none(), SEVERITIES))
    def sets_severity(self, person: str, severity: str | None) -> None:
        self.says(ChangeSeverity(self.incident.number, person, "cli", severity))

    @precondition(lambda self: self.incident is not None)
    @rule()
    def writes(self) -> None:
        self.says(AddNote(self.incident.number, "ann", "looked"))

    @precondition(lambda self: self.incident is not None)
    @rule(
        page=st.integers(0, 6), channel=st.sampled_from(["slack", "email"]), delivered=st.booleans(), late=st.booleans()
    )
    def delivers(self, page: int, channel: str, delivered: bool, late: bool) -> None:
        pending = late and not delivered
        self.says(DeliveryReported(self.incident.number, page, channel, delivered, "said so", pending))

    @precondition(lambda self: self.incident is not None)
    @rule(status=st.sampled_from(["running", "succeeded", "failed", "undo_failed"]))
    def runs(self, status: str) -> None:
        self.says(RunReported(self.incident.number, 1, "reroute", status, ""))

    @precondition(lambda self: self.incident is not None)
    @rule(on=st.booleans(), service=st.sampled_from(["fraud-scoring", "search"]))
    def routes(self, on: bool, service: str) -> None:
        self.says(RouteReported(self.incident.number, service, on, ""))

    @precondition(lambda self: bool(self.timers))
    @rule(choice=st.integers(0, 5))
    def timer_comes_due(self, choice: int) -> None:
        timer = sorted(self.timers.values(), key=lambda t: t.key)[choice % len(self.timers)]
        self.now = max(self.now, timer.due_at)
        self.says(TimerDue(timer.incident, timer.kind, timer.key, timer.due_at))
        assert self.timers.get(timer.key) != timer, "a deadline that was handled is removed or armed anew"

    @precondition(lambda self: self.incident is not None)
    @rule(kind=st.sampled_from(["escalate", "settle", "ack_timeout", "lease/fraud-scoring", "invented"]))
    def timer_comes_when_it_should_not(self, kind: str) -> None:
        key = f"inc-{self.incident.number}/{kind}"
        self.timers.pop(key, None)
        self.says(TimerDue(self.incident.number, kind.split("/", maxsplit=1)[0], key, self.now))

    @rule(oncall=ONCALLS)
    def configuration_is_reloaded(self, oncall: OnCall) -> None:
        self.world = world(oncall=oncall)

    @invariant()
    def status_follows_from_what_is_known(self) -> None:
        if self.incident is not None:
            assert self.incident.status is standing(self.incident)

    @invariant()
    def resolved_means_over(self) -> None:
        if self.incident is None or self.incident.status is not Status.RESOLVED:
            return
        assert not self.timers
        assert not self.incident.leases
        for page in self.incident.pages:
            assert page.status not in LIVE
            assert all(attempt.state != "sending" for attempt in page.attempts)

    @invariant()
    def waiting_means_a_deadline(self) -> None:
        if self.incident is None:
            return
        escalation = self.incident.escalation
        waits = escalation is not None and escalation.due_at is not None
        key = f"inc-{self.incident.number}/escalate"
        assert waits == (key in self.timers)
        if self.incident.acknowledged_by is not None:
            assert not waits
            assert not [p for p in self.incident.pages if p.status in LIVE]

    @invariant()
    def unattended_means_being_asked_or_said_why_not(self) -> None:
        """A firing incident is acknowledged, or waits for somebody, or is exhausted, or does not page."""
        if self.incident is None or self.incident.status is not Status.TRIGGERED or not self.incident.firing:
            return
        escalation = self.incident.escalation
        attended = escalation is not None and (escalation.due_at is not None or escalation.exhausted)
        unpaged = self.world.severity(self.incident.severity).pages is False
        assert attended or unpaged

    @invariant()
    def settling_has_a_deadline(self) -> None:
        """Or waits for the end of a run that is at work."""
        if self.incident is not None and self.incident.settle_due_at is not None and not self.incident.at_work:
            assert f"inc-{self.incident.number}/settle" in self.timers

    @invariant()
    def nothing_fires_for_ever_without_an_end(self) -> None:
        """Open and quiet means settling, or held open by a fallback whose lease ends."""
        if self.incident is None or self.incident.status is Status.RESOLVED or self.incident.firing:
            return
        assert self.incident.settle_due_at is not None or self.incident.leases


Machine.TestCase.settings = settings(max_examples=examples(80), stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase


NUMBERS = st.just(7)
INPUTS = st.one_of(
    st.builds(Acknowledge, NUMBERS, PEOPLE, st.just("slack"), VERSIONS),
    st.builds(TimerDue, NUMBERS, st.text(max_size=9), st.text(max_size=20), st.floats(0, 4e9)),
    st.builds(DeliveryReported, NUMBERS, st.integers(-1, 3), st.text(max_size=5), st.booleans(), st.text(max_size=5)),
    st.builds(RunReported, NUMBERS, st.integers(), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)),
    st.builds(RouteReported, NUMBERS, st.text(max_size=5), st.booleans(), st.text(max_size=5)),
    st.builds(ChangeSeverity, NUMBERS, st.text(max_size=5), st.just("cli"), st.one_of(st.none(), st.text(max_size=5))),
    st.builds(
        lambda state, severity, service: SignalArrived(signal(state, severity, service=service)),
        st.sampled_from(["firing", "clear", "unknown"]),
        st.one_of(st.none(), st.text(max_size=5)),
        SERVICES,
    ),
)


@given(st.lists(INPUTS, max_size=6), ONCALLS)
@settings(max_examples=examples(150), deadline=None)
def test_it_never_raises(inputs: list[Input], oncall: OnCall) -> None:
    incident = None
    for what in inputs:
        decision = decide(incident, what, world(oncall=oncall), NOW, number=7)
        assert isinstance(decision, Decision)
        incident = decision.incident


def test_a_page_ends_in_one_of_the_four_ways() -> None:
    assert set(PageStatus) - set(LIVE) == {
        PageStatus.ACKNOWLEDGED,
        PageStatus.ESCALATED,
        PageStatus.EXHAUSTED,
        PageStatus.WITHDRAWN,
    }
    assert {f.name for f in fields(Decision)} >= {"arm", "disarm", "withdraw", "reason"}
