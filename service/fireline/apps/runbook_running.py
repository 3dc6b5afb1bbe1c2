"""`fireline runbook run`: a person starts a run, and may follow it to its end."""

import time
from collections.abc import Sequence

from fireline.apps.bootstrap import Parts, assemble, settings_with
from fireline.apps.controls import Controls
from fireline.apps.faults import Refused
from fireline.apps.incidents import number_of
from fireline.apps.output import err, instant, print_json, say
from fireline.apps.run_asking import AskedRun
from fireline.apps.runbook_files import named
from fireline.apps.runbook_inputs import inputs_of
from fireline.apps.runs import document
from fireline.domain.runbooks import Run, RunStatus, StepStatus

EVERY = 0.2
"""Seconds between two looks at a run that is followed."""

QUIET = 20.0
"""Seconds without news of a run that should go on, after which it is said that perhaps nobody drives it."""

_OPEN = frozenset({StepStatus.PENDING, StepStatus.STARTED, StepStatus.WAITING})


def run(
    name: str,
    given: Sequence[str],
    incident: str | None,
    *,
    reason: str,
    person: str | None,
    key: str,
    overrule: Sequence[str],
    wait: bool,
    as_json: bool,
) -> int:
    """Start it; 0 when it runs, waits or (with `wait`) succeeded, 1 otherwise."""
    parts = assemble(settings_with())
    book = named(parts.files.current, name)
    who = parts.person(person).id
    number = None if incident is None else number_of(incident)
    if number is not None:
        _find_incident(parts, number)
    asked = AskedRun(inputs_of(book, given), number, reason, key, tuple(overrule))
    started, told = Controls(parts).start_run(name, who, asked)
    if started is None:
        raise Refused(f"{name} is not started: {told}")
    found = _follow(parts, started, quiet=as_json) if wait else _find(parts, started)
    if as_json:
        print_json(document(found))
    elif not wait:
        say(f"Run {found.id} of {name}: {found.status.value} {found.reason}".rstrip())
        say(f"`fireline runs show {found.id}` has its steps, `fireline runs abort {found.id}` ends it", to=err())
    good = found.status is RunStatus.SUCCEEDED if wait else not (found.over and found.status is not RunStatus.SUCCEEDED)
    return 0 if good else 1


def _find_incident(parts: Parts, number: int) -> None:
    with parts.store.reading() as tx:
        if tx.incident(number) is None:
            raise Refused(f"there is no incident INC-{number}; `fireline incidents ls --all` lists all")


def _find(parts: Parts, number: int) -> Run:
    with parts.store.reading() as tx:
        found = tx.run(number)
    assert found is not None, f"run {number} vanished"
    return found


def _follow(parts: Parts, number: int, *, quiet: bool) -> Run:
    """Tell each line of the run's journal as it comes, until the run is over."""
    seen, heard, warned = 0, parts.clock.now(), False
    while True:
        with parts.store.reading() as tx:
            found = tx.run(number)
            lines = [(version, what, then) for version, what, then in tx.journal(number) if version > seen]
        assert found is not None, f"run {number} vanished"
        for version, what, then in lines:
            seen, heard = version, parts.clock.now()
            if not quiet:
                say(f"{instant(heard)}  {_share(then)}  {what}")
        if found.over:
            if not quiet:
                say(f"Run {found.id}: {found.status.value} {found.reason}".rstrip(), _style(found))
            return found
        if not warned and _forgotten(found) and parts.clock.now() - heard > QUIET:
            warned = True
            say("nothing happens: does a responder run? `fireline doctor` tells", "yellow", to=err())
        time.sleep(EVERY)


def _forgotten(run: Run) -> bool:
    """Whether it should have gone on by itself: it waits for nobody."""
    waits = any(step.status is StepStatus.WAITING for step in run.steps)
    return run.status is not RunStatus.WAITING and run.paused is None and not waits


def _share(run: Run) -> str:
    over = sum(step.status not in _OPEN for step in run.steps)
    return f"[{over}/{len(run.steps)}]"


def _style(run: Run) -> str:
    return "green" if run.status is RunStatus.SUCCEEDED else "bold red"
