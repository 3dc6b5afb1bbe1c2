"""Values of the domain that the store's tests keep."""

from fireline.domain.effects import Say, UpdateCard
from fireline.domain.incidents import Attached, Incident, Status
from fireline.domain.rules import Evidence, Signal, State
from fireline.domain.runbooks import Autonomy, Run, RunStatus, StepRun

EVIDENCE = Evidence(
    {"p99": 812.5, "n": None}, 60, 0.0, 60.0, "p99 > 800.0", "812.5 is above 800", 2, ("p99 rests on 2 buckets",)
)
SIGNAL = Signal(
    id="s-1",
    rule="fraud_latency",
    entity=(("service", "fraud"), ("region", "eu")),
    service="fraud",
    state=State.FIRING,
    severity="outage",
    at=60.0,
    started=30.0,
    episode=30.0,
    summary="slow \0 <!here> \U0001f525",
    evidence=EVIDENCE,
    runbooks=("route-to-fallback",),
)


def incident(number: int = 1, *, version: int = 1, status: Status = Status.TRIGGERED, group: str = "") -> Incident:
    return Incident(
        number=number,
        service="fraud",
        group=group,
        timeline="live",
        title="p99 is high",
        severity="outage",
        owner="payments-ml",
        status=status,
        opened_at=60.0,
        started=30.0,
        version=version,
        signals={SIGNAL.fingerprint: Attached(SIGNAL)},
    )


def run(
    number: int = 1, *, version: int = 1, status: RunStatus = RunStatus.RUNNING, lock: str = "service:fraud"
) -> Run:
    return Run(
        id=number,
        runbook="route-to-fallback",
        hash="h",
        text="name: route-to-fallback\n" * 50,
        inputs={"service": "fraud", "weights": {"a": 1}},
        incident=7,
        mode=Autonomy.AUTO,
        status=status,
        steps=(StepRun("before", output={"route": {"primary": 100}}), StepRun("reroute")),
        created_at=1.0,
        deadline=100.0,
        lock=lock,
        started_at=float(number),
        version=version,
    )


def say(key: str, address: str = "C1", incident: int = 1) -> Say:
    return Say(key, incident, "slack", address, f"text of {key}")


def card(key: str, address: str = "C1") -> UpdateCard:
    return UpdateCard(key, 1, "slack", address)
