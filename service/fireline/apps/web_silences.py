"""The HTTP API of silences: what `fireline silence` can do, a request can."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from fireline.apps.faults import Refused
from fireline.apps.silence_asked import Asked
from fireline.apps.silence_asking import Desk
from fireline.apps.silence_json import preview_json, silence_json
from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer
from fireline.domain.silences import Silence

TAGS: list[str] = ["silences"]
Day = Annotated[str, Field(max_length=30)]


class SilenceBody(BaseModel):
    """What a silence is made or changed with. Times are ISO 8601, those without an offset of `time_zone`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    matchers: str | None = Field(default=None, max_length=10_000)
    reason: str | None = Field(default=None, max_length=1000)
    start: str | None = Field(default=None, max_length=50)
    end: str | None = Field(default=None, max_length=50)
    lasts: str | None = Field(default=None, max_length=50)
    repeats: str | None = Field(default=None, max_length=500)
    time_zone: str | None = Field(default=None, max_length=100)
    without: list[Day] = Field(default_factory=list, max_length=500)
    resolves: Literal["pass", "hold"] | None = None
    safety: bool | None = None
    comment: str = Field(default="", max_length=4000)


class Made(SilenceBody):
    """The same with who asks for it."""

    person: str = Field(min_length=1, max_length=100)


class Looked(SilenceBody):
    """The same for a look."""

    days: int = Field(default=14, ge=1, le=366)


class ByPerson(BaseModel):
    """Who asks for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)


class Said(ByPerson):
    """A line for the thread."""

    text: str = Field(min_length=1, max_length=4000)


def silences(router: APIRouter, desk: Desk, known: Callable[[str], str]) -> None:
    """The paths under /api/silences; `known` gives a person's id or raises Problem."""

    def told(silence: Silence) -> Answer:
        return Answer({"silence": silence_json(silence, desk.clock.now(), windows=5)})

    @router.get("/silences", tags=list(TAGS))
    def listed(over: bool = False) -> Answer:
        """Planned ones and those that were made; `over`: those that are over as well."""
        now = desk.clock.now()
        return Answer({"silences": [silence_json(each, now) for each in desk.silences(over=over)]})

    @router.get("/silences/{name}", tags=list(TAGS))
    def one(name: str) -> Answer:
        """One with its coming windows, and what it holds back now."""
        found = _refusable(lambda: desk.find(name), 404)
        shown = silence_json(found, desk.clock.now(), windows=5)
        return Answer({"silence": shown, "preview": preview_json(desk.preview(found))})

    @router.post("/silences", tags=list(TAGS))
    def make(body: Made) -> Answer:
        """Make one."""
        person = known(body.person)
        return told(_refusable(lambda: desk.make(_asked(body), person), 400))

    @router.post("/silences/preview", tags=list(TAGS))
    def preview(body: Looked) -> Answer:
        """What one would hold back; nothing is made. Only `matchers` and `safety` count."""
        asked = Asked(body.matchers, "a look", lasts="1m", safety=body.safety)
        draft = _refusable(lambda: desk.draft(asked, ""), 400)
        return Answer({"preview": preview_json(desk.preview(draft, body.days))})

    _changing(router, desk, known, told)


def _changing(router: APIRouter, desk: Desk, known: Callable[[str], str], told: Callable[[Silence], Answer]) -> None:
    @router.post("/silences/{name}/edit", tags=list(TAGS))
    def edit(name: str, body: Made) -> Answer:
        """Change what is named; the rest stays."""
        person = known(body.person)
        return told(_refusable(lambda: desk.edit(name, _asked(body), person), 409))

    @router.post("/silences/{name}/end", tags=list(TAGS))
    def end(name: str, body: ByPerson) -> Answer:
        """End it now: what still fires pages."""
        person = known(body.person)
        return told(_refusable(lambda: desk.end(name, person), 409))

    @router.post("/silences/{name}/comment", tags=list(TAGS))
    def comment(name: str, body: Said) -> Answer:
        """Say something in its thread."""
        person = known(body.person)
        return told(_refusable(lambda: desk.comment(name, person, body.text), 409))


def _asked(body: SilenceBody) -> Asked:
    return Asked(**body.model_dump(exclude={"person", "days", "without"}), without=tuple(body.without))


def _refusable(act: Callable[[], Silence], status: int) -> Silence:
    try:
        return act()
    except Refused as refused:
        raise Problem(status, str(refused)) from None
