"""The HTTP API of runbooks and of what is done about runs: as `fireline runbook run` and `fireline runs`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from fireline.apps import run_asking
from fireline.apps.run_asking import AskedRun, RunAct, RunControls
from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer, run_json
from fireline.domain.incidents import Incident
from fireline.domain.runbooks import Run, Runbook
from fireline.engine.ports import Settings
from fireline.spec.findings import suggestion

RUNS: list[str] = ["runs"]
RUNBOOKS: list[str] = ["runbooks"]


class _Body(BaseModel):
    """Who asks, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)
    reason: str = Field(default="", max_length=1000)


class Held(_Body):
    """`version` is that of the run the person saw: when it has changed since, nothing is done."""

    version: int | None = Field(default=None, ge=0)


class OnStep(Held):
    """The step that it is about."""

    step: str = Field(min_length=1, max_length=200)


class Ended(_Body):
    """`undo`: what the run did is undone first."""

    step: str | None = Field(default=None, max_length=200)
    undo: bool = False


class Filled(BaseModel):
    """The values of a form, by field; `step` that asks, whatever the run waits for otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)
    step: str | None = Field(default=None, max_length=200)
    values: dict[str, Any] = Field(max_length=20)


class Wanted(_Body):
    """A run: its inputs, the incident it is for (`INC-7`), and a key under which it is started once only.

    `overrule`: guards that are overruled for the reason that is given, such as `cooldown`.
    """

    inputs: dict[str, Any] = Field(default_factory=dict, max_length=100)
    incident: str | None = Field(default=None, max_length=20)
    key: str = Field(default="", max_length=200)
    overrule: list[str] = Field(default_factory=list, max_length=10)


@dataclass(frozen=True, slots=True)
class RunDesk:
    """What the paths need: `run` and `incident` find those of a path, `known` a person; they raise Problem."""

    settings: Settings
    controls: RunControls
    run: Callable[[str], Run]
    incident: Callable[[str], Incident]
    known: Callable[[str], str]

    def act(self, act: RunAct, number: str, body: Held) -> Answer:
        """Do it; 409 with the reason where it is not taken."""
        step = body.step if isinstance(body, OnStep) else None
        asked = run_asking.OnRun(step, body.reason, body.version)
        verdict = self.controls.act_on_run(act, self.run(number).id, self.known(body.person), asked)
        return self.told(number, verdict)

    def told(self, number: str, verdict: run_asking.Verdict) -> Answer:
        """The run as it is now."""
        if not verdict.done:
            raise Problem(409, verdict.reason)
        return Answer({"run": run_json(self.run(number)), "reason": verdict.reason})

    def start(self, name: str, body: Wanted) -> Answer:
        """Start it; 409 with the reason where there is no run."""
        books = self.settings.current.runbooks
        if name not in books:
            raise Problem(404, f"there is no runbook {name[:100]!r}; {suggestion(name, books)}")
        incident = None if body.incident is None else self.incident(body.incident).number
        asked = AskedRun(body.inputs, incident, body.reason, body.key, tuple(body.overrule))
        number, reason = self.controls.start_run(name, self.known(body.person), asked)
        if number is None:
            raise Problem(409, reason)
        return Answer({"run": run_json(self.run(str(number))), "reason": reason})


def runbook_json(book: Runbook) -> Mapping[str, object]:
    """A runbook as a list of them shows it."""
    return {
        "name": book.name,
        "owner": book.owner,
        "description": book.description,
        "mode": book.mode.value,
        "inputs": [{"name": i.name, "type": i.type, "required": i.default is None} for i in book.inputs],
        "steps": [{"id": step.id, "uses": step.uses} for step in book.steps],
        "reviewed": book.reviewed,
        "hash": book.hash,
    }


def run_paths(router: APIRouter, desk: RunDesk) -> None:
    """The paths of runbooks, and those of runs that change something beside approvals."""

    @router.get("/runbooks", tags=list(RUNBOOKS))
    def listed() -> Answer:
        """All runbooks, by name."""
        books = desk.settings.current.runbooks
        return Answer({"runbooks": [runbook_json(books[name]) for name in sorted(books)]})

    @router.post("/runbooks/{name}/run", tags=list(RUNBOOKS))
    def start(name: str, body: Wanted) -> Answer:
        """Start a run, under the same guards as a rule would; the person is its requester."""
        return desk.start(name, body)

    @router.post("/runs/{number}/answer", tags=list(RUNS))
    def answer(number: str, body: Filled) -> Answer:
        """Fill in the form that a step waits for; 409 with everything that does not fit."""
        found, person = desk.run(number), desk.known(body.person)
        return desk.told(number, desk.controls.fill_run(found.id, body.step, person, body.values))

    @router.post("/runs/{number}/abort", tags=list(RUNS))
    def abort(number: str, body: Ended) -> Answer:
        """End it where it stands, or undo first what it did."""
        found, person = desk.run(number), desk.known(body.person)
        return desk.told(number, desk.controls.abort_run(found.id, person, body.reason, undo=body.undo))

    @router.post("/runs/{number}/pause", tags=list(RUNS))
    def pause(number: str, body: Held) -> Answer:
        """Begin nothing new until somebody resumes it."""
        return desk.act("pause", number, body)

    @router.post("/runs/{number}/resume", tags=list(RUNS))
    def resume(number: str, body: Held) -> Answer:
        """Go on with a paused one."""
        return desk.act("resume", number, body)

    @router.post("/runs/{number}/retry", tags=list(RUNS))
    def retry(number: str, body: OnStep) -> Answer:
        """Go on with one that failed or was aborted, from a step."""
        return desk.act("retry", number, body)

    @router.post("/runs/{number}/skip", tags=list(RUNS))
    def skip(number: str, body: OnStep) -> Answer:
        """Pass over a step, for a reason."""
        return desk.act("skip", number, body)
