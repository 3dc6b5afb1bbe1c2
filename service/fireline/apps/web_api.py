"""The HTTP API: incidents, who is on call, routes and runs; what a click in Slack can do, a request can."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from fireline.apps.run_asking import RunControls, Verdict
from fireline.apps.silence_asking import Desk
from fireline.apps.web_changes import Changes
from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer, incident_json, run_json, timeline_json
from fireline.apps.web_oncall import in_force, on_call
from fireline.apps.web_runs import RunDesk, run_paths
from fireline.apps.web_silences import silences
from fireline.apps.web_stops import stop_paths
from fireline.domain.incidents import Acknowledge, AddNote, EscalateNow, Incident, Input, Resolve
from fireline.domain.runbooks import Run
from fireline.engine.ports import Clock, Settings, Store
from fireline.engine.routes import record_of
from fireline.engine.stops import Switch

VIA = "api"
_NUMBER = re.compile(r"^(?:INC-)?([1-9][0-9]{0,8})$", re.IGNORECASE)


class Handles(Protocol):
    """The responder: one decision for one input, in one transaction."""

    def handle(self, input: Input, /) -> object:  # noqa: A002 - the word of the flow
        """Decide, save, queue effects."""
        ...

    def configured(self, channel: str, /) -> bool:
        """Whether messages can go out on this channel at all."""
        ...


class Controls(RunControls, Protocol):
    """What a person may do to runs and routes; every answer carries its reason."""

    def answer_run(self, run: int, step: str | None, person: str, approved: bool, reason: str) -> Verdict:
        """Approve or reject what the run waits for."""
        ...

    def change_route(self, service: str, weights: Mapping[str, int], person: str, reason: str) -> Verdict:
        """Send traffic elsewhere by hand."""
        ...


class Body(BaseModel):
    """What every request to change something says: who asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)


class OnIncident(Body):
    """`version` is the one the person saw; a late one never reopens a resolved incident."""

    version: int | None = Field(default=None, ge=0)


class Note(Body):
    """A line for the timeline."""

    text: str = Field(min_length=1, max_length=4000)


class OnRun(Body):
    """`step` names the approval; without it, the one that is waited for."""

    step: str | None = Field(default=None, max_length=100)
    reason: str = Field(default="", max_length=1000)


class Reroute(Body):
    """Percent by target, 100 in all, and why."""

    weights: dict[str, int] = Field(min_length=1, max_length=20)
    reason: str = Field(min_length=3, max_length=1000)


@dataclass(frozen=True, slots=True)
class Api:
    """The parts that the paths need."""

    store: Store
    settings: Settings
    responder: Handles
    controls: Controls
    clock: Clock
    changes: Changes

    def configured(self, channel: str) -> bool:
        """Whether messages can go out on this channel at all."""
        return self.responder.configured(channel)

    def known(self, person: str) -> str:
        """The person's id; raises `Problem` with the known ones."""
        people = self.settings.current.catalog.people
        if person not in people:
            known = ", ".join(sorted(people)[:50]) or "nobody"
            raise Problem(400, f"person {person[:100]!r} is not in the catalog, expected one of: {known}")
        return person

    def incident(self, text: str) -> Incident:
        """The incident of a path; raises `Problem`."""
        with self.store.reading() as tx:
            found = tx.incident(number_of(text))
        if found is None:
            raise Problem(404, f"there is no incident {text[:20]!r}")
        return found

    def run(self, text: str) -> Run:
        """The run of a path; raises `Problem`."""
        with self.store.reading() as tx:
            found = tx.run(number_of(text))
        if found is None:
            raise Problem(404, f"there is no run {text[:20]!r}")
        return found

    def decide(self, number: int, given: Input) -> Answer:
        """Hand an input to the responder, and tell what the incident is now and why; 409 where it is refused."""
        decision = self.responder.handle(given)
        reason, reply = getattr(decision, "reason", ""), getattr(decision, "reply", "")
        if getattr(decision, "refused", False):
            raise Problem(409, reply or reason)
        told = incident_json(self.incident(str(number)))
        return Answer({"incident": told, "reason": reason, "reply": reply})


def number_of(text: str) -> int:
    """`7` or `INC-7`; raises `Problem`."""
    match = _NUMBER.match(text)
    if match is None:
        raise Problem(400, f"{text[:20]!r} is not a number, such as 7 or INC-7")
    return int(match.group(1))


