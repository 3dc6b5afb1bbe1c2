"""Responding: one input, one transaction. Load, decide, save, tell the timeline, queue what is to be done."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from fireline.domain.configuration import Configuration
from fireline.domain.deciding import Decision, World, decide, opens
from fireline.domain.incidents import Entry, Incident, Input, SignalArrived
from fireline.domain.redaction import redacted
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction
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
        world = self.world
        if isinstance(what, SignalArrived):
            return self._signal(tx, what, world, now)
        return _apply(tx, decide(before := tx.incident(what.incident), what, world, now), before, now)

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
        before = tx.latest_incident(known.signal.service, signal.group, signal.timeline)
        number = tx.next_number("incident") if opens(before, signal, world, now) else None
        return _apply(tx, decide(before, known, world, now, number=number), before, now)


def _apply(tx: Transaction, decision: Decision, before: Incident | None, now: float) -> Decision:
    after = decision.incident
    if after is not None and after != before:
        tx.save_incident(after)
        tx.append(after.number, decision.entries)
    for key in decision.disarm:
        tx.disarm(key)
    for timer in decision.arm:
        tx.arm(timer)
    for key in decision.withdraw:
        tx.withdraw(key, decision.reason)
    for effect in decision.effects:
        tx.enqueue(effect, now)
    return decision
