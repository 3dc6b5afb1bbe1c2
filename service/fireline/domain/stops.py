"""The stop switch: while a person has pulled it, no run starts and none takes a further step that changes anything.

It covers everything, or one service. Pulling and lifting are decided here; `engine/stops` reads and keeps them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Stop:
    """One pull of the switch. `service` is the catalog's id, empty for everything; times in seconds since the epoch.

    `by` and `lifted_by` are people's ids, `via` what it came through (slack, api, command line). With `let_undo` runs
    may still take back what they did. `name` is how the person is called, for whoever reads it.
    """

    number: int
    service: str
    reason: str
    by: str
    via: str
    at: float
    let_undo: bool = False
    name: str = ""
    version: int = 1
    lifted_at: float | None = None
    lifted_by: str = ""
    lifted_reason: str = ""

    @property
    def pulled(self) -> bool:
        """Whether it holds runs now."""
        return self.lifted_at is None

    @property
    def scope(self) -> str:
        """What it covers, for people."""
        return self.service or "everything"

    def covers(self, services: Collection[str]) -> bool:
        """Whether it is about any of these services."""
        return not self.service or self.service in services

    def __str__(self) -> str:
        """For people: `the stop switch for everything, pulled by Ann Lee: the fallback is worse`."""
        return f"the stop switch for {self.scope}, pulled by {self.name or self.by}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A person pulls or lifts the switch. `service` is the catalog's id, empty for everything."""

    service: str
    person: str
    reason: str
    via: str
    let_undo: bool = False
    name: str = ""


def standing(stops: Sequence[Stop], service: str) -> Stop | None:
    """The pull that is in force for exactly this service, or for everything where that is empty."""
    return next((stop for stop in stops if stop.pulled and stop.service == service), None)


def pull(stops: Sequence[Stop], asked: Asked, number: int, now: float) -> Stop | str:
    """The switch as it is pulled; why nothing changed where it is pulled already.

    Pulling it once more takes back that undoing is allowed, or allows it: then it is the same pull, changed.
    """
    known = standing(stops, asked.service)
    if known is None:
        return Stop(number, asked.service, asked.reason, asked.person, asked.via, now, asked.let_undo, asked.name)
    if known.let_undo is not asked.let_undo:
        return replace(known, let_undo=asked.let_undo, version=known.version + 1)
    return f"{known.scope} is stopped already by {known.name or known.by}: {known.reason}"


def lift(stops: Sequence[Stop], asked: Asked, now: float) -> Stop | str:
    """The switch as it is lifted; why nothing changed where it is not pulled."""
    known = standing(stops, asked.service)
    if known is None:
        others = ", ".join(stop.scope for stop in stops if stop.pulled)
        return f"nothing stops {asked.service or 'everything'}" + (f"; what is stopped: {others}" if others else "")
    version = known.version + 1
    return replace(known, lifted_at=now, lifted_by=asked.person, lifted_reason=asked.reason, version=version)


def barring(stops: Sequence[Stop], services: Collection[str], *, undo: bool = False) -> Stop | None:
    """What keeps a run that touches these services from acting, the widest first; None when it may act."""
    found = [stop for stop in stops if stop.pulled and stop.covers(services) and not (undo and stop.let_undo)]
    return min(found, key=lambda stop: (stop.service != "", stop.number), default=None)
