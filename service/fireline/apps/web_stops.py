"""The HTTP API of the stop switch: what `fireline stop` can do, a request can."""

from collections.abc import Callable

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from fireline.apps.web_guard import Problem
from fireline.apps.web_json import Answer
from fireline.domain.stops import Asked, Stop
from fireline.engine.stops import Answered, Switch

TAGS: list[str] = ["stops"]
VIA = "api"


class Lifted(BaseModel):
    """Who asks; without a `service` it is about the switch for everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    person: str = Field(min_length=1, max_length=100)
    service: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)


class Pulled(Lifted):
    """The same with why; `let_undo`: runs may still take back what they did."""

    reason: str = Field(min_length=3, max_length=1000)
    let_undo: bool = False


def stop_json(stop: Stop) -> dict[str, object]:
    """One pull of the switch; times in seconds since the epoch."""
    return {
        "number": stop.number,
        "service": stop.service or None,
        "pulled": stop.pulled,
        "by": stop.by,
        "via": stop.via,
        "at": stop.at,
        "reason": stop.reason,
        "let_undo": stop.let_undo,
        "lifted_at": stop.lifted_at,
        "lifted_by": stop.lifted_by or None,
        "lifted_reason": stop.lifted_reason,
    }


def stop_paths(router: APIRouter, switch: Switch, known: Callable[[str], str]) -> None:
    """The paths under /api/stops; `known` gives a person's id or raises Problem."""

    @router.get("/stops", tags=list(TAGS))
    def listed(lifted: bool = False) -> Answer:
        """What is stopped now; `lifted`: what was stopped before as well."""
        return Answer({"stops": [stop_json(stop) for stop in switch.stops(pulled_only=not lifted)]})

    @router.post("/stops", tags=list(TAGS))
    def pull(body: Pulled) -> Answer:
        """Pull the switch: no run starts, and none takes a further step that changes anything."""
        person = known(body.person)
        return _told(switch.pull(Asked(body.service, person, body.reason.strip(), VIA, body.let_undo)))

    @router.post("/stops/lift", tags=list(TAGS))
    def lift(body: Lifted) -> Answer:
        """Lift it: what waits goes on."""
        person = known(body.person)
        return _told(switch.lift(Asked(body.service, person, body.reason.strip(), VIA)))


def _told(answer: Answered) -> Answer:
    if not answer.done:
        raise Problem(409, answer.text)
    return Answer({"stop": None if answer.stop is None else stop_json(answer.stop), "reason": answer.text})
