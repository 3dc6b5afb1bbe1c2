"""What becomes of one dead letter that is to be replayed: sent, refused with a reason, or left as done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from fireline.adapters.kafka import MAX_RECORD_BYTES, Outgoing
from fireline.adapters.kafka_topics import REPLAY
from fireline.apps.dead_letter_mending import AsOf, CannotMend, Edit, Mended
from fireline.apps.dead_letter_verdict import UNTIMELY, Judge
from fireline.apps.dead_letters import REPLAYED_HEADER, Letter
from fireline.apps.output import ago

OLD = 60.0
"""Seconds of age from which on it is said that an event may be too old for a rule's window."""

_HEADER_ROOM = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """How to replay. `to` is another topic than the original one; `force` sends what would be put aside again."""

    edits: Sequence[Edit] = ()
    as_of: AsOf = "record"
    to: str | None = None
    force: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """To be sent. `faults` are left only when it is sent by force; `notes` are what a person should know."""

    mended: Mended
    topic: str
    partition: int | None
    faults: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def letter(self) -> Letter:
        """The letter that it is of."""
        return self.mended.letter

    @property
    def record(self) -> Outgoing:
        """What goes to the broker: with a header that names the letter, so that an interrupted replay finds it."""
        mark = (REPLAYED_HEADER, f"{self.letter.where} {self.letter.id}".encode())
        mended = self.mended
        at_ms = round(mended.timestamp * 1000)
        return Outgoing(
            self.topic, mended.value, mended.key, self.partition, headers=(*mended.headers, mark), at_ms=at_ms
        )


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not to be sent, and why."""

    letter: Letter
    why: str
    mended: Mended | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Sent before, to this place."""

    letter: Letter
    sent: str


Plan = Send | Refuse | Done


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans letters one by one. `appended` are topics whose records get the time at which the broker takes them."""

    judge: Judge
    wish: Wish
    now: float
    appended: frozenset[str] = frozenset()

    def plan(self, letter: Letter, sent: str | None, mended: Mended | CannotMend) -> Plan:
        """`sent` is where it was replayed to before, `mended` the letter with its changes."""
        if sent is not None and not self.wish.again:
            return Done(letter, sent)
        barred = self._barred(letter)
        if barred:
            return Refuse(letter, barred)
        if isinstance(mended, CannotMend):
            return Refuse(letter, str(mended))
        return self._judged(mended, self._target(letter))

    def _target(self, letter: Letter) -> str:
        return self.wish.to or (letter.origin.topic if letter.origin is not None else "")

    def _barred(self, letter: Letter) -> str:
        """Why nothing that is done to its value could help; empty when nothing bars it."""
        topic = self._target(letter)
        if not topic:
            return "where it came from is not known; --to TOPIC sends it to a topic of your choice"
        if topic not in self.judge.formats:
            known = ", ".join(sorted(self.judge.formats))
            return f"no stream worker reads events from {topic} ({known}); --to TOPIC sends it to one of these"
        if letter.truncated is not None:
            kept = len(letter.value or b"")
            return (
                f"only {kept} of its {letter.truncated} bytes were kept, because a broker takes no larger record beside"
                " our headers; its sender has the whole of it"
            )
        return ""

    def _judged(self, mended: Mended, topic: str) -> Plan:
        letter, wish = mended.letter, self.wish
        size = len(mended.value or b"") + sum(len(name) + len(held) for name, held in mended.headers) + _HEADER_ROOM
        if size > MAX_RECORD_BYTES:
            return Refuse(letter, f"it has {size} bytes with its headers; a broker takes {MAX_RECORD_BYTES}", mended)
        record_time = self.now if topic in self.appended else mended.timestamp
        verdict = self.judge.verdict(mended, topic, record_time)
        counted = self.judge.counted_then(mended, topic) if wish.to is None else 0
        if not wish.force:
            why = self._why_not(mended, topic, verdict.faults, verdict.event_at, counted)
            if why:
                return Refuse(letter, why, mended)
        partition = letter.origin.partition if letter.origin is not None and wish.to is None else None
        return Send(mended, topic, partition, verdict.faults, self._notes(topic, verdict.event_at, counted))

    def _why_not(
        self, mended: Mended, topic: str, faults: Sequence[tuple[str, str]], at: float | None, counted: int
    ) -> str:
        if counted:
            return (
                f"{counted} events of this record were good and were counted then; sent again they would count twice"
                " (--force sends it all the same)"
            )
        if faults:
            told = "; ".join(f"{reason}: {detail}" for reason, detail in faults)
            still = "it would be put aside again" if mended.changed else "as it is, it would be put aside again"
            return f"{still}: {told}{self._untimely(topic, faults)}"
        if self.wish.as_of != "record" and (at is None or abs(at - mended.timestamp) > 1.0):
            return "its format keeps the time in another field than `ts`; set that one with --set"
        return ""

    def _untimely(self, topic: str, faults: Sequence[tuple[str, str]]) -> str:
        if not UNTIMELY & {reason for reason, _ in faults}:
            return ""
        if topic in self.appended:
            return f"; the broker gives records of {topic} the time of their coming: --as-of now moves the event there"
        return "; --as-of arrival moves its time to when it came to Kafka, --as-of now to now"

    def _notes(self, topic: str, at: float | None, counted: int) -> tuple[str, ...]:
        notes = []
        if self.wish.as_of != "record":
            when = "it is sent" if self.wish.as_of == "now" else "it came to Kafka"
            notes.append(f"its event time is set to when {when}, which is not when it happened")
        if at is not None and self.now - at > OLD and topic != REPLAY:
            notes.append(
                f"it happened {ago(at, self.now)} ago: rules whose window does not reach back so far leave it out"
            )
        if topic == REPLAY:
            notes.append("whether it is late there is decided by the events before it")
        if counted:
            notes.append(f"{counted} events of it were counted before and count twice")
        return tuple(notes)
