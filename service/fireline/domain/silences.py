"""Silences: who keeps what from paging, from when until when, and why; planned ones of files are maintenance. Pure.

A silence that recurs holds in windows: each begins at a wall time of its zone and lasts so many seconds. As RFC 5545
has it, a wall time that a clock change skips is read with the offset before the change (02:30 becomes 03:30), and one
that comes twice is the first of the two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from fireline.domain.rules import Matcher
from fireline.domain.silence_matchers import fits, written

HORIZON = 7 * 86_400.0
"""Seconds ahead in which windows are looked for."""
OWN = "fireline"
"""The service that Fireline's own alerts are of."""
OWN_LIMIT = 86_400.0
"""Seconds that Fireline's own alerts can be silenced for at a stretch."""
SAFETY = "safety"
"""The severity that only a silence which says so holds back."""
_CHAIN = 50


class Resolves(StrEnum):
    """Whether the end of a silenced incident is told to those who heard of it."""

    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows by an RFC 5545 RRULE: the first begins at wall time `first`; each lasts `lasts` seconds.

    `without` are days (`2026-12-27`) or wall times (`2026-12-27T02:00:00`) on which none begins (EXDATE).
    """

    rule: str
    time_zone: str
    first: datetime
    lasts: float
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """One line of the thread of a silence."""

    at: float
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history of a silence: made, edited (what, before and after), ended."""

    at: float
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Silence:
    """`number` is 0 of one planned in a file. Bounds are `[start, end)`; an `end` of None needs a recurrence."""

    number: int
    name: str
    matchers: tuple[Matcher, ...]
    start: float
    end: float | None
    author: str
    reason: str
    resolves: Resolves = Resolves.PASS
    safety: bool = False
    recurrence: Recurrence | None = None
    comments: tuple[Comment, ...] = ()
    history: tuple[Change, ...] = ()
    version: int = 1

    @property
    def id(self) -> str:
        """How people call it: `S-3`, or the name of the maintenance."""
        return f"S-{self.number}" if self.number else self.name

    @property
    def planned(self) -> bool:
        """Whether it comes from a file."""
        return self.number == 0


Span = tuple[float, float]
Starts = Callable[[Recurrence, datetime, datetime], Sequence[datetime]]
"""The wall times within two wall times at which windows of a recurrence begin."""


def never(_recurrence: Recurrence, _since: datetime, _until: datetime) -> Sequence[datetime]:
    """No windows at all: for worlds without recurring silences."""
    return ()


@dataclass(frozen=True, slots=True)
class Silences:
    """All that may hold something back, and how the windows of recurring ones are told."""

    items: tuple[Silence, ...] = ()
    starts: Starts = never


@dataclass(frozen=True, slots=True)
class Silenced:
    """That silences hold an incident back: which, whose, why, and until when nobody is paged."""

    by: tuple[str, ...]
    author: str
    until: float
    reason: str
    holds_resolves: bool = False


def spans(silence: Silence, since: float, until: float, starts: Starts) -> list[Span]:
    """The stretches, ascending and apart, in which it holds between two instants; they may reach beyond them."""
    if silence.recurrence is None:
        whole = (silence.start, silence.start if silence.end is None else silence.end)
        return [whole] if whole[0] < min(until, whole[1]) and since < whole[1] else []
    windows = _windows(silence.recurrence, since, until, starts)
    return list(_merged(_cut(windows, silence)))


def active(silence: Silence, at: float, starts: Starts) -> Span | None:
    """The stretch in which it holds at an instant; None when it does not."""
    return next((span for span in spans(silence, at, at + 1.0, starts) if span[0] <= at < span[1]), None)


def matches(silence: Silence, labels: Mapping[str, str]) -> bool:
    """Whether it is about a signal with these labels; `severity` safety must be asked for by name."""
    return (silence.safety or labels.get("severity") != SAFETY) and fits(silence.matchers, labels)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Silences with the stretches in which each holds about an instant: told once, asked for many signals."""

    at: float
    stretches: tuple[tuple[Silence, tuple[Span, ...]], ...]

    def of(self, labels: Mapping[str, str]) -> "Outlook":
        """Those that match a signal with these labels; Fireline's own are held back for a day at a stretch."""
        found = tuple(pair for pair in self.stretches if matches(pair[0], labels))
        if labels.get("service") == OWN:
            found = tuple((each, tuple(_shortened(spans))) for each, spans in found)
        return Outlook(self.at, found)

    def held_by(self, at: float | None = None) -> list[tuple[Silence, Span]]:
        """Those that hold at an instant (its own by itself), the one that does so longest first."""
        when = self.at if at is None else at
        held = [(each, span) for each, spans in self.stretches for span in spans if span[0] <= when < span[1]]
        return sorted(held, key=lambda pair: (-pair[1][1], pair[0].id))

    def held_until(self) -> float | None:
        """Until when something is held back without a break, by whichever of them; None when it is not."""
        until = None
        for _ in range(_CHAIN):
            held = self.held_by(until)
            if not held:
                break
            until = held[0][1][1]
        return until

    def next_change(self) -> float | None:
        """The next instant at which one of them may begin or end; None when there will be none.

        Windows beyond the horizon are looked for when it has come.
        """
        edges: list[float] = []
        for each, spans in self.stretches:
            found = [edge for span in spans for edge in span if edge > self.at]
            over = each.end is not None and each.end <= self.at
            edges += found or ([self.at + HORIZON] if each.recurrence and not over else [])
        return min(edges, default=None)


