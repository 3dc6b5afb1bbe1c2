"""On-call over HTTP: who has it, shifts, gaps, overrides and swaps, and calendars that programs subscribe to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from fireline.apps.oncall_acts import change_json, told_json
from fireline.apps.oncall_ical import Wanted, calendar, may_read, window
from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer
from fireline.domain.configuration import Configuration
from fireline.domain.oncall import Schedule
from fireline.domain.roster import Wish
from fireline.domain.rota import gaps, shifts, who
from fireline.engine.ports import Clock, Settings, Store
from fireline.engine.roster import Roster, Told, rostered

MOST_DAYS = 366


def name_of(configuration: Configuration, person: str | None) -> str:
    """The person's name, or the id where the catalog has none."""
    found = configuration.catalog.people.get(person or "")
    return found.name if found is not None else (person or "")


def in_force(store: Store, configuration: Configuration, since: float) -> Configuration:
    """The configuration whose schedules have the overrides of the database that count beyond `since`."""
    with store.reading() as tx:
        return replace(configuration, oncall=rostered(configuration.oncall, tx, since))


def on_call(configuration: Configuration, now: float) -> Iterator[dict[str, object]]:
    """Each schedule with the person on call at `now`, why, until when and who is next; nobody is told as null."""
    for schedule in configuration.oncall.schedules.values():
        shift = who(schedule, now)
        if shift is None:
            yield {"schedule": schedule.id, "person": None, "name": "nobody"}
            continue
        yield {
            "schedule": schedule.id,
            "person": shift.person,
            "name": name_of(configuration, shift.person),
            "source": shift.source,
            "until": None if shift.until is None else shift.until.timestamp(),
            "next_person": shift.next_person,
        }


class Asking(BaseModel):
    """What every request to change who is on call says: who asks, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=3, max_length=1000)


class OverrideAsked(Asking):
    """`on_call` is who has it from `start` until `end`, in seconds since the epoch; without a start, from now on."""

    on_call: str = Field(min_length=1, max_length=100)
    start: float | None = Field(default=None, ge=946_684_800, le=7_258_118_400)
    end: float = Field(ge=946_684_800, le=7_258_118_400)


class SwapAsked(Asking):
    """`one` gives the shift at or after `shift`, `other` takes it and gives that at or after `back` (the next one)."""

    one: str = Field(min_length=1, max_length=100)
    other: str = Field(min_length=1, max_length=100)
    shift: float = Field(ge=946_684_800, le=7_258_118_400)
    back: float | None = Field(default=None, ge=946_684_800, le=7_258_118_400)


class WithdrawAsked(BaseModel):
    """Who takes an override back."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)


@dataclass(frozen=True, slots=True)
class OnCallParts:
    """What the paths need; `token` is the API token, of which the keys of calendars are made."""

    store: Store
    settings: Settings
    clock: Clock
    roster: Roster
    token: str | None = None

    def schedule(self, name: str, since: float) -> Schedule:
        """A schedule in force; raises `Problem` with the known ones."""
        found = in_force(self.store, self.settings.current, since).oncall.schedules
        if name not in found:
            raise Problem(404, f"there is no schedule {name[:100]!r}, there are: {', '.join(sorted(found)) or 'none'}")
        return found[name]

    def known(self, person: str) -> str:
        """The person's id; raises `Problem`."""
        if person not in self.settings.current.catalog.people:
            raise Problem(400, f"person {person[:100]!r} is not in the catalog")
        return person


def oncall_paths(parts: OnCallParts) -> APIRouter:
    """All paths of on-call that act or look further than now."""
    router = APIRouter()
    _reading(router, parts)
    _acts(router, parts)
    _calendars(router, parts)
    return router


def _reading(router: APIRouter, parts: OnCallParts) -> None:
    def span(days: int) -> tuple[datetime, datetime]:
        begin = datetime.fromtimestamp(parts.clock.now(), UTC)
        return begin, begin + timedelta(days=max(1, min(days, MOST_DAYS)))

    @router.get("/api/oncall/schedules/{schedule}/shifts", tags=["oncall"])
    def shifts_of(schedule: str, days: int = 14) -> Answer:
        """The shifts of the coming days; a gap has nobody (null)."""
        found = shifts(parts.schedule(schedule, parts.clock.now()), *span(days))
        told = [
            {"from": s.start.timestamp(), "until": s.end.timestamp(), "person": s.person, "because": s.source}
            for s in found
        ]
        return Answer({"schedule": schedule, "shifts": told})

    @router.get("/api/oncall/schedules/{schedule}/gaps", tags=["oncall"])
    def gaps_of(schedule: str, days: int = 90) -> Answer:
        """The stretches of the coming days in which nobody is on call."""
        found = gaps(parts.schedule(schedule, parts.clock.now()), *span(days))
        told = [{"from": start.timestamp(), "until": end.timestamp()} for start, end in found]
        return Answer({"schedule": schedule, "gaps": told})

    @router.get("/api/oncall/overrides", tags=["oncall"])
    def overrides() -> Answer:
        """The overrides made at run time that count from now on."""
        return Answer({"overrides": [change_json(change) for change in parts.roster.changes(parts.clock.now())]})


def _acts(router: APIRouter, parts: OnCallParts) -> None:
    def settled(told: Told) -> Answer:
        if not told.done:
            raise Problem(409, told.reason)
        return Answer(told_json(told))

    @router.post("/api/oncall/schedules/{schedule}/override", tags=["oncall"])
    def override(schedule: str, body: OverrideAsked) -> Answer:
        """Put somebody on call for a time; everybody whom it concerns is told."""
        start = parts.clock.now() if body.start is None else body.start
        author = parts.known(body.person)
        return settled(parts.roster.override(Wish(schedule, body.on_call, start, body.end, body.reason, author)))

    @router.post("/api/oncall/schedules/{schedule}/swap", tags=["oncall"])
    def swap(schedule: str, body: SwapAsked) -> Answer:
        """Let two people trade a shift each; both are told."""
        why = (body.reason, parts.known(body.person))
        return settled(parts.roster.swap(schedule, (body.one, body.other), (body.shift, body.back), why))

    @router.post("/api/oncall/overrides/{number}/withdraw", tags=["oncall"])
    def withdraw(number: int, body: WithdrawAsked) -> Answer:
        """Take an override back, and with it the other half of a swap."""
        return settled(parts.roster.withdraw(number, parts.known(body.person)))


def _calendars(router: APIRouter, parts: OnCallParts) -> None:
    @router.get("/calendars/{schedule}.ics", tags=["oncall"])
    def feed(schedule: str, token: str = "", person: str | None = None) -> Response:
        """The shifts of a schedule as iCalendar, for programs; `fireline oncall ical --url` tells the address."""
        if not may_read(parts.token, schedule, token):
            raise Problem(401, "this calendar needs its token: `fireline oncall ical SCHEDULE --url` tells it")
        now = parts.clock.now()
        begin, end = window(now)
        found = parts.schedule(schedule, begin.timestamp())
        text = calendar([found], parts.settings.current.catalog, Wanted(begin, end, person), now)
        return Response(text, media_type="text/calendar; charset=utf-8")
