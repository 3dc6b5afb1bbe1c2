"""Responders that are killed: each is forked from one process that has loaded everything, and drives a run.

`python -m tests.faults.run_victim` reads one trial a line of JSON, and answers each with a line. A trial names a
database with an incident in it, a runbook, one of the runbook's own tests (who answers what and when, and which steps
fail), and the boundary at which the first responder kills itself by SIGKILL; the next one takes over. Boundaries are
just before and just after each commit of the journal and of a route, and each write to the target.

Time is made up, and shared: it jumps to what is due, so that approvals of a day pass in a moment.
"""

import asyncio
import gc
import json
import mmap
import os
import signal
import struct
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import event

from fireline.actions import Ports, build_actions
from fireline.actions.answers import told
from fireline.actions.web import KNOWN, RequestOptions
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.http import SafeFetch
from fireline.apps.runbook_mocks import UNTIL, Script
from fireline.apps.runbook_playing import play
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.domain.runbook_tests import UNDO, Ends, Mock, RunbookTest
from fireline.domain.runbooks import Autonomy, Run, Runbook, RunStatus, StepRun, StepStatus
from fireline.domain.running import ASKED
from fireline.engine import approvals
from fireline.engine.clusters import Refusal
from fireline.engine.outgoing import Request, Response
from fireline.engine.starting import Wanted
from tests.engine.runs_world import SERVICE, Fixed, World, shipped
from tests.faults.run_target import GENERIC

LEASE = 0.3
"""Seconds, of the made-up time, after which a run of a killed responder is free."""
STRIDE = 10.0
"""Seconds that pass at least between two looks: a rule that has to be well for a minute is not looked at each half."""
TURNS = 5_000
RESPONDERS = 4
"""One is killed at most; more than that is a fault of the trial."""
SEEDED = 1
"""The incident and the run of each trial."""
REAL = ("route", "verify", "wait", "notify", "incident", "kubernetes", "mlflow", "flags")
"""Families of actions that act as they do in production, on a target that stands in for the real one."""


class Board:
    """What outlives a killed responder: the time, and how many boundaries were crossed."""

    _FORM = struct.Struct("=dq100s")

    def __init__(self, now: float) -> None:
        self._memory = mmap.mmap(-1, self._FORM.size)
        self.write(now, 0, "")

    def read(self) -> tuple[float, int, str]:
        now, count, where = self._FORM.unpack(self._memory[:])
        return now, count, where.rstrip(b"\0").decode()

    def write(self, now: float, count: int, where: str) -> None:
        self._memory[:] = self._FORM.pack(now, count, where.encode()[:100])


class SharedClock(FakeClock):
    """Time that the next responder finds as this one left it."""

    def __init__(self, board: Board) -> None:
        super().__init__(board.read()[0])
        self._board = board

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._board.write(self.now(), *self._board.read()[1:])


@dataclass
class Deathbed:
    """Kills this process at a boundary; with None it only counts."""

    board: Board
    at: int | None

    def boundary(self, where: str) -> None:
        now, count, _ = self.board.read()
        self.board.write(now, count + 1, where)
        if count + 1 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingStore:
    """The database, with a boundary on both sides of each commit that changes a run or a route."""

    def __init__(self, store: DatabaseStore, deathbed: Deathbed) -> None:
        self._store = store
        self._deathbed = deathbed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._store.transaction() as tx:
            wrote: list[str] = []
            for name in ("save_run", "save_route"):
                setattr(tx, name, _noting(getattr(tx, name), wrote))
            yield tx
            what = "; ".join(wrote)
            if wrote:
                self._deathbed.boundary(f"before {what}")
        if wrote:
            self._deathbed.boundary(f"after {what}")


def _noting(save: Any, wrote: list[str]) -> Any:
    def noted(thing: Any, *more: Any) -> None:
        save(thing, *more)
        wrote.append(str(more[0]) if more else f"route {dict(thing.weights)}")

    return noted


class Rerouted:
    """The real client of HTTP, with the target behind every address."""

    def __init__(self, port: int, deathbed: Deathbed) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._deathbed = deathbed
        self._fetch = SafeFetch(["127.0.0.1"], self)

    def secret(self, name: str) -> str | None:
        return f"the secret {name}"

    async def __call__(self, request: Request) -> Any:
        url = f"{self._address}/{request.url.split('://', 1)[-1]}"
        if request.method == "GET":
            return await self._fetch(replace(request, url=url))
        self._deathbed.boundary(f"before {request.method} {request.url}")
        answer = await self._fetch(replace(request, url=url))
        self._deathbed.boundary(f"after {request.method} {request.url}")
        return answer

    async def asked(self, method: str, path: str, body: object = None) -> Any:
        answer = await self(Request(method, f"http://{path}", json=body))
        assert isinstance(answer, Response), answer
        return answer.status, json.loads(answer.text)


