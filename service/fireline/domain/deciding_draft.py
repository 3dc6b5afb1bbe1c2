"""Decision: what one input leads to; Draft: a decision while it is being made."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from operator import attrgetter
from typing import Any

from fireline.domain.deciding_world import World
from fireline.domain.effects import Effect, Publish, Say, Timer, UpdateCard, UpdatePage
from fireline.domain.incident_records import Change
from fireline.domain.incidents import Entry, Incident, Page, PageStatus, Status

TOPIC = "fireline.incidents"
ACTOR = "fireline"
LIVE = (PageStatus.SENDING, PageStatus.DELIVERED)
CONTACT = "contact"
"""The kind of deadline of a step of a person's own order."""
OF_ACKNOWLEDGEMENT = ("ack_timeout", "ack_warning", "update")
"""Deadlines that end with the acknowledgement."""

SAID = frozenset(
    {
        "silenced",
        "unsilenced",
        "paged",
        "nobody",
        "exhausted",
        "undelivered",
        "pending",
        "acknowledged",
        "escalated",
        "severity",
        "flap",
    }
    | {
        "merged",
        "split",
        "role",
        "closed",
        "mitigated",
        "resolved",
        "reopened",
        "run",
        "route",
        "lease",
        "held",
        "owner",
        "note",
        "stale",
        "unpaged",
    }
    | {"impacted", "outlived", "flapping", "calm"}
    | {"group", "told", "partly", "renewed", "deferred"}
)
"""The kinds of entries that are also said in the thread of the incident's card; the card itself shows the rest."""

DECISIVE = frozenset(
    {"acknowledged", "attached", "closed", "escalated", "flap", "merged", "postmortem", "reopened", "resolved"}
    | {"role", "severity", "split", "task"}
)
"""The kinds of entries that who acts on an older version is told of."""

MOST_CHANGES = 20

_FIELDS = tuple(each.name for each in dataclass_fields(Incident))
_values = attrgetter(*_FIELDS)  # half the price of `replace`, a dozen times in each decision


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
    refused: bool = False  # a person asked for it, and it was not done
    also: tuple[tuple[Incident | None, "Decision"], ...] = ()  # for other incidents: what each was, what is decided


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
    refused: bool = False
    quiet: bool = False  # only the timeline tells: no card, no thread

    def change(self, **fields: Any) -> None:
        """Replace fields of the incident."""
        self.incident = Incident(**{**dict(zip(_FIELDS, _values(self.incident), strict=True)), **fields})

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
        self.change(peak=self._peak(), changes=self._changes())
        self._disarm_what_ended()
        shown = [] if self.quiet else [*self._cards(), *self._pages(), *self._lines(), self._published()]
        return self._decision(self.incident, [*self.effects, *shown])

    def _peak(self) -> str:
        severity, peak = self.incident.severity, self.incident.peak
        return severity if peak is None or self.world.worse(severity, peak) else peak

    def _changes(self) -> tuple[Change, ...]:
        version = self.incident.version
        fresh = [Change(version, e.at, e.kind, e.actor, e.text[:200]) for e in self.entries if e.kind in DECISIVE]
        return (*self.incident.changes, *fresh)[-MOST_CHANGES:]

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
            refused=self.refused,
        )

    def _disarm_what_ended(self) -> None:
        """No deadline outlives what it is for: the steps of a page that has ended, the end of an acknowledgement."""
        before, live = self.before, {page.number for page in self.live_pages()}
        old = () if before is None else before.pages
        gone = [
            self.key(step_name(page, index))
            for page in {page.number: page for page in (*self.incident.pages, *old)}.values()
            for index in range(len(page.plan))
            if page.number not in live and ((page in old and page.status in LIVE) or page not in old)
        ]
        taken = before is not None and before.acknowledged_by is not None
        if self.incident.acknowledged_by is None or self.incident.resolved_at is not None:
            names = map(self.key, OF_ACKNOWLEDGEMENT)
            gone += [name for name in names if taken or name in self.timers]
        self.timers.update(dict.fromkeys(gone))

    def _rooms(self) -> list[tuple[str, str]]:
        team = self.world.team(self.incident.owner)
        known = self.world.channels
        rooms = dict.fromkeys((*(() if team is None else team.channels.items()), *self.incident.rooms))
        return [(c, room) for c, room in rooms if room and (known is None or c in known)]

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
        said = [entry for entry in self.entries if entry.kind in SAID and not self._withheld(entry)]
        return [
            Say(
                self.key(f"say/{channel}:{room}/v{self.incident.version}/{index}"),
                self.incident.number,
                channel,
                room,
                entry.text,
                mentions=_mentions(entry, channel, room),
            )
            for channel, room in self._rooms()
            for index, entry in enumerate(said)
        ]

    def _withheld(self, entry: Entry) -> bool:
        """Whether a silence holds it back: the end of an incident that it silenced, where it was made to."""
        silenced = self.incident.silenced
        return silenced is not None and silenced.holds_resolves and entry.kind == "resolved"

    def _published(self) -> Effect:
        incident = self.incident
        key = self.key(f"published/v{incident.version}")
        return Publish(key, TOPIC, incident.id, summary_of(incident))


def step_name(page: Page, index: int) -> str:
    """The name of the deadline of a step of a page: `page-3/step-1`."""
    return f"page-{page.number}/step-{index}"


def step_of(key: str) -> tuple[int, int]:
    """Page and step of the key of such a deadline; of any other, none that exists."""
    found = re.fullmatch(r".*/page-(\d{1,9})/step-(\d{1,9})", key)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def _mentions(entry: Entry, channel: str, room: str) -> tuple[str, ...]:
    """The groups that the line mentions in this room: of `[channel, room, group]` in its data."""
    given = entry.data.get("mentions")
    found = given if isinstance(given, list) else []
    return tuple(str(group) for at, where, group in found if (at, where) == (channel, room))


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
        "status": incident.stands,
        "owner": incident.owner,
        "opened_at": incident.opened_at,
        "started": incident.started,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": incident.acknowledged_at,
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "reopened": incident.reopened,
        "closed_at": incident.closed_at,
        "merged_into": None if incident.merged_into is None else f"INC-{incident.merged_into}",
        "impacted_by": None if incident.impact is None else f"INC-{incident.impact.cause}",
        "impacts": [f"INC-{number}" for number in incident.impacts],
        "firing": [a.signal.fingerprint for a in incident.firing],
        "leases": list(incident.leases),
        "silenced": [] if incident.silenced is None else list(incident.silenced.by),
    }
