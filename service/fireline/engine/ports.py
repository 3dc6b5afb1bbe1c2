"""The ports: what the engine needs of the outside. Real and in-memory sides are in `adapters/`.

Storage is synchronous: a decision is one short transaction in one thread. Who awaits things uses `asyncio.to_thread`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from fireline.domain.audit import Act, Sealed, Sought
from fireline.domain.configuration import Configuration
from fireline.domain.effects import Effect, Timer
from fireline.domain.incidents import Entry, Incident
from fireline.domain.roster import Change
from fireline.domain.routes import Route
from fireline.domain.runbooks import Run
from fireline.domain.silences import Silence
from fireline.domain.stops import Stop
from fireline.engine.outward import MessageRef
from fireline.engine.watching import Checkpoint, Claim, Watch, WatchAnswer


class Unavailable(Exception):  # noqa: N818 - a state of the outside, not a fault of ours
    """A database, broker or service does not answer now; the caller waits with backoff and tries again."""


class StaleVersion(Exception):  # noqa: N818
    """Somebody else changed the row since it was read; decide again on what is there now."""


class Clock(Protocol):
    """Time and randomness."""

    def now(self) -> float:
        """Wall time in seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass (a fake clock moves at once)."""
        ...

    def token(self) -> str:
        """A random name, for owners of leases."""
        ...


class JudgingClock(Clock, Protocol):
    """A clock that rules are judged by: it tells when it was set, and hears what others say the time is."""

    @property
    def leapt(self) -> float:
        """Seconds by which the time was set since the start, back ones negative: they did not pass."""
        ...

    @property
    def doubted(self) -> float:
        """Seconds by which the machine's clock jumped without being believed yet, 0.0 when it is followed."""
        ...

    @property
    def sure(self) -> bool:
        """Whether others may go by this time: nothing is doubted, or witnesses are for us."""
        ...

    def witness(self, at: float) -> None:
        """Take note of somebody else's time, in seconds since the epoch."""
        ...


class Settings(Protocol):
    """The configuration in force; a reload replaces the value, never changes it."""

    @property
    def current(self) -> Configuration:
        """The last good configuration."""
        ...


@dataclass(frozen=True, slots=True)
class Queued:
    """An effect claimed from the outbox, with the number of earlier attempts and when it was queued."""

    effect: Effect
    attempts: int
    queued_at: float
    maybe_sent: bool = False


