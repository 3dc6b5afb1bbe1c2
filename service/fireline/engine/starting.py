"""Starting a run: may it, with which inputs, now or later. All inside one transaction of the caller's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from fireline.domain.audit_acts import of_overrule, of_run
from fireline.domain.autonomy import Allowed
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Tell
from fireline.domain.expressions import EvaluationFault
from fireline.domain.incidents import AddNote, Incident, Input, RunReported, Status
from fireline.domain.oscillation import OSCILLATING
from fireline.domain.runbooks import Autonomy, Run, Runbook, RunStatus
from fireline.domain.running import End, end, new_steps
from fireline.engine import approvals, guarding, permitting, start_approvals, stops, values
from fireline.engine.approvers import owner_of
from fireline.engine.hearing import standing_for
from fireline.engine.ports import Transaction
from fireline.engine.run_inputs import Unfit, resolve
from fireline.engine.run_news import overruled
from fireline.engine.stop_conditions import stopped

LOCK_RETRY = 1.0
"""Seconds until a run looks again whether its lock is free."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a run: by a rule, or by a person for a `reason`. `mode` overrides the runbook's.

    `overrule` are guards that the person overrules if they refuse it.
    """

    key: str
    runbook: str
    incident: int | None
    inputs: Mapping[str, object] = field(default_factory=dict)
    person: str = ""
    mode: Autonomy | None = None
    reason: str = ""
    overrule: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """What came of it: the run, None where there is none, why, and what the incident is to be told."""

    run: Run | None
    reason: str
    tell: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    tx: Transaction
    configuration: Configuration
    wanted: Wanted
    runbook: Runbook
    incident: Incident | None
    now: float
    configured: Callable[[str], bool]

    @property
    def context(self) -> Mapping[str, object]:
        return {} if self.incident is None else values.of_incident(self.incident)


def start(
    tx: Transaction, configuration: Configuration, wanted: Wanted, now: float, configured: Callable[[str], bool]
) -> Started:
    """Make the run that is wanted, once per key, and let it begin, ask (on `configured` channels) or wait."""
    if not tx.first_time(f"start/{wanted.key}", now):
        return _again(tx, wanted)
    incident = _standing(tx, wanted.incident)
    runbook = configuration.runbooks.get(wanted.runbook)
    if runbook is None:
        return _not_started(wanted, f"there is no runbook {wanted.runbook!r}")
    if wanted.incident is not None and (incident is None or incident.status is Status.RESOLVED):
        return Started(None, f"{wanted.runbook} is not started: its incident is over")
    return _decided(_Case(tx, configuration, wanted, runbook, incident, now, configured))


def _standing(tx: Transaction, number: int | None) -> Incident | None:
    """The incident, or the one that it was merged into."""
    incident = None if number is None else tx.incident(number)
    return None if incident is None else standing_for(tx, incident)


def _decided(case: _Case) -> Started:
    against = _unfounded(case.wanted) or _unmet(case)
    if against is not None:
        return _not_started(case.wanted, against)
    permitted = _permitted(case)
    if permitted.mode in (Autonomy.SHADOW, Autonomy.SUGGEST):
        return _only_told(case.wanted, case.runbook, permitted)
    return _make(case, permitted)


def _unfounded(wanted: Wanted) -> str | None:
    """Why a guard cannot be overruled so: it takes somebody who is named, a reason, and a guard that may be."""
    if not wanted.overrule:
        return None
    unknown = [name for name in wanted.overrule if name not in guarding.OVERRULABLE]
    if unknown:
        return f"{unknown[0][:40]!r} is not to be overruled; only {', '.join(guarding.OVERRULABLE)} are"
    if not wanted.person:
        return "a guard is overruled by a person, who is named"
    return None if wanted.reason.strip() else "say why a guard is overruled: the reason is kept"


def _permitted(case: _Case) -> Allowed:
    book, wanted, configuration = case.runbook, case.wanted, case.configuration
    try:
        inputs = _filled(_new(case, Allowed(book.mode, ""), 0), book, configuration).inputs
    except Unfit:
        inputs = wanted.inputs  # it will be refused for that; how far it might have gone is told all the same
    asked = permitting.Asked(book, inputs, case.incident, wanted.person, wanted.mode)
    return permitting.permitted(case.tx, configuration, asked, case.now)


def _again(tx: Transaction, wanted: Wanted) -> Started:
    run = next((r for r in tx.runs(incident=wanted.incident, limit=200) if r.key == wanted.key), None)
    if run is None:
        return Started(None, "was decided before")
    return Started(run, f"is run {run.id}")


def _not_started(wanted: Wanted, reason: str) -> Started:
    return Started(None, reason, _note(wanted, f"{wanted.runbook} is not started: {reason}"))


def _only_told(wanted: Wanted, runbook: Runbook, permitted: Allowed) -> Started:
    steps = ", ".join(f"{step.id} ({step.uses})" for step in runbook.steps)
    verb = "Would run" if permitted.mode is Autonomy.SHADOW else "Suggested: run"
    text = f"{verb} {runbook.name}: {steps}. Not done, because {permitted.line}"
    return Started(None, text, _note(wanted, text))


def _note(wanted: Wanted, text: str) -> tuple[Input, ...]:
    if wanted.incident is None:
        return ()
    return (AddNote(wanted.incident, wanted.person or f"runbook:{wanted.runbook}", text),)


def _unmet(case: _Case) -> str | None:
    """Why `start.when` keeps it from starting. A person who asks for a run by hand is not held back by it."""
    runbook, wanted = case.runbook, case.wanted
    if runbook.start_when is None or wanted.person or wanted.incident is None:
        return None
    known = values.of_start(case.context, values.of_catalog(case.configuration.catalog))
    try:
        holds = runbook.start_when.holds({**known, "inputs": dict(wanted.inputs)})
    except EvaluationFault as fault:
        return f"start.when cannot be told: {fault}"
    return None if holds else f"`{runbook.start_when.source}` does not hold (severity {known['severity']})"


def _make(case: _Case, permitted: Allowed) -> Started:
    run = _new(case, permitted, case.tx.next_number("run"))
    try:
        run = _filled(run, case.runbook, case.configuration)
    except Unfit as fault:
        run = end(run, End(RunStatus.REFUSED, str(fault)), case.now)
    if run.status is RunStatus.WAITING:
        run = _let_in(case, run)
        hand_over(case.tx, run, case.runbook, case.configuration, case.configured, now=case.now)
    if (overrule := of_overrule(run, case.now)) is not None:
        case.tx.record(overrule)
    told = overruled(run)
    line = f"{run.status.value}: {run.reason or run.allowed_by}{told}{_asked_by(case.wanted)}"
    case.tx.save_run(run, line)
    approvals.tell(case.tx, None, run, case.now)
    if (act := of_run(None, run, line, run.requested_by, case.now)) is not None:
        case.tx.record(act)
    news = (run.reason or f"allowed by policy: {run.allowed_by}") + told + _asked_by(case.wanted)
    tell = () if run.incident is None else (report(run, news),)
    return Started(run, run.reason or run.status.value, tell)


def _let_in(case: _Case, run: Run) -> Run:
    """The run begun, asking, waiting or refused; nobody is asked about one that would be refused for what it does."""
    tx, book = case.tx, case.runbook
    if run.mode is Autonomy.APPROVE:
        found = guarding.passed(run, guarding.foreseeable(tx, case.configuration, run, book, case.now))
        if isinstance(found, guarding.Refusal):
            return _refused(run, found, case.now)
        run = _ask(case, run)
    return admit(tx, run, book, case.now, case.configuration)


def hand_over(
    tx: Transaction,
    run: Run,
    book: Runbook,
    configuration: Configuration,
    configured: Callable[[str], bool],
    *,
    now: float,
) -> None:
    """Tell whoever answers for it of a run that was refused because runs undo each other's work."""
    if run.status is not RunStatus.REFUSED or not run.reason.startswith(OSCILLATING):
        return
    team, incident = owner_of(run, book.owner), _standing(tx, run.incident)
    text = f"Run {run.id} of {run.runbook} is not started. {run.reason[:1].upper()}{run.reason[1:]}"
    for channel, address in approvals.addresses(configuration.catalog, team, incident, configured):
        key = f"run-{run.id}/{OSCILLATING}/{channel}:{address}"
        tx.enqueue(Tell(key, run.requested_by, channel, address, text, run.incident), now)


