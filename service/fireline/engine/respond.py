"""Responding: one input, one transaction. Load, decide, save, tell the timeline, queue what is to be done."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from fireline.domain.audit_acts import of_decision, of_refusal
from fireline.domain.configuration import Configuration
from fireline.domain.deciding import Decision, World, decide, forwarded, opens
from fireline.domain.deciding_storms import LIST
from fireline.domain.incident_acts import Merge, Split
from fireline.domain.incidents import Acknowledge, Entry, Incident, Input, SignalArrived, TimerDue
from fireline.domain.redaction import redacted
from fireline.engine.hearing import decide_two, speaker
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction
from fireline.engine.roster import rostered
from fireline.engine.silences import in_force
from fireline.engine.storms import ACKNOWLEDGE, acknowledged, asked_by, listing_due
from fireline.engine.surroundings import beside_signal, beside_timer, counted, hold_still
from fireline.engine.watching import Claim

ATTEMPTS = 8
"""How often a decision is made anew when somebody else changed the incident meanwhile."""

OUTDATED = "another worker has taken the partition over, and speaks for it"


class Responder:
    """Answers inputs, in whatever process and thread they arrive. Safe to call from many at once.

    `channels` names the channels that are configured, so that nobody is paged on one that is not; None: all are.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, channels: Collection[str] | None = None) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._channels = channels
        self._known: tuple[Configuration, World] | None = None

    @property
    def world(self) -> World:
        """What decisions look at under the configuration in force."""
        current = self._settings.current
        if self._known is None or self._known[0] is not current:
            self._known = (current, World.of(current, self._channels))
        return self._known[1]

    def configured(self, channel: str) -> bool:
        """Whether messages can go out on this channel at all."""
        return self._channels is None or channel in self._channels

    def handle(self, what: Input, *, once: str = "", claim: Claim | None = None) -> Decision:
        """Decide about one input and make it so, in one transaction.

        A signal that was handled before changes nothing, nor does an input under a known `once`, nor one of a worker
        whose `claim` on its partition is outdated. Raises Unavailable
        when the database is away, StaleVersion when others changed the incident faster than it could be decided upon.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._store.transaction() as tx:
                    if claim is not None and not tx.holds(claim):
                        return Decision(None, reason=OUTDATED)
                    if once and not tx.first_time(once, self._clock.now()):
                        return Decision(None, reason=f"{once} was handled before")
                    return self.handle_in(tx, what)
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def handle_in(self, tx: Transaction, what: Input) -> Decision:
        """The same inside a transaction of the caller's, who retries StaleVersion."""
        now = self._clock.now()
        world = replace(self.world, silences=in_force(self._settings.current, tx, now))
        world = replace(world, oncall=rostered(world.oncall, tx, now))
        if isinstance(what, SignalArrived):
            return self._signal(tx, what, world, now)
        if isinstance(what, Merge | Split):
            before, decision = decide_two(tx, what, world, now)
            return _apply(tx, what, decision, before, now)
        if isinstance(what, TimerDue) and what.kind == ACKNOWLEDGE:
            tx.disarm(what.key)
            return self.handle_in(tx, asked_by(what))
        before = tx.incident(what.incident)
        more = acknowledged(tx, what, now) if isinstance(what, Acknowledge) else 0
        if before is not None and (passed_on := forwarded(before, what)) is not None:
            return self.handle_in(tx, passed_on)
        if before is not None:
            world = counted(tx, before.service, before.timeline, world, now)
        if isinstance(what, TimerDue):
            world = beside_timer(tx, what, before, world)
        if isinstance(what, TimerDue) and what.kind == LIST:
            tx.disarm(what.key)
            if not listing_due(tx, what, before, now):
                return Decision(before, reason=f"{what.key}: nothing is left to list")
        decision = _apply(tx, what, decide(before, what, world, now), before, now)
        if more:
            decision = replace(decision, reply=f"{decision.reply}; and the {more} further incidents of this page")
        return decision

    def explain(self, number: int) -> list[Entry]:
        """The timeline of an incident with the data of each line: why somebody was, or was not, paged."""
        with self._store.reading() as tx:
            return list(tx.timeline(number))

    def incidents(self, *, open_only: bool = True, limit: int = 100) -> Sequence[Incident]:
        """Incidents, the newest first."""
        with self._store.reading() as tx:
            return tx.incidents(open_only=open_only, limit=limit)

    def _signal(self, tx: Transaction, what: SignalArrived, world: World, now: float) -> Decision:
        signal = what.signal
        if not tx.first_time(f"signal:{signal.id}", now):
            return Decision(None, reason=f"signal {signal.id} was handled before")
        service = world.service(signal.service)
        signal = redacted(signal, service.personal_data if service is not None else ())
        known = replace(what, signal=replace(signal, service=world.service_id(signal.service)))
        hold_still(tx, known, world)
        latest = tx.latest_incident(known.signal.service, signal.group, signal.timeline)
        before = speaker(tx, latest, known.signal, world, now)
        world = beside_signal(tx, known, before, world)
        world = counted(tx, known.signal.service, signal.timeline, world, now)
        number = tx.next_number("incident") if opens(before, signal, world, now) else None
        return _apply(tx, known, decide(before, known, world, now, number=number), before, now)


def _apply(tx: Transaction, what: Input, decision: Decision, before: Incident | None, now: float) -> Decision:
    after = decision.incident
    if after is not None and after != before:
        tx.save_incident(after)
        tx.append(after.number, decision.entries)
        tx.record(of_decision(what, before, after, decision.entries, now))
    elif decision.refused and not isinstance(what, SignalArrived):
        tx.record(of_refusal(what, what.incident, decision.reason, now))
    opened = before is None and after is not None  # nothing of it can be armed yet
    for key in () if opened else decision.disarm:
        tx.disarm(key)
    for timer in decision.arm:
        tx.arm(timer)
    for key in decision.withdraw:
        tx.withdraw(key, decision.reason)
    for effect in decision.effects:
        tx.enqueue(effect, now)
    for other, its in decision.also:
        _apply(tx, what, its, other, now)
    return decision