class Transaction(Protocol):
    """One atomic, isolated unit of work; commits when the block ends without an exception."""

    def first_time(self, key: str, now: float) -> bool:
        """Remember `key`; False when it was there already (the input was handled before)."""
        ...

    def next_number(self, of: str) -> int:
        """The next number of `incident`, `run`, `silence`, `stop` or `override`, from 1, no gaps in committed ones."""
        ...

    # incidents
    def incident(self, number: int) -> Incident | None:
        """The incident, locked until the end of the transaction."""
        ...

    def latest_incident(self, service: str, group: str, timeline: str) -> Incident | None:
        """The newest incident of this service, key and timeline, open or not; locks the key."""
        ...

    def incidents(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Incident]:
        """Newest first."""
        ...

    def opened(self, service: str, timeline: str, since: float, limit: int) -> Sequence[tuple[int, float]]:
        """Number and time of opening of the service's latest incidents, as far back as `since`; locks none of them."""
        ...

    def beside(self, timeline: str, services: Collection[str], numbers: Collection[int]) -> Sequence[Incident]:
        """The open incidents of these services, and those with these numbers; locks none of them."""
        ...

    def lock(self, name: str) -> None:
        """Hold a name, which nothing need be called by, until the end of the transaction."""
        ...

    def save_incident(self, incident: Incident) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        ...

    def append(self, incident: int, entries: Iterable[Entry]) -> None:
        """Append to the timeline."""
        ...

    def timeline(self, incident: int) -> Sequence[Entry]:
        """All entries, oldest first."""
        ...

    # audit
    def record(self, act: Act) -> None:
        """Put down who did what, in the audit chain, when the transaction commits."""
        ...

    def audit_head(self) -> tuple[int, str]:
        """How many acts the chain has by its own count, and the mac of the last."""
        ...

    def audit_entry(self, number: int) -> Sealed | None:
        """One entry of the chain; None when there is none of this number."""
        ...

    def audit_chain(self) -> Iterator[Sealed]:
        """All entries of the chain, from the first."""
        ...

    def audit_of(self, wanted: Sought) -> Sequence[tuple[Sealed, str]]:
        """The entries that are wanted, each with the mac of the one before it; the oldest first."""
        ...

    def timeline_digests(self) -> Iterator[tuple[int, int, str]]:
        """Incident, position and digest of every line of every timeline, in order."""
        ...

    # effects and timers
    def enqueue(self, effect: Effect, now: float) -> None:
        """Queue an effect; one with a known key is already queued or done, and is ignored."""
        ...

    def withdraw(self, key: str, reason: str) -> bool:
        """Take back a queued effect; False when it was done, is unknown, or may have been done (it is in flight)."""
        ...

    def finish_effect(self, key: str, owner: str, outcome: str, now: float) -> None:
        """`Store.finish_effect`, in this transaction: it is done when what came of it is written down."""
        ...

    def backlog(self) -> int:
        """How many effects wait to be performed."""
        ...

    def arm(self, timer: Timer) -> None:
        """Insert or replace the timer of this key."""
        ...

    def disarm(self, key: str) -> None:
        """Remove a timer; no fault when it is not there."""
        ...

    # messages
    def message_ref(self, incident: int, kind: str, channel: str, address: str) -> MessageRef | None:
        """Where the message of this kind (`card`, `page:3`, `approval:12:ask`) is; None before it was sent."""
        ...

    def save_message_ref(self, incident: int, kind: str, ref: MessageRef) -> None:
        """Remember where a message is."""
        ...

    # runs
    def run(self, number: int) -> Run | None:
        """The run, locked until the end of the transaction."""
        ...

    def runs(
        self, *, incident: int | None = None, active_only: bool = False, limit: int = 100, since: float | None = None
    ) -> Sequence[Run]:
        """Newest first; with `since`, those that started then or later."""
        ...

    def save_run(self, run: Run, journal: str) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise); `journal` says what changed, appended."""
        ...

    def journal(self, run: int) -> Sequence[tuple[int, str, Run]]:
        """All journaled states of a run: (version, what changed, state)."""
        ...

    def lock_holder(self, lock: str) -> int | None:
        """The run that holds a lock, None when free."""
        ...

    def take_lock(self, lock: str, run: int) -> bool:
        """Take a lock for a run; False while another run holds it. Taking it again is no fault."""
        ...

    def release_lock(self, lock: str, run: int) -> None:
        """Give a lock back."""
        ...

    def claim_run(self, run: int, owner: str, now: float, lease: float) -> bool:
        """`Store.claim_run`, in this transaction: a run that is begun here is driven here."""
        ...

    def run_leased_to(self, run: int) -> str | None:
        """Whose the run is; it goes to nobody else before the end of this transaction."""
        ...

    def count_runs(self, runbook: str, lock: str, since: float) -> int:
        """Runs of the runbook on this lock that started at or after `since`."""
        ...

    # routes
    def route(self, service: str) -> Route | None:
        """The route of a service, locked; None before it was ever changed (all on primary)."""
        ...

    def routes(self) -> Sequence[Route]:
        """All routes that were ever changed."""
        ...

    def save_route(self, route: Route) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        ...

    # silences
    def silence(self, number: int) -> Silence | None:
        """The silence, locked; None when there is none."""
        ...

    def silences(self, after: float) -> Sequence[Silence]:
        """Those that end after then, by number; none of them changes before the end of this transaction."""
        ...

    def save_silence(self, silence: Silence) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise), once no decision that read them is under way."""
        ...

    # the stop switch
    def stops(self, *, pulled_only: bool = True) -> Sequence[Stop]:
        """Those in force (or all), by number; none of them changes before the end of this transaction."""
        ...

    def stops_to_change(self) -> Sequence[Stop]:
        """Those in force, for who pulls or lifts one: whoever read them has ended, and nobody reads meanwhile."""
        ...

    def save_stop(self, stop: Stop) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        ...

    def roster_change(self, number: int) -> Change | None:
        """The override made at run time, locked until the end of the transaction."""
        ...

    def roster_changes(self, since: float) -> Sequence[Change]:
        """Those that count beyond `since`, in the order in which they were made."""
        ...

    def save_roster_change(self, change: Change) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        ...

    # watches
    def save_watch(self, watch: Watch) -> None:
        """Ask a question, once per id."""
        ...

    def watches(self, now: float) -> Sequence[Watch]:
        """The questions that are open at `now`."""
        ...

    def answer(self, answers: Iterable[WatchAnswer]) -> None:
        """Insert or replace the answers by (watch, entity)."""
        ...

    def answers(self, watch: str) -> Sequence[WatchAnswer]:
        """The answers so far."""
        ...

    # checkpoints
    def claim(self, topic: str, partition: int, now: float) -> Claim:
        """Take a partition over: every earlier claim on it is outdated from here on."""
        ...

    def holds(self, claim: Claim) -> bool:
        """Whether nobody has taken the partition over since; nobody can until the end of this transaction."""
        ...

    def load_checkpoint(self, topic: str, partition: int, generation: str) -> Checkpoint | None:
        """The newest state of this generation, all windows; None to start afresh."""
        ...

    def checkpoints_with(self, topic: str, prefix: str) -> Sequence[Checkpoint]:
        """The newest state of all partitions of a topic, with those windows alone whose keys begin so."""
        ...

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Merge the changed windows and move the offset, together."""
        ...

    # facts
    def put_fact(self, key: str, value: Mapping[str, object], now: float) -> None:
        """A small named fact: heartbeats, rates, the broker's address."""
        ...

    def fact(self, key: str) -> tuple[Mapping[str, object], float] | None:
        """A fact and when it was put."""
        ...

    def facts(self, prefix: str) -> Mapping[str, tuple[Mapping[str, object], float]]:
        """The facts whose names begin so, each with when it was put, by name."""
        ...

    def forget_facts(self, prefix: str, before: float) -> None:
        """Remove those that were put before then."""
        ...