def outlook(silences: Silences, at: float) -> Outlook:
    """What all silences hold at an instant, have held the day before it, and will within the horizon."""
    # what touches within the day before counts as one stretch
    since = at - OWN_LIMIT - 1.0
    found = [
        (each, tuple(spans(each, since, at + HORIZON if each.recurrence else float("inf"), silences.starts)))
        for each in silences.items
    ]
    return Outlook(at, tuple(found))


def _shortened(spans: Iterable[Span]) -> Iterator[Span]:
    for start, end in spans:
        yield start, min(end, start + OWN_LIMIT)


def _cut(windows: Iterable[Span], silence: Silence) -> Iterator[Span]:
    for start, end in windows:
        cut = max(start, silence.start), end if silence.end is None else min(end, silence.end)
        if cut[0] < cut[1]:
            yield cut


def _merged(windows: Iterable[Span]) -> Iterator[Span]:
    last: Span | None = None
    for window in sorted(windows):
        if last is not None and window[0] <= last[1]:
            last = last[0], max(last[1], window[1])
            continue
        if last is not None:
            yield last
        last = window
    if last is not None:
        yield last


def _windows(recurrence: Recurrence, since: float, until: float, starts: Starts) -> Iterator[Span]:
    """By whole days, so that what was told once can be kept by whoever tells the starts."""
    zone = zone_of(recurrence.time_zone)
    first = datetime.fromtimestamp(max(since - recurrence.lasts, -1e10), UTC).astimezone(zone).date()
    last = datetime.fromtimestamp(min(until, 2e11), UTC).astimezone(zone).date()
    day = timedelta(days=1)
    midnight = datetime.min.time()
    for wall in starts(recurrence, datetime.combine(first - day, midnight), datetime.combine(last + 2 * day, midnight)):
        begin = instant(wall, recurrence.time_zone)
        if begin < until and since < begin + recurrence.lasts:
            yield begin, begin + recurrence.lasts


def instant(wall: datetime, time_zone: str) -> float:
    """A wall time as seconds since the epoch, as RFC 5545 reads those that are skipped or come twice."""
    return wall.replace(tzinfo=zone_of(time_zone), fold=0).timestamp()


@lru_cache(64)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; UTC of one that is not known, which `spec` refuses."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def ended(silence: Silence, at: float, by: str) -> Silence:
    """The silence, over now; one that had not begun never does."""
    history = (*silence.history, Change(at, by, "ended"))
    return replace(silence, end=at, start=min(silence.start, at), history=history, version=silence.version + 1)


def commented(silence: Silence, at: float, by: str, text: str) -> Silence:
    """The silence with one more line in its thread."""
    return replace(silence, comments=(*silence.comments, Comment(at, by, text)), version=silence.version + 1)


def edited(silence: Silence, changed: Silence, at: float, by: str) -> Silence:
    """`changed` as the next version of `silence`: the history says what was, and what is."""
    fields = ("matchers", "start", "end", "reason", "resolves", "safety", "recurrence")
    before_after = [(name, getattr(silence, name), getattr(changed, name)) for name in fields]
    told = [f"{name}: {_told(name, old)} -> {_told(name, new)}" for name, old, new in before_after if old != new]
    if not told:
        return silence
    history = (*silence.history, Change(at, by, "edited " + "; ".join(told)))
    return replace(changed, history=history, comments=silence.comments, version=silence.version + 1)


def history(silence: Silence, now: float) -> tuple[Change, ...]:
    """What became of it so far, the oldest first; one that came to its end by itself expired."""
    by_hand = bool(silence.history) and silence.history[-1].what == "ended"
    if silence.end is None or silence.end > now or by_hand:
        return silence.history
    return (*silence.history, Change(silence.end, "fireline", "expired"))


def _told(name: str, value: object) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
        case Recurrence():
            return f"{value.rule} from {value.first:%Y-%m-%dT%H:%M} {value.time_zone}"
        case tuple():
            return written(value) if name == "matchers" else str(value)
        case _:
            return str(value)