def _asked_by(wanted: Wanted) -> str:
    return f"; {wanted.person} asked for it" + (f": {wanted.reason}" if wanted.reason else "") if wanted.person else ""


def _new(case: _Case, permitted: Allowed, number: int) -> Run:
    return Run(
        id=number,
        runbook=case.runbook.name,
        hash=case.runbook.hash,
        text=case.runbook.text,
        inputs=dict(case.wanted.inputs),
        incident=case.wanted.incident,
        mode=permitted.mode,
        status=RunStatus.WAITING,
        steps=new_steps(case.runbook),
        created_at=case.now,
        deadline=case.now + case.runbook.deadline,
        allowed_by=permitted.line,
        version=1,
        key=case.wanted.key,
        context=case.context,
        requested_by=case.wanted.person,
        overrules=case.wanted.overrule,
        overrule_reason=case.wanted.reason if case.wanted.overrule else "",
    )


def _filled(run: Run, runbook: Runbook, configuration: Configuration) -> Run:
    """The run with its inputs and its lock; raises Unfit."""
    catalog = values.of_catalog(configuration.catalog)
    known = values.of_start(run.context, catalog)
    inputs = resolve(runbook, run.inputs, known, trusted=bool(run.requested_by))
    if runbook.lock is None:
        return replace(run, inputs=inputs)
    try:
        return replace(run, inputs=inputs, lock=str(runbook.lock.render({**known, "inputs": inputs})))
    except EvaluationFault as fault:
        raise Unfit(f"guards.lock: {fault}") from fault


