"""The work behind `fireline runs`."""

from fireline.apps.bootstrap import Look, Parts, assemble, look, settings_with
from fireline.apps.controls import Controls
from fireline.apps.faults import Refused
from fireline.apps.output import ago, instant, pairs, print_json, say, table
from fireline.apps.run_asking import OnRun, RunAct, Verdict
from fireline.domain.runbooks import Run, StepRun


def ls(everything: bool, as_json: bool) -> int:
    """Runs, newest first."""
    parts = look(settings_with())
    with parts.store.reading() as tx:
        runs = tx.runs(active_only=not everything)
    if as_json:
        print_json([document(run) for run in runs])
        return 0
    now = parts.clock.now()
    rows = [
        (
            run.id,
            run.runbook,
            run.status.value,
            f"INC-{run.incident}" if run.incident else "-",
            ago(run.created_at, now),
            run.held or run.reason,
        )
        for run in runs
    ]
    table(("run", "runbook", "status", "incident", "since", "reason"), rows, "No run is under way.")
    return 0


def show(number: int, as_json: bool) -> int:
    """One run with its steps and its journal."""
    parts = look(settings_with())
    run = _find(parts, number)
    with parts.store.reading() as tx:
        journal = [(version, what) for version, what, _ in tx.journal(number)]
    if as_json:
        print_json({**document(run), "steps": [_step(s) for s in run.steps], "journal": [w for _, w in journal]})
        return 0
    say(f"run {run.id} of {run.runbook}: {run.status.value} {run.reason}", "bold")
    if run.held and not run.over:
        say(run.held, "yellow")
    say(f"inputs {pairs(run.inputs)}; mode {run.mode.value}; {run.allowed_by}")
    for guard, why in run.overruled.items():
        say(f"{run.requested_by} overruled {guard}, for {run.overrule_reason!r}: {why}", "yellow")
    rows = [
        (
            s.id,
            s.status.value,
            s.attempt,
            instant(s.started_at),
            pairs(s.rendered) or "-",
            pairs(s.output) or "-",
            s.error or "-",
        )
        for s in run.steps
    ]
    headers = ("step", "status", "attempt", "started", "with", "outputs", "error")
    table(headers, rows, "It has no steps.")
    say("")
    table(("version", "what changed"), journal, "Nothing was journaled.")
    return 0


LARGEST = 2**31 - 1
"""The highest number a run can have."""


def _find(parts: Look | Parts, number: int) -> Run:
    run = None
    if 0 < number <= LARGEST:
        with parts.store.reading() as tx:
            run = tx.run(number)
    if run is None:
        raise Refused(f"there is no run {number}; `fireline runs ls --all` lists all")
    return run


def answer(number: int, step: str | None, person: str | None, approved: bool, reason: str) -> int:
    """Approve or reject; 1 when it was not taken."""
    parts = assemble(settings_with())
    _find(parts, number)
    who = parts.person(person).id
    return _told(Controls(parts).answer_run(number, step, who, approved, reason))


def fill(number: int, pairs: list[str], step: str | None, person: str | None) -> int:
    """Fill in a form with `name=value`; 1 when it was not taken."""
    parts = assemble(settings_with())
    _find(parts, number)
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise Refused(f"{wrong[0]!r} is not name=value")
    values = dict(pair.split("=", 1) for pair in pairs)
    return _told(Controls(parts).fill_run(number, step, parts.person(person).id, values))


def abort(number: int, person: str | None, reason: str, *, undo: bool) -> int:
    """End a run; 1 when it was over already."""
    parts = assemble(settings_with())
    _find(parts, number)
    who = parts.person(person).id
    return _told(Controls(parts).abort_run(number, who, reason, undo=undo))


def act(what: RunAct, number: int, person: str | None, asked: OnRun) -> int:
    """Pause, resume, retry or skip; 1 when it was not taken."""
    parts = assemble(settings_with())
    _find(parts, number)
    who = parts.person(person).id
    return _told(Controls(parts).act_on_run(what, number, who, asked))


def _told(verdict: Verdict) -> int:
    say(verdict.reason)
    return 0 if verdict.done else 1


def _incident(run: Run) -> str | None:
    return None if run.incident is None else f"INC-{run.incident}"


def document(run: Run) -> dict[str, object]:
    """A run for programs, without its steps."""
    return {
        "id": run.id,
        "runbook": run.runbook,
        "status": run.status.value,
        "incident": _incident(run),
        "mode": run.mode.value,
        "requested_by": run.requested_by or None,
        "allowed_by": run.allowed_by,
        "inputs": dict(run.inputs),
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "reason": run.reason,
        "held": run.held,
        "overruled": dict(run.overruled),
    }


def _step(step: StepRun) -> dict[str, object]:
    return {
        "id": step.id,
        "status": step.status.value,
        "attempt": step.attempt,
        "input": dict(step.rendered),
        "output": dict(step.output),
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "error": step.error,
    }
