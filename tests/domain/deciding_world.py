"""A small world and short ways to say what happens in it."""

from datetime import UTC, date, datetime, time

from fireline.domain.catalog import Catalog, Person, Service, Severity, Team
from fireline.domain.configuration import Response
from fireline.domain.deciding import Decision, World, decide, opens
from fireline.domain.incidents import Acknowledge, Incident, Input, SignalArrived, TimerDue
from fireline.domain.oncall import Layer, OnCall, Policy, PolicyLevel, PolicyTarget, Schedule, TargetKind
from fireline.domain.rules import Evidence, Mode, Signal, State

NOW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC).timestamp()  # Tuesday, 03:00 in Berlin
PEOPLE = {
    "ann": Person("ann", "Ann Berg", {"slack": "U1", "email": "ann@x.example"}, "Europe/Berlin"),
    "bob": Person("bob", "Bob Roy", {"slack": "U2"}, "Europe/Berlin"),
    "cyd": Person("cyd", "Cyd Lee", {"slack": "U3"}),
    "eve": Person("eve", "Eve Ito", {}),
}
SEVERITIES = (
    Severity("safety", 0, ack_timeout=600.0),
    Severity("outage", 1, ack_timeout=1800.0),
    Severity("degraded", 2),
    Severity("notice", 3, pages=False),
)


def target(kind: str, name: str) -> PolicyTarget:
    return PolicyTarget(TargetKind(kind), name)


def policy(name: str, *levels: list[PolicyTarget], repeat: int = 0, wait: float = 300.0) -> Policy:
    return Policy(name, tuple(PolicyLevel(tuple(level), wait) for level in levels), repeat)


def world(**changes) -> World:
    teams = {
        "payments-ml": Team("payments-ml", "Payments ML", "payments", ("ann", "bob"), {"slack": "C1"}),
        "platform": Team("platform", "Platform", "platform", ("cyd",), {"slack": "C2"}),
        "silent": Team("silent", "Silent", "silent", ("eve",), {}),
    }
    services = {
        "fraud-scoring": Service("fraud-scoring", "payments-ml", backup="platform", aliases=("fraud",)),
        "search": Service("search", "platform"),
        "ghost": Service("ghost", "silent"),
    }
    weekly = Layer("weekly", ("ann", "bob"), date(2026, 3, 2), time(9), 7)
    policies = {
        "payments": policy("payments", [target("schedule", "primary")], [target("person", "bob")]),
        "platform": policy("platform", [target("team", "platform")]),
        "silent": policy("silent", [target("person", "eve")]),
    }
    given = {
        "catalog": Catalog(services, teams, PEOPLE, SEVERITIES, default_team="platform"),
        "oncall": OnCall({"primary": Schedule("primary", "Europe/Berlin", (weekly,))}, policies),
        "response": Response(settle=60.0, reopen_within=1800.0, lease=3600.0),
        "channels": frozenset({"slack", "email"}),
    }
    return World(**{**given, **changes})


def signal(
    state: str = "firing",
    severity: str | None = "outage",
    *,
    rule: str = "fraud_latency",
    region: str = "eu",
    service: str = "fraud-scoring",
    at: float = NOW,
    episode: float | None = None,
    runbooks: tuple[str, ...] = (),
    mode: str = "active",
) -> Signal:
    severity = severity if state == "firing" else None
    evidence = Evidence({"p99": 2400.0, "n": 80.0}, 80, at - 60, at, "p99 > 2000.0", "")
    return Signal(
        id=f"{rule}/{region}/{service}/{state}/{severity}/{at!r}",
        rule=rule,
        entity=(("service", service), ("region", region)),
        service=service,
        state=State(state),
        severity=severity,
        at=at,
        started=at - 30,
        episode=at if episode is None else episode,
        summary=f"p99 of {service} in {region} is 2400 ms",
        evidence=evidence,
        runbooks=runbooks,
        mode=Mode(mode),
    )


class Scene:
    """One incident and its decisions, one after the other; a stand-in for the store that keeps it."""

    def __init__(self, **changes) -> None:
        self.world = world(**changes)
        self.now = NOW
        self.incident: Incident | None = None
        self.decisions: list[Decision] = []
        self.timers: dict[str, object] = {}
        self.number = 6

    def says(self, what: Input) -> Decision:
        number = None
        if isinstance(what, SignalArrived) and opens(self.incident, what.signal, self.world, self.now):
            self.number += 1
            number = self.number
        decision = decide(self.incident, what, self.world, self.now, number=number)
        self.decisions.append(decision)
        for key in decision.disarm:
            self.timers.pop(key, None)
        self.timers.update({timer.key: timer for timer in decision.arm})
        self.incident = decision.incident
        return decision

    def fires(self, severity: str = "outage", **given) -> Decision:
        return self.says(SignalArrived(signal("firing", severity, at=self.now, **given)))

    def clears(self, **given) -> Decision:
        return self.says(SignalArrived(signal("clear", at=self.now, **given)))

    def acks(self, person: str = "ann", version: int | None = None) -> Decision:
        return self.says(Acknowledge(self.incident.number, person, "slack", version))

    def passes(self, seconds: float) -> list[Decision]:
        """Time passes, and the timers that come due are heard at their second."""
        until, heard = self.now + seconds, []
        while due := sorted((t for t in self.timers.values() if t.due_at <= until), key=lambda t: t.due_at):
            timer = due[0]
            self.now = max(self.now, timer.due_at)
            heard.append(self.says(TimerDue(timer.incident, timer.kind, timer.key, timer.due_at)))
        self.now = until
        return heard

    def kinds(self) -> list[str]:
        return [entry.kind for decision in self.decisions for entry in decision.entries]


def kinds(decision: Decision) -> list[str]:
    return [entry.kind for entry in decision.entries]


def texts(decision: Decision) -> str:
    return "\n".join(entry.text for entry in decision.entries)


def of(decision: Decision, kind: type) -> list:
    return [effect for effect in decision.effects if isinstance(effect, kind)]
