"""The HTTP API of what people sort out and keep: severity, merge, split, roles, links, tasks, post-mortem, close."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from fireline.apps.incidents import Told, told_in
from fireline.apps.postmortem import markdown
from fireline.apps.postmortem_html import page
from fireline.apps.web_api import VIA, Api, OnIncident, number_of
from fireline.apps.web_json import Answer
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
from fireline.domain.incidents import Input

Name = Field(min_length=1, max_length=100)
Reason = Field(default="", max_length=4000)


class Rated(OnIncident):
    """`severity` is a level of severities.yaml; null lets the signals say it again."""

    severity: str | None = Field(max_length=100)
    reason: str = Reason


class Merged(OnIncident):
    """`into` is the incident that goes on, such as INC-7."""

    into: str = Field(min_length=1, max_length=20)
    reason: str = Reason


class Parted(OnIncident):
    """`signals` are rules, or fingerprints of signals."""

    signals: list[str] = Field(min_length=1, max_length=1000)
    reason: str = Reason


class RoleGiven(OnIncident):
    """`held` false takes it back."""

    role: Role
    holder: str = Name
    held: bool = True


class Linked(OnIncident):
    """A page elsewhere."""

    url: str = Field(min_length=1, max_length=2000)
    title: str = Field(default="", max_length=200)


class TaskWritten(OnIncident):
    """What is to be done, and by whom."""

    text: str = Field(min_length=1, max_length=4000)
    assignee: str | None = Field(default=None, max_length=100)


class TaskChanged(OnIncident):
    """What is left out stays as it is."""

    done: bool | None = None
    assignee: str | None = Field(default=None, max_length=100)


class Learned(OnIncident):
    """What is left out stays as it is; `due` is a day, YYYY-MM-DD."""

    root_cause: str | None = Field(default=None, max_length=4000)
    owner: str | None = Field(default=None, max_length=100)
    due: str | None = Field(default=None, max_length=10)


def incident_acts(parts: Api) -> APIRouter:
    """The paths beneath /api/incidents/{number}. What is refused is 409 with the reason."""
    router = APIRouter(prefix="/api/incidents/{number}", tags=["incidents"])
    _sorting(router, parts)
    _keeping(router, parts)
    _learning(router, parts)
    return router


def _decide(parts: Api, number: str, body: OnIncident, make: Callable[[int, str], Input]) -> Answer:
    found = parts.incident(number).number
    return parts.decide(found, make(found, parts.known(body.person)))


def _sorting(router: APIRouter, parts: Api) -> None:
    @router.post("/severity")
    def severity(number: str, body: Rated) -> Answer:
        """Set the severity by hand until it is set to null; raising it pages again."""

        def made(n: int, who: str) -> Input:
            return ChangeSeverity(n, who, VIA, body.severity, body.reason, body.version)

        return _decide(parts, number, body, made)

    @router.post("/merge")
    def merge(number: str, body: Merged) -> Answer:
        """Make it part of another incident: what it has goes there, and its pages stop."""
        into = number_of(body.into)
        return _decide(parts, number, body, lambda n, who: Merge(n, into, who, VIA, body.reason, body.version))

    @router.post("/split")
    def split(number: str, body: Parted) -> Answer:
        """Make an incident of its own of some signals."""
        signals = tuple(body.signals)
        return _decide(parts, number, body, lambda n, who: Split(n, who, VIA, signals, body.reason, body.version))


def _keeping(router: APIRouter, parts: Api) -> None:
    @router.post("/roles")
    def roles(number: str, body: RoleGiven) -> Answer:
        """Say who leads (`commander`) and who works on it (`responder`)."""

        def made(n: int, who: str) -> Input:
            return SetRole(n, who, VIA, body.role, body.holder, body.held, body.version)

        return _decide(parts, number, body, made)

    @router.post("/links")
    def links(number: str, body: Linked) -> Answer:
        """Put a page elsewhere beside it."""
        return _decide(parts, number, body, lambda n, who: AddLink(n, who, VIA, body.url, body.title, body.version))

    @router.post("/tasks")
    def tasks(number: str, body: TaskWritten) -> Answer:
        """Write down what is to be done."""

        def made(n: int, who: str) -> Input:
            return AddTask(n, who, VIA, body.text, body.assignee, body.version)

        return _decide(parts, number, body, made)

    @router.post("/tasks/{task}")
    def task(number: str, task: int, body: TaskChanged) -> Answer:
        """Say that a task is done or open again, or whose it is."""

        def made(n: int, who: str) -> Input:
            return ChangeTask(n, who, VIA, task, body.done, body.assignee, body.version)

        return _decide(parts, number, body, made)


def _learning(router: APIRouter, parts: Api) -> None:
    @router.get("/postmortem", response_class=PlainTextResponse)
    def postmortem(number: str, format: Literal["markdown", "html"] = "markdown") -> Response:  # noqa: A002 - the word of the API
        """A draft from the timeline: Markdown, or a page with charts of the evidence (`?format=html`)."""
        told = _told(parts, number)
        if format == "html":
            return HTMLResponse(page(told))
        return PlainTextResponse(markdown(told), media_type="text/markdown; charset=utf-8")

    @router.post("/postmortem")
    def write(number: str, body: Learned) -> Answer:
        """Write the root cause, the owner or the due date."""

        def made(n: int, who: str) -> Input:
            return WritePostMortem(n, who, VIA, body.root_cause, body.owner, body.due, body.version)

        return _decide(parts, number, body, made)

    @router.post("/close")
    def close(number: str, body: OnIncident) -> Answer:
        """Close a resolved incident for good; refused while a required post-mortem lacks something."""
        return _decide(parts, number, body, lambda n, who: Close(n, who, VIA, body.version))


def _told(parts: Api, number: str) -> Told:
    with parts.store.reading() as tx:
        return told_in(tx, parts.incident(number))
