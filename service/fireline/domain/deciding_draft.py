"""Decision: what one input leads to; Draft: a decision while it is being made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fireline.domain.deciding_world import World
from fireline.domain.effects import Effect, Publish, Say, Timer, UpdateCard, UpdatePage
from fireline.domain.incidents import Entry, Incident, Page, PageStatus, Status

TOPIC = "fireline.incidents"
ACTOR = "fireline"
LIVE = (PageStatus.SENDING, PageStatus.DELIVERED)

SAID = frozenset(
    {"paged", "nobody", "exhausted", "undelivered", "pending", "acknowledged", "escalated", "severity", "flap"}
    | {"mitigated", "resolved", "reopened", "run", "route", "lease", "held", "owner", "note", "stale", "unpaged"}
)
"""The kinds of entries that are also said in the thread of the incident's card; the card itself shows the rest."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an input leads to. `incident` is the new state, None when there is none; unchanged when its version is.

    `disarm` and `withdraw` (keys) are applied before `arm` and `effects`. `reply` answers the person who asked;
    `reason` says why it was decided so, "nothing to do" included.
    """

    incident: Incident | None
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    arm: tuple[Timer, ...] = ()
    disarm: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    reply: str = ""
    reason: str = ""


@dataclass(slots=True)
class Draft:
    """A decision in the making: the changing state and all that it gathered so far. Lives for one decision only."""

    before: Incident | None
    incident: Incident
    world: World
    now: float
    entries: list[Entry] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    timers: dict[str, Timer | None] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    reply: str = ""
    reason: str = ""
    quiet: bool = False  # only the timeline tells: no card, no thread

    def change(self, **fields: Any) -> None:
        """Replace fields of the incident."""
        self.incident = replace(self.incident, **fields)

    def note(self, kind: str, text: str, *, actor: str = ACTOR, data: Mapping[str, object] | None = None) -> None:
        """Add a line to the timeline; the first one is also the decision's reason unless another is set."""
        self.entries.append(Entry(self.now, kind, actor, text, data or {}))
        self.reason = self.reason or text

    def key(self, name: str) -> str:
        """The key of something of this incident: `inc-7/escalate`."""
        return f"inc-{self.incident.number}/{name}"

    def arm(self, kind: str, due_at: float, *, name: str = "") -> None:
        """Arm the incident's timer of this kind."""
        key = self.key(name or kind)
        self.timers[key] = Timer(key, due_at, kind, incident=self.incident.number)

    def disarm(self, name: str) -> None:
        """Remove a timer of the incident."""
        self.timers[self.key(name)] = None

    def replace_page(self, page: Page) -> None:
        """Put a changed page in the place of the one with its number, or add it."""
        others = [p for p in self.incident.pages if p.number != page.number]
        self.change(pages=tuple(sorted([*others, page], key=lambda p: p.number)))

    def live_pages(self) -> list[Page]:
        """The pages that still wait for their person."""
        return [page for page in self.incident.pages if page.status in LIVE]

    def decide(self) -> Decision:
        """The finished decision, with a new version, cards, threads and the published state when anything happened."""
        if self.before is not None and self.incident == self.before and not self.entries:
            return self._decision(self.before, self.effects)
        self.change(status=standing(self.incident), version=self.incident.version + 1)
        shown = [] if self.quiet else [*self._cards(), *self._pages(), *self._lines(), self._published()]
        return self._decision(self.incident, [*self.effects, *shown])

    def _decision(self, incident: Incident, effects: Iterable[Effect]) -> Decision:
        return Decision(
            incident=incident,
            entries=tuple(self.entries),
            effects=tuple(effects),
            arm=tuple(timer for timer in self.timers.values() if timer is not None),
            disarm=tuple(key for key, timer in self.timers.items() if timer is None),
            withdraw=tuple(self.withdrawn),
            reply=self.reply,
            reason=self.reason,
        )

    def _rooms(self) -> list[tuple[str, str]]:
        team = self.world.team(self.incident.owner)
        known = self.world.channels
        rooms = {} if team is None else team.channels
        return [(c, room) for c, room in rooms.items() if room and (known is None or c in known)]

    def _cards(self) -> list[Effect]:
        version, number = self.incident.version, self.incident.number
        return [
            UpdateCard(self.key(f"card/{channel}:{room}/v{version}"), number, channel, room, version)
            for channel, room in self._rooms()
        ]

    def _pages(self) -> list[Effect]:
        """The messages of earlier pages since the incident (re)opened, wherever they may have arrived."""
        old = {page.number for page in self.before.pages} if self.before else set()
        since = self.incident.opened_at if self.incident.reopened_at is None else self.incident.reopened_at
        version = self.incident.version
        return [
            UpdatePage(
                self.key(f"page-{page.number}/{a.channel}/v{version}"),
                self.incident.number,
                page.number,
                a.channel,
                a.address,
                version,
            )
            for page in self.incident.pages
            for a in page.attempts
            if page.number in old and page.at >= since and a.state != "failed"
        ]

    def _lines(self) -> list[Effect]:
        said = [entry for entry in self.entries if entry.kind in SAID]
        return [
            Say(
                self.key(f"say/{channel}:{room}/v{self.incident.version}/{index}"),
                self.incident.number,
                channel,
                room,
                entry.text,
            )
            for channel, room in self._rooms()
            for index, entry in enumerate(said)
        ]

    def _published(self) -> Effect:
        incident = self.incident
        key = self.key(f"published/v{incident.version}")
        return Publish(key, TOPIC, incident.id, summary_of(incident))


def standing(incident: Incident) -> Status:
    """The status that follows from what is known: resolved, else mitigated, else acknowledged, else triggered."""
    if incident.resolved_at is not None:
        return Status.RESOLVED
    if incident.mitigated_at is not None:
        return Status.MITIGATED
    return Status.TRIGGERED if incident.acknowledged_by is None else Status.ACKNOWLEDGED


def summary_of(incident: Incident) -> dict[str, object]:
    """The incident as it is published on `fireline.incidents`; times in seconds since the epoch."""
    return {
        "id": incident.id,
        "number": incident.number,
        "version": incident.version,
        "service": incident.service,
        "group": incident.group,
        "timeline": incident.timeline,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status.value,
        "owner": incident.owner,
        "opened_at": incident.opened_at,
        "started": incident.started,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": incident.acknowledged_at,
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "reopened": incident.reopened,
        "firing": [a.signal.fingerprint for a in incident.firing],
        "leases": list(incident.leases),
    }