@dataclass
class Cluster:
    """The port to a cluster, at the target."""

    fetch: Rerouted

    async def deployment(self, where: Any) -> Any:
        return _object(*await self.fetch.asked("GET", f"kubernetes/{where.namespace}/{where.name}"))

    async def replica_sets(self, where: Any, selector: str) -> Any:
        _, found = await self.fetch.asked("GET", f"kubernetes/{where.namespace}/?selector={selector}")
        return found["items"]

    async def patch(self, where: Any, operations: Sequence[Any]) -> Any:
        body = [dict(each) for each in operations]
        return _object(*await self.fetch.asked("PATCH", f"kubernetes/{where.namespace}/{where.name}", body))


def _object(status: int, body: Any) -> Any:
    return body if status == 200 else Refusal(str(body["message"]), status)


@dataclass
class Dressed:
    """An action as a test of the runbook has it: for real where that ends so by itself, else as the target tells it."""

    name: str
    real: Any
    script: Script
    fetch: Rerouted
    only_told: bool = False
    mutates: bool = field(init=False)
    at_once: bool = field(init=False)

    def __post_init__(self) -> None:
        self.mutates = bool(getattr(self.real, "mutates", True))
        self.at_once = bool(getattr(self.real, "at_once", False))

    async def perform(self, options: Any, context: Any) -> Outcome:
        step = context.step + (UNDO if context.key.endswith(UNDO) else "")
        mocks = self.script.of(step)
        after = mocks[0].after if mocks and mocks[0].ends is not Ends.ANSWERED else 0.0
        until = float(context.memory.get(UNTIL, context.now + after))
        if context.now < until:
            return Waiting(until - context.now, "takes its time", {UNTIL: until})
        if self._really(options, mocks):
            outcome: Outcome = await self.real.perform(options, context)
            kept = isinstance(outcome, Waiting) and after
            return replace(outcome, memory={**outcome.memory, UNTIL: until}) if kept else outcome
        ends = [_end(mock) for mock in mocks] or [await self._rehearsed(options, context)]
        body = {"key": context.key, "ends": ends, "mutates": self.mutates}
        _, said = await self.fetch.asked("POST" if self.mutates else "GET", "told", body)
        return _outcome(said)

    def _really(self, options: Any, mocks: Sequence[Mock]) -> bool:
        family = self.name.partition(".")[0]
        if self.name in ("approval", "ask"):
            return any(mock.ends is Ends.ANSWERED for mock in mocks)
        if any(mock.ends is not Ends.DONE for mock in mocks):
            return False
        if family == "route":
            return True
        if self.only_told:
            return False
        return family in REAL or (isinstance(options, RequestOptions) and _polls_well(options))

    async def _rehearsed(self, options: Any, context: Any) -> dict[str, object]:
        outcome = await self.real.perform(options, replace(context, dry_run=True))
        return {"end": "output", "output": dict(outcome.output) if isinstance(outcome, Done) else {}, "reason": ""}


def _polls_well(options: RequestOptions) -> bool:
    """Whether the target's answer to whatever it does not know ends the step well."""
    known = {"status_code": 200, "json": GENERIC, "values": {}}
    return not options.values and (options.poll is None or told(options.poll.until, KNOWN, known) is True)


def _end(mock: Mock) -> dict[str, object]:
    return {"end": mock.ends.value, "output": dict(mock.output), "reason": mock.reason}


def _outcome(said: Mapping[str, Any]) -> Outcome:
    match said["end"]:
        case "output" | "answer":
            return Done(said["output"])
        case "retry":
            return RetryLater(0.0, said["reason"])
        case end:
            return Failed(said["reason"], unknown=end == "unknown", output=said["output"])