def api(parts: Api) -> APIRouter:
    """All paths under /api. Handlers are synchronous: FastAPI runs them in threads, beside the event loop."""
    router = APIRouter(prefix="/api")
    _reading(router, parts)
    _on_incidents(router, parts)
    _on_routes_and_runs(router, parts)
    run_paths(router, RunDesk(parts.settings, parts.controls, parts.run, parts.incident, parts.known))
    silences(router, Desk(parts.store, parts.settings, parts.clock), parts.known)
    stop_paths(router, Switch(parts.store, parts.settings, parts.clock, parts.configured), parts.known)
    return router


def _reading(router: APIRouter, parts: Api) -> None:
    @router.get("/incidents", tags=["incidents"])
    def incidents(open: bool = False, limit: int = 100) -> Answer:  # noqa: A002 - the word of the API
        """Newest first."""
        with parts.store.reading() as tx:
            found = tx.incidents(open_only=open, limit=max(1, min(limit, 1000)))
        return Answer({"incidents": [incident_json(incident) for incident in found]})

    @router.get("/incidents/{number}", tags=["incidents"])
    def incident(number: str) -> Answer:
        """One incident with its timeline and runs."""
        found = parts.incident(number)
        with parts.store.reading() as tx:
            entries, runs = list(tx.timeline(found.number)), tx.runs(incident=found.number)
        told = incident_json(found) | {"timeline": timeline_json(entries), "run_list": [run_json(r) for r in runs]}
        return Answer(told)

    @router.get("/oncall", tags=["oncall"])
    def oncall() -> Answer:
        """Who is on call now, and why."""
        now = parts.clock.now()
        return Answer({"oncall": list(on_call(in_force(parts.store, parts.settings.current, now), now))})

    @router.get("/routes", tags=["routes"])
    def routes() -> Answer:
        """The whole table."""
        return Answer({"routes": [record_of(route) for route in parts.changes.table.routes.values()]})

    @router.get("/runs/{number}", tags=["runs"])
    def run(number: str) -> Answer:
        """One run with its steps."""
        return Answer(run_json(parts.run(number)))


def _on_incidents(router: APIRouter, parts: Api) -> None:
    def act(make: Callable[..., Input], number: str, body: OnIncident) -> Answer:
        found = parts.incident(number).number
        person = parts.known(body.person)
        return parts.decide(found, make(incident=found, person=person, via=VIA, version=body.version))

    @router.post("/incidents/{number}/acknowledge", tags=["incidents"])
    def acknowledge(number: str, body: OnIncident) -> Answer:
        """The person takes it; paging stops."""
        return act(Acknowledge, number, body)

    @router.post("/incidents/{number}/escalate", tags=["incidents"])
    def escalate(number: str, body: OnIncident) -> Answer:
        """Ask the next level at once."""
        return act(EscalateNow, number, body)

    @router.post("/incidents/{number}/resolve", tags=["incidents"])
    def resolve(number: str, body: OnIncident) -> Answer:
        """It is over."""
        return act(Resolve, number, body)

    @router.post("/incidents/{number}/note", tags=["incidents"])
    def note(number: str, body: Note) -> Answer:
        """Write something down."""
        found = parts.incident(number).number
        return parts.decide(found, AddNote(incident=found, person=parts.known(body.person), text=body.text))


def _on_routes_and_runs(router: APIRouter, parts: Api) -> None:
    @router.post("/routes/{service}", tags=["routes"])
    def reroute(service: str, body: Reroute) -> Answer:
        """Send traffic elsewhere by hand; away from the primary it is a lease."""
        if service not in parts.settings.current.catalog.services:
            raise Problem(404, f"there is no service {service[:100]!r} in the catalog")
        _settle(parts.controls.change_route(service, body.weights, parts.known(body.person), body.reason))
        with parts.store.reading() as tx:
            route = tx.route(service)
        return Answer({"route": None if route is None else record_of(route)})

    def answered(number: str, body: OnRun, approved: bool) -> Answer:
        found = parts.run(number)
        person = parts.known(body.person)
        verdict = _settle(parts.controls.answer_run(found.id, body.step, person, approved, body.reason))
        return Answer({"run": run_json(parts.run(number)), "reason": verdict.reason})

    @router.post("/runs/{number}/approve", tags=["runs"])
    def approve(number: str, body: OnRun) -> Answer:
        """Let it go on."""
        return answered(number, body, True)

    @router.post("/runs/{number}/reject", tags=["runs"])
    def reject(number: str, body: OnRun) -> Answer:
        """Do not let it go on."""
        return answered(number, body, False)


def _settle(verdict: Verdict) -> Verdict:
    if not verdict.done:
        raise Problem(409, verdict.reason)
    return verdict
