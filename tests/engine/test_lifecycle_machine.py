"""Several incidents that are merged, split, rated, kept and closed in whatever order: no signal is lost, nobody is
paged for what is over, and what is over for good stays so."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fireline.domain.deciding import Decision, against_split, decide, forwarded, opens
from fireline.domain.deciding_draft import LIVE
from fireline.domain.deciding_keeping import needs_postmortem
from fireline.domain.effects import SendPage
from fireline.domain.incident_acts import (
    AddLink,
    AddTask,
    ChangeSeverity,
    ChangeTask,
    Close,
    Merge,
    SetRole,
    Split,
    WritePostMortem,
)
from fireline.domain.incident_records import Role
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    DeliveryReported,
    EscalateNow,
    Incident,
    Input,
    Resolve,
    RouteReported,
    RunReported,
    SignalArrived,
    Status,
    TimerDue,
)
from fireline.domain.rules import Signal
from fireline.engine.hearing import decide_two, speaker
from tests.domain.deciding_world import NOW, SEVERITIES, signal, world
from tests.examples import examples

PEOPLE = st.sampled_from(["ann", "bob"])
SERVICES = st.sampled_from(["fraud-scoring", "search", "ghost"])
RULES = st.sampled_from(["a", "b"])
LEVELS = st.sampled_from(["safety", "outage", "degraded", "notice"])
VERSIONS = st.one_of(st.none(), st.integers(0, 12))
WHICH = st.integers(0, 9)


class Kept:
    """The incidents, as the responder's transaction has them."""

    def __init__(self) -> None:
        self.incidents: dict[int, Incident] = {}

    def incident(self, number: int) -> Incident | None:
        return self.incidents.get(number)

    def latest(self, service: str) -> Incident | None:
        found = [i for i in self.incidents.values() if i.service == service and i.group == ""]
        return max(found, key=lambda i: i.number, default=None)

    def next_number(self, of: str) -> int:
        assert of == "incident"
        return len(self.incidents) + 1