class Responder:
    """One responder, and the people who have to do with its run."""

    def __init__(self, trial: Mapping[str, Any], board: Board, at: int | None) -> None:
        self.book, self.test, self.configuration = case(trial)
        deathbed = Deathbed(board, at)
        store = open_store(trial["url"])
        if trial["url"].startswith("sqlite"):
            store.close()  # connections from here on do not wait for the disk: a killed process loses nothing by that
            event.listen(store._engine, "connect", lambda made, _: made.execute("PRAGMA synchronous = OFF"))
        dying: Any = DyingStore(store, deathbed)
        w = World(dying, SharedClock(board), Fixed(self.configuration), owner=f"responder-{os.getpid()}")
        self.fetch, self.script = Rerouted(trial["port"], deathbed), Script(self.test.mocks)
        ports = Ports(dying, w.settings, w.clock, w.responder, fetch=self.fetch, cluster=Cluster(self.fetch))
        w.actions = {
            name: Dressed(name, real, self.script, self.fetch, trial["told"])
            for name, real in build_actions(ports).items()
        }
        w.runs = w.build()
        w.runs._lease = LEASE
        self.w = w
        self._answered: set[tuple[str, float]] = set()

    async def drive(self) -> None:
        test = self.test
        person = "" if test.incident is not None else "campaign"
        mode = Autonomy.APPROVE if self.book.mode is Autonomy.APPROVE else Autonomy.AUTO
        wanted = Wanted("campaign", self.book.name, SEEDED, dict(test.inputs), person=person, mode=mode)
        started = self.w.runs.request(wanted)
        assert started.run is not None, started.reason
        for _ in range(TURNS):
            self._judged()
            self._overdue(self.w.run(SEEDED))
            due = await self.w.runs.run_once()
            run = self.w.run(SEEDED)
            if run.over:
                return await self.fetch._fetch.close()
            self._pass_time(run, due)
        raise AssertionError(f"not over after {TURNS} looks: {self.w.run(SEEDED)}")

    def _overdue(self, run: Run) -> None:
        """A person who aborts waits for no responder: it is done before anybody drives on."""
        for at, step, mock in [] if run.over else list(self._people(run)):
            if mock is None and at <= self.w.clock.now():
                self._act(run, step, mock)

    def _judged(self) -> None:
        """Whoever judges rules finds everything well."""
        with self.w.store.reading() as tx:
            self.w.verdicts = {watch.rule: "clear" for watch in tx.watches(self.w.clock.now())}
        if self.w.verdicts:
            self.w.evaluate()

    def _pass_time(self, run: Run, due: float | None) -> None:
        now = self.w.clock.now()
        todo = list(self._people(run))
        until = max(run.deadline if due is None else due, now + STRIDE)
        until = max(now, min([until, *(at for at, _, _ in todo)]))
        self.w.clock.advance(until - now)
        for at, step, mock in todo:
            if at <= until:
                self._act(run, step, mock)

    def _people(self, run: Run) -> Iterator[tuple[float, StepRun | None, Mock | None]]:
        """What people do, and when: abort, let it start, answer."""
        if self.test.abort is not None and not any("aborted by" in what for what in self.w.journal(run.id)):
            yield run.created_at + self.test.abort.after, None, None
        if run.status is RunStatus.WAITING and not run.approved_by:
            yield self.w.clock.now(), None, Mock(Ends.ANSWERED, approved=True)
        for step in run.steps:
            asked = step.memory.get(ASKED)
            if step.status is not StepStatus.WAITING or not isinstance(asked, (int, float)):
                continue
            mock = next((m for m in self.script.of(step.id) if m.ends is Ends.ANSWERED), None)
            if mock is not None and mock.approved is not None and (step.id, asked) not in self._answered:
                yield asked + mock.after, step, mock

    def _act(self, run: Run, step: StepRun | None, mock: Mock | None) -> None:
        if mock is None:
            undo = self.test.abort is not None and self.test.abort.undo
            self.w.runs.abort(run.id, "a person", "the test says so", undo=undo)
            return
        if step is not None:
            self._answered.add((step.id, float(str(step.memory[ASKED]))))
        name = approvals.START if step is None else step.id
        may = sorted(self.w.runs.may_answer(run.id, name) - {run.requested_by})
        for person in [mock.by] if mock.by else may[: len(may) if mock.approved else 1]:
            self.w.runs.approve(run.id, name, person, bool(mock.approved), mock.reason)


def case(trial: Mapping[str, Any]) -> tuple[Runbook, RunbookTest, Configuration]:
    """The runbook and its test; the table of autonomy lets each runbook do what it says itself."""
    configuration = replace(shipped(), autonomy=())
    book = configuration.runbooks[trial["book"]]
    test = book.tests[trial["test"]]
    return book, test, replace(configuration, catalog=_with_services(configuration.catalog, test))


def _with_services(catalog: Catalog, test: RunbookTest) -> Catalog:
    """The catalog, with those that only a test names: what mocks put up with, real actions do not."""
    named = test.inputs.get("services")
    given = map(str, named) if isinstance(named, list | tuple) else ()
    more = {name: replace(catalog.services[SERVICE], id=name) for name in given if name not in catalog.services}
    return replace(catalog, services={**catalog.services, **more})


def _child(trial: Mapping[str, Any], board: Board, at: int | None) -> None:
    """The whole life of a responder, in a process of its own."""
    code = 1
    try:
        asyncio.run(Responder(trial, board, at).drive())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def tried(trial: Mapping[str, Any]) -> dict[str, object]:
    """Have responders drive the run until it is over: how it went."""
    board, at, killed, where = Board(trial["now"]), trial["at"], False, ""
    for number in range(1, RESPONDERS + 1):
        pid = os.fork()
        if pid == 0:
            _child(trial, board, at)
        _, status = os.waitpid(pid, 0)
        now, count, last = board.read()
        if os.WIFEXITED(status):
            return {"code": os.WEXITSTATUS(status), "killed": killed, "where": where, "count": count, "number": number}
        killed, where, at = True, last, None
        board.write(now + LEASE + 0.01, count, last)
    return {"code": 2, "killed": killed, "where": where, "count": count, "number": RESPONDERS}


def main() -> None:
    """Answer trials until nobody asks for any. What is loaded and made before the first fork costs no responder."""
    configuration = replace(shipped(), autonomy=())
    book = configuration.runbooks["route-to-fallback"]
    asyncio.run(play(book, book.tests[0], configuration))
    gc.collect()
    gc.freeze()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        for line in sys.stdin:
            print(json.dumps(tried(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