class Store(Protocol):
    """The database. Every method raises `Unavailable` when it is away."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction; the block's end commits it, an exception rolls it back."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """A consistent view to read from: locks nothing, waits for no writer, cannot write."""
        ...

    def claim_effects(
        self, owner: str, now: float, lease: float, limit: int, without: frozenset[str] = frozenset()
    ) -> Sequence[Queued]:
        """Due effects, the oldest of each lane only, leased to `owner` for `lease` seconds.

        One whose earlier lease ran out unfinished comes back with `maybe_sent`. Lanes of channels in `without` stay.
        """
        ...

    def finish_effect(self, key: str, owner: str, outcome: str, now: float) -> None:
        """It is done (or failed for good): `outcome` says what came of it."""
        ...

    def postpone_effect(self, key: str, owner: str, until: float, reason: str, *, maybe_sent: bool = False) -> None:
        """Try again at `until`; the lane waits. `maybe_sent`: this attempt may have arrived all the same."""
        ...

    def claim_timers(self, owner: str, now: float, lease: float, limit: int) -> Sequence[Timer]:
        """Timers due at `now`, leased; the decision that handles one disarms or re-arms it."""
        ...

    def next_timer(self) -> float | None:
        """When the next timer may be claimed, None of none."""

    def next_due(self, without: frozenset[str] = frozenset()) -> float | None:
        """When the next timer or effect is due, None of none; effects of channels in `without` do not count."""

    def claim_run(self, run: int, owner: str, now: float, lease: float) -> bool:
        """Lease a run to one responder, so that two never execute it at once."""

    def release_run(self, run: int, owner: str) -> None:
        """Give a run back."""

    def changed(self) -> object:
        """A value that differs when anything was committed since (cheap to ask, many times a second)."""

    @property
    def changed_at_once(self) -> bool:
        """Whether `changed` answers in microseconds, so that an event loop may ask it."""

    @property
    def writes_at_once(self) -> bool:
        """Whether several transactions can write at the same time, as long as they do not write the same."""