def _ask(case: _Case, run: Run) -> Run:
    steps = ", ".join(step.id for step in case.runbook.steps)
    inputs = ", ".join(f"{name} {value}" for name, value in run.inputs.items())
    text = f"May {run.runbook} run ({inputs})? Steps: {steps}. It asks because {run.allowed_by}"
    team = owner_of(run, case.runbook.owner)
    asker = approvals.Asker(case.tx, case.configuration, run, team, case.configured, case.now)
    until = min(run.deadline, case.now + case.runbook.approval.timeout)
    asking = asker.asking(case.runbook.approval, text, until)
    return replace(run, next_at=until, reason=f"waits for {approvals.wanted(asking, team)}", asking=asking.kept())


def admit(
    tx: Transaction,
    run: Run,
    runbook: Runbook,
    now: float,
    configuration: Configuration,
    *,
    configured: Callable[[str], bool] = lambda _: True,
) -> Run:
    """The waiting run, let in, refused or still waiting. Not stored; the lock, if taken, is.

    `configured` are the channels on which more people are asked, where nobody answered.
    """
    if run.mode is Autonomy.APPROVE and not run.approved_by:
        asker = approvals.Asker(tx, configuration, run, owner_of(run, runbook.owner), configured, now)
        return start_approvals.awaited(asker, configuration.runbooks)
    against = _over(tx, run) or stopped(tx, run, runbook, configuration, now)
    if against is not None:
        return end(run, End(RunStatus.REFUSED, against), now)
    stop = stops.against(tx, run, configuration.catalog)
    if stop is not None:
        return replace(run, reason=f"held: {stop}", next_at=now + LOCK_RETRY)
    if run.lock and not tx.take_lock(run.lock, run.id):
        reason = f"waits for {run.lock}, which run {tx.lock_holder(run.lock)} holds"
        return replace(run, reason=reason, next_at=now + LOCK_RETRY)
    found = guarding.passed(run, guarding.refusals(tx, configuration, run, runbook, now))
    if isinstance(found, guarding.Refusal):
        tx.release_lock(run.lock, run.id)
        return _refused(run, found, now)
    return replace(found, status=RunStatus.RUNNING, started_at=now, next_at=None, reason="")


def _refused(run: Run, refusal: guarding.Refusal, now: float) -> Run:
    return end(run, End(RunStatus.REFUSED, f"{refusal.reason} (--overrule {refusal.guard})"), now)


def _over(tx: Transaction, run: Run) -> str | None:
    incident = _standing(tx, run.incident)
    resolved = incident is not None and incident.status is Status.RESOLVED
    return "the incident was resolved before it could start" if resolved else None


def report(run: Run, detail: str) -> RunReported:
    """What the run's incident is told. Only for runs that have one."""
    assert run.incident is not None
    return RunReported(run.incident, run.id, run.runbook, run.status.value, detail)