class Machine(RuleBasedStateMachine):
    """All incidents of three services, with their timers."""

    def __init__(self) -> None:
        super().__init__()
        catalog = world().catalog
        levels = tuple(
            type(s)(s.name, s.rank, s.pages, ack_timeout=s.ack_timeout, postmortem=s.rank < 2) for s in SEVERITIES
        )
        self.world = world(catalog=type(catalog)(catalog.services, catalog.teams, catalog.people, levels, "platform"))
        self.now = NOW
        self.kept = Kept()
        self.timers: dict[str, object] = {}
        self.firing: dict[str, Signal] = {}

    # what the responder does
    def hears(self, told: Signal) -> None:
        latest = self.kept.latest(told.service)
        before = speaker(self.kept, latest, told, self.world, self.now)
        number = self.kept.next_number("incident") if opens(before, told, self.world, self.now) else None
        decision = decide(before, SignalArrived(told), self.world, self.now, number=number)
        self.keeps(before, decision)

    def says(self, what: Input) -> Decision:
        if isinstance(what, Merge | Split):
            before, decision = decide_two(self.kept, what, self.world, self.now)
        else:
            before = self.kept.incident(what.incident)
            passed = None if before is None else forwarded(before, what)
            if passed is not None:
                return self.says(passed)
            decision = decide(before, what, self.world, self.now)
        assert decision.reason or decision.reply
        self.keeps(before, decision)
        for other, its in decision.also:
            self.keeps(other, its)
        return decision

    def keeps(self, before: Incident | None, decision: Decision) -> None:
        after = decision.incident
        if after is None:
            return
        if before is not None and before.number == after.number:
            assert after.version - before.version in (0, 1)
            assert (after == before) == (after.version == before.version)
            self.stays(before, after)
        else:
            assert after.version == 1
            assert after.number == len(self.kept.incidents) + 1
        assert not decision.refused or not any(isinstance(e, SendPage) for e in decision.effects)
        if after.status is Status.RESOLVED:
            assert not any(isinstance(effect, SendPage) for effect in decision.effects), "what is over pages nobody"
        for key in decision.disarm:
            self.timers.pop(key, None)
        self.timers.update({timer.key: timer for timer in decision.arm})
        self.kept.incidents[after.number] = after

    def stays(self, before: Incident, after: Incident) -> None:
        """What was over for good is so still, and only lines and deliveries are added."""
        if before.merged_into is not None:
            assert after.merged_into == before.merged_into
            assert not after.signals
        if before.closed_at is not None:
            assert (after.closed_at, after.status) == (before.closed_at, Status.RESOLVED)
            assert {a.signal.fingerprint for a in after.firing} <= {a.signal.fingerprint for a in before.firing}
            assert (after.tasks, after.roles, after.links) == (before.tasks, before.roles, before.links)

    def one(self, which: int) -> Incident:
        return self.kept.incidents[which % len(self.kept.incidents) + 1]

    # what happens
    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0, 1801.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(service=SERVICES, name=RULES, severity=LEVELS)
    def fires(self, service: str, name: str, severity: str) -> None:
        self.now += 0.5
        key = f"{name}/{service}"
        known = self.firing.get(key)
        episode = self.now if known is None else known.episode
        told = signal("firing", severity, rule=name, service=service, at=self.now, episode=episode)
        self.firing[key] = told
        self.hears(told)

    @rule(service=SERVICES, name=RULES)
    def clears(self, service: str, name: str) -> None:
        self.now += 0.5
        self.firing.pop(f"{name}/{service}", None)
        self.hears(signal("clear", rule=name, service=service, at=self.now))

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, person=PEOPLE, version=VERSIONS, what=st.sampled_from([Acknowledge, EscalateNow, Resolve]))
    def clicks(self, which: int, person: str, version: int | None, what: type) -> None:
        incident = self.one(which)
        over = incident.status is Status.RESOLVED
        decision = self.says(what(incident.number, person, "slack", version))
        assert decision.reply
        if over:
            assert decision.incident == incident, "a late click changes nothing"

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, severity=st.one_of(st.none(), LEVELS), version=VERSIONS)
    def rates(self, which: int, severity: str | None, version: int | None) -> None:
        decision = self.says(ChangeSeverity(self.one(which).number, "ann", "cli", severity, "why", version))
        if severity is not None and not decision.refused:
            assert decision.incident.severity == severity

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, into=WHICH, version=VERSIONS)
    def merges(self, which: int, into: int, version: int | None) -> None:
        source, target = self.one(which), self.one(into)
        decision = self.says(Merge(source.number, target.number, "ann", "cli", "", version))
        if decision.refused:
            assert not decision.also
            return
        [(was, its)] = decision.also
        after = its.incident
        assert was == target
        assert set(source.signals) | set(target.signals) == set(after.signals)
        assert {r.id for r in source.runs.values()} <= {r.id for r in after.runs.values()}
        assert len(after.tasks) == len(source.tasks) + len(target.tasks)
        assert len({task.number for task in after.tasks}) == len(after.tasks)
        assert {link.url for link in (*source.links, *target.links)} == {link.url for link in after.links}
        assert set(source.leases) <= set(after.leases)
        assert len([held for held in after.roles if held.role is Role.COMMANDER]) <= 1

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, name=RULES, version=VERSIONS)
    def splits(self, which: int, name: str, version: int | None) -> None:
        incident = self.one(which)
        asked = Split(incident.number, "ann", "cli", (name,), "", version)
        against = against_split(incident, asked, self.world, self.now)
        decision = self.says(asked)
        assert decision.refused == bool(against)
        if not decision.refused:
            [(_, its)] = decision.also
            assert set(decision.incident.signals) | set(its.incident.signals) == set(incident.signals)
            assert not set(decision.incident.signals) & set(its.incident.signals)

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, task=st.integers(1, 3), day=st.sampled_from([None, "2026-12-01", "soon"]), number=WHICH)
    def keeps_records(self, which: int, task: int, day: str | None, number: int) -> None:
        name = self.one(which).number
        acts: list[Input] = [
            AddTask(name, "ann", "cli", "mend it", "bob"),
            ChangeTask(name, "bob", "cli", task, done=True),
            AddLink(name, "ann", "cli", f"https://graphs.example/{task}"),
            SetRole(name, "ann", "cli", Role.COMMANDER, "bob" if task > 1 else "ann"),
            SetRole(name, "ann", "cli", Role.RESPONDER, "stranger"),
            WritePostMortem(name, "ann", "cli", root_cause="a full queue", due=day),
            WritePostMortem(name, "ann", "cli", owner="bob", due=day),
            AddNote(name, "ann", "looked"),
        ]
        decision = self.says(acts[number % len(acts)])
        assert decision.reply

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH)
    def closes(self, which: int) -> None:
        incident = self.one(which)
        decision = self.says(Close(incident.number, "ann", "cli"))
        if not decision.refused:
            assert incident.status is Status.RESOLVED
            learned = incident.postmortem is not None and not incident.postmortem.missing
            assert learned or not needs_postmortem(incident, self.world), "closed needs a post-mortem"

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, page=st.integers(1, 4), delivered=st.booleans())
    def delivers(self, which: int, page: int, delivered: bool) -> None:
        self.says(DeliveryReported(self.one(which).number, page, "slack", delivered, "said so"))

    @precondition(lambda self: self.kept.incidents)
    @rule(which=WHICH, status=st.sampled_from(["running", "succeeded", "failed"]), on=st.booleans(), run=st.booleans())
    def reports(self, which: int, status: str, on: bool, run: bool) -> None:
        incident = self.one(which)
        number, outdated = incident.number, incident != self.kept.latest(incident.service)
        if run or (outdated and incident.firing):  # limits.md: what a person resolved stays as it was told then
            self.says(RunReported(number, number, "reroute", status, ""))
        else:
            self.says(RouteReported(number, "fraud-scoring", on, ""))

    @precondition(lambda self: self.timers)
    @rule(choice=st.integers(0, 5))
    def timer_comes_due(self, choice: int) -> None:
        timer = sorted(self.timers.values(), key=lambda t: t.key)[choice % len(self.timers)]
        self.now = max(self.now, timer.due_at)
        self.says(TimerDue(timer.incident, timer.kind, timer.key, timer.due_at))

    # what always holds
    @invariant()
    def no_signal_is_lost(self) -> None:
        """Who hears it has it; or a person resolved it while it fired, and it has not got worse since."""
        for key, told in self.firing.items():
            heard = speaker(self.kept, self.kept.latest(told.service), told, self.world, self.now)
            assert heard is not None
            attached = heard.signals.get(told.fingerprint)
            if attached is None or attached.signal.id != told.id:
                over = [i for i in self.kept.incidents.values() if i.status is Status.RESOLVED and i.resolved_by]
                assert any(told.fingerprint in i.signals for i in over), f"{key} fires, and no incident has it"
            else:
                assert attached.cleared_at is None

    @invariant()
    def nothing_fires_that_cleared_and_nothing_twice(self) -> None:
        open_ = [i for i in self.kept.incidents.values() if i.status is not Status.RESOLVED]
        firing = [a.signal.fingerprint for i in open_ for a in i.firing]
        assert len(firing) == len(set(firing))
        assert set(firing) <= {told.fingerprint for told in self.firing.values()}

    @invariant()
    def what_is_over_waits_for_nobody(self) -> None:
        over = {i.number for i in self.kept.incidents.values() if i.status is Status.RESOLVED}
        own = [t for t in self.timers.values() if t.incident in over and "/impact" not in t.key]
        assert not own
        for number in over:
            assert not [p for p in self.kept.incidents[number].pages if p.status in LIVE]

    @invariant()
    def the_peak_is_the_worst_that_was(self) -> None:
        for incident in self.kept.incidents.values():
            assert not self.world.worse(incident.severity, incident.peak)


Machine.TestCase.settings = settings(max_examples=examples(120), stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase
