"""`fireline runbook rehearse`: what a run would do now, step by step, and what stands in its way. Nothing is done.

Guards are judged on the real database, which is only read. The steps are taken by the engine of real runs on a stage
of its own (apps/runbook_stage.py): a copy of the routes and of the incident in memory, and actions that get a dry run.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import look, plugins, system_user
from fireline.apps.faults import Refused
from fireline.apps.incidents import number_of
from fireline.apps.runbook_files import NOT_DONE, named, read
from fireline.apps.runbook_guards import Asked, Guard, draft, guards
from fireline.apps.runbook_inputs import inputs_of
from fireline.apps.runbook_rehearsal_shown import tell, tell_json
from fireline.apps.runbook_rehearsed import Script, rehearsed
from fireline.apps.runbook_stage import IN_MEMORY, Stage
from fireline.apps.runbook_unknowns import Assumptions, lenient, lenient_options
from fireline.apps.settings import Settings
from fireline.apps.targets import targets_of
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident
from fireline.domain.routes import Route
from fireline.domain.runbooks import Autonomy, Run, Runbook
from fireline.domain.targets import Targets
from fireline.engine import approvals
from fireline.engine.ports import Transaction
from fireline.engine.run_inputs import Unfit
from fireline.engine.starting import Wanted

TURNS = 2_000


@dataclass(frozen=True, slots=True)
class _Around:
    """What a rehearsal takes as it is: the files, what steps act on, and what is assumed."""

    configuration: Configuration
    targets: Targets
    script: Script


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was found: the guards, and the run as the stage had it. `assumed` are conditions that were taken to hold."""

    book: Runbook
    guards: tuple[Guard, ...]
    run: Run
    order: tuple[str, ...]
    assumed: frozenset[str]
    note: str


def run(
    name: str,
    given: Sequence[str],
    incident: str | None,
    *,
    assume: Sequence[str],
    fail: Sequence[str],
    person: str | None,
    as_json: bool,
    rules: Path | None,
    runbooks: Path | None,
) -> int:
    """Rehearse; 0 when every guard would let it pass and the rehearsed run succeeds, 1 otherwise."""
    found = read(rules, runbooks, as_json=as_json)
    if found is None:
        return NOT_DONE
    settings, configuration = found
    book = named(configuration, name)
    script = Script.of(assume, fail)
    with _seen(settings) as (store, note):
        asked = Asked(book, inputs_of(book, given), None, person or system_user(), SystemClock().now())
        around = _Around(configuration, targets_of(settings), script)
        rehearsal = _rehearsed(store, around, asked, None if incident is None else number_of(incident))
    rehearsal = replace(rehearsal, note=note)
    (tell_json if as_json else tell)(rehearsal)
    stopped = any(guard.passes is False for guard in rehearsal.guards)
    return 1 if stopped or rehearsal.run.status.value != "succeeded" else 0


@contextmanager
def _seen(settings: Settings) -> Iterator[tuple[DatabaseStore, str]]:
    """The database to read from. Where there is none yet, none is made: an empty one in memory stands for it."""
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).exists():
        store = open_store(IN_MEMORY)
        note = f"there is no database at {settings.database} yet: guards are judged as of an empty one"
    else:
        store, note = look(settings).store, ""
    try:
        yield store, note
    finally:
        store.close()


def _rehearsed(store: DatabaseStore, around: _Around, asked: Asked, incident: int | None) -> Rehearsal:
    with store.reading() as tx:
        asked = replace(asked, incident=None if incident is None else _incident(tx, incident))
        try:
            drafted = draft(tx, around.configuration, asked)
        except Unfit as fault:
            raise Refused(f"{asked.book.name} cannot run: {fault}; say it with --input name=value") from None
        judged = tuple(guards(tx, around.configuration, asked, drafted))
        routes = tuple(tx.routes())
    assumptions = Assumptions()
    book = lenient(asked.book, assumptions)
    run = asyncio.run(_played(replace(asked, book=book, inputs=drafted.inputs), around, routes))
    return Rehearsal(asked.book, judged, run, tuple(around.script.order), frozenset(assumptions.conditions), "")


def _incident(tx: Transaction, number: int) -> Incident:
    found = tx.incident(number)
    if found is None:
        raise Refused(f"there is no incident INC-{number}; `fireline incidents ls --all` lists all")
    return found


async def _played(asked: Asked, around: _Around, routes: Sequence[Route]) -> Run:
    book = asked.book
    current = replace(around.configuration, runbooks={**around.configuration.runbooks, book.name: book})
    kinds = plugins().actions
    stage = Stage(
        current,
        lambda name, real: rehearsed(real, kinds[name], around.script),
        asked.now,
        options={name: lenient_options(kind.options) for name, kind in kinds.items()},
        targets=around.targets,
    )
    try:
        _copy(stage, routes, asked.incident)
        number = None if asked.incident is None else asked.incident.number
        started = stage.runs.request(
            Wanted("rehearsal", book.name, number, asked.inputs, person="rehearsal", mode=Autonomy.AUTO)
        )
        if started.run is None:
            raise Refused(f"{book.name} cannot be rehearsed: {started.reason}")
        return await _to_its_end(stage, started.run, book)
    finally:
        stage.close()


def _copy(stage: Stage, routes: Sequence[Route], incident: Incident | None) -> None:
    with stage.store.transaction() as tx:
        for route in routes:
            tx.save_route(route)
        if incident is not None:
            tx.save_incident(incident)


async def _to_its_end(stage: Stage, run: Run, book: Runbook) -> Run:
    for _ in range(TURNS):
        if run.over:
            break
        if not run.approved_by and run.mode is Autonomy.APPROVE:
            _let_in(stage, run)
        due = await stage.runs.run_once()
        run = stage.run(run.id)
        stage.clock.advance(max(0.0, (due or stage.clock.now()) - stage.clock.now()))
    return run


def _let_in(stage: Stage, run: Run) -> None:
    """The stage's run begins, whatever a real one would have to ask: that is told as a guard."""
    for person in sorted(stage.runs.may_answer(run.id, approvals.START)):
        stage.runs.approve(run.id, approvals.START, person, True)
        if stage.run(run.id).approved_by:
            return
