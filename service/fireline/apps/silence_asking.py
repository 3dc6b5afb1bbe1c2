"""Silences as people ask for them, on the command line or over the API: read, checked, kept. One set of rules for both.

Whatever is wrong is told at once, in one `Refused`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fireline.apps.faults import Refused
from fireline.apps.silence_asked import Asked
from fireline.domain.durations import positive_seconds
from fireline.domain.rules import Matcher
from fireline.domain.silence_bounds import faults, told
from fireline.domain.silence_matchers import MatcherFault, parse
from fireline.domain.silences import (
    Change,
    Comment,
    Recurrence,
    Resolves,
    Silence,
    commented,
    edited,
    ended,
    instant,
)
from fireline.engine.ports import Clock, Settings, StaleVersion, Store
from fireline.engine.recurring import starts
from fireline.engine.silence_previews import DAYS, Preview, preview
from fireline.engine.silences import save

LONGEST_COMMENT = 4000
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Desk:
    """Where silences are asked for."""

    store: Store
    settings: Settings
    clock: Clock

    def draft(self, asked: Asked, person: str) -> Silence:
        """The silence that would be made; raises Refused with all that is wrong."""
        now = self.clock.now()
        zone = self._zone(asked, person)
        first = now if asked.start is None else _time(asked.start, zone, "start")
        lasts = _lasts(asked.lasts)
        end = None if asked.end is None else _time(asked.end, zone, "end")
        if end is None and lasts is not None and asked.repeats is None:
            end = first + lasts
        silence = Silence(
            number=1,
            name="",
            matchers=_matchers(asked.matchers or ""),
            start=first,
            end=end,
            author=person,
            reason=(asked.reason or "").strip(),
            resolves=_resolves(asked.resolves, Resolves.PASS),
            safety=bool(asked.safety),
            recurrence=_recurrence(asked, first, zone),
            comments=(Comment(now, person, asked.comment.strip()),) if asked.comment.strip() else (),
            history=(Change(now, person, "made"),),
        )
        self._check(silence, now)
        return silence

    def make(self, asked: Asked, person: str) -> Silence:
        """Make it; raises Refused."""
        draft = self.draft(asked, person)
        with self.store.transaction() as tx:
            silence = replace(draft, number=tx.next_number("silence"))
            save(tx, None, silence, self.clock.now(), person)
        return silence

    def preview(self, silence: Silence, days: int = DAYS) -> Preview:
        """What it would hold back."""
        with self.store.reading() as tx:
            return preview(tx, silence, self.clock.now(), days)

    def silences(self, *, over: bool = False) -> list[Silence]:
        """The planned ones, then those that were made; `over`: those that are over as well."""
        now = self.clock.now()
        with self.store.reading() as tx:
            made = tx.silences(0.0 if over else now)
        planned = self.settings.current.maintenance.values()
        return [*(each for each in planned if over or each.end is None or each.end > now), *made]

    def find(self, name: str) -> Silence:
        """`S-3`, `3` or the name of a maintenance; raises Refused."""
        planned = self.settings.current.maintenance.get(name)
        if planned is not None:
            return planned
        number = _number(name)
        with self.store.reading() as tx:
            found = None if number is None else tx.silence(number)
        if found is None:
            raise Refused(f"there is no silence {name[:50]!r}; `fireline silence ls --all` lists them")
        return found

    def end(self, name: str, person: str) -> Silence:
        """End it now; raises Refused of one that is planned or over."""
        now = self.clock.now()

        def act(silence: Silence) -> Silence:
            if silence.end is not None and silence.end <= now:
                raise Refused(f"{silence.id} is over since {_utc(silence.end)}; nothing was changed")
            return ended(silence, now, person)

        return self._change(name, act, person)

    def comment(self, name: str, person: str, text: str) -> Silence:
        """Write one more line into its thread; raises Refused."""
        if not 0 < len(text.strip()) <= LONGEST_COMMENT:
            raise Refused(f"a comment has 1 to {LONGEST_COMMENT} characters, this one {len(text.strip())}")
        return self._change(name, lambda silence: commented(silence, self.clock.now(), person, text.strip()), person)

    def edit(self, name: str, asked: Asked, person: str) -> Silence:
        """Change what is asked for; raises Refused with all that is wrong."""
        now = self.clock.now()

        def act(silence: Silence) -> Silence:
            if silence.end is not None and silence.end <= now:
                raise Refused(
                    f"{silence.id} is over since {_utc(silence.end)}; make another with `fireline silence add`"
                )
            changed = self._changed(silence, asked, person)
            self._check(changed, now)
            return edited(silence, changed, now, person)

        return self._change(name, act, person)

    def _changed(self, silence: Silence, asked: Asked, person: str) -> Silence:
        zone = self._zone(asked, person)
        start = silence.start if asked.start is None else _time(asked.start, zone, "start")
        end = silence.end if asked.end is None else _time(asked.end, zone, "end")
        lasts = _lasts(asked.lasts)
        if lasts is not None and silence.recurrence is None:
            end = (start if asked.start is not None else self.clock.now()) + lasts
        return replace(
            silence,
            matchers=silence.matchers if asked.matchers is None else _matchers(asked.matchers),
            start=start,
            end=end,
            reason=silence.reason if asked.reason is None else asked.reason.strip(),
            resolves=_resolves(asked.resolves, silence.resolves),
            safety=silence.safety if asked.safety is None else asked.safety,
            recurrence=self._recurring(silence.recurrence, asked, start),
        )

    def _recurring(self, before: Recurrence | None, asked: Asked, start: float) -> Recurrence | None:
        if before is None:
            return _recurrence(asked, start, asked.time_zone or "UTC")
        zone = asked.time_zone or before.time_zone
        moved = asked.start is not None or asked.time_zone is not None
        return Recurrence(
            rule=asked.repeats or before.rule,
            time_zone=zone,
            first=_wall(start, zone) if moved else before.first,
            lasts=_lasts(asked.lasts) or before.lasts,
            without=tuple(dict.fromkeys((*before.without, *asked.without))),
        )

    def _change(self, name: str, act: Callable[[Silence], Silence], person: str) -> Silence:
        for attempt in range(ATTEMPTS):
            found = self.find(name)
            if found.planned:
                raise Refused(f"{found.id} is planned in rules/maintenance.yaml; change it there")
            changed = act(found)
            if changed == found:
                return found
            try:
                with self.store.transaction() as tx:
                    save(tx, found, changed, self.clock.now(), person)
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            return changed
        raise AssertionError("the loop returns or raises")

    def _zone(self, asked: Asked, person: str) -> str:
        known = self.settings.current.catalog.people.get(person)
        zone = asked.time_zone or (known.time_zone if known is not None else "UTC")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Refused(f"{zone[:50]!r} is not a time zone; write one such as Europe/Berlin") from None
        return zone

    def _check(self, silence: Silence, now: float) -> None:
        found = faults(silence, self.settings.current.response.longest_silence, starts)
        if silence.end is not None and silence.end <= now and not found:
            raise Refused(f"it would be over since {_utc(silence.end)}; say until when it is to hold")
        if found:
            raise Refused(told(found, {"rule": "repeats"}))


def _matchers(text: str) -> tuple[Matcher, ...]:
    try:
        return parse(text)
    except MatcherFault as fault:
        raise Refused(f"matchers: {fault} (at character {fault.offset + 1}; {fault.hint})") from None


def _recurrence(asked: Asked, first: float, zone: str) -> Recurrence | None:
    if asked.repeats is None:
        return None
    lasts = _lasts(asked.lasts)
    if lasts is None:
        raise Refused("lasts: a silence that repeats must say how long it lasts each time, such as 2h")
    return Recurrence(asked.repeats, zone, _wall(first, zone), lasts, asked.without)


def _lasts(text: str | None) -> float | None:
    try:
        return None if text is None else positive_seconds(text)
    except ValueError as fault:
        raise Refused(f"lasts: {fault}") from None


def _resolves(text: str | None, otherwise: Resolves) -> Resolves:
    if text not in {None, *Resolves}:
        raise Refused(f"resolves: pass or hold was expected, not {str(text)[:30]!r}")
    return otherwise if text is None else Resolves(text)


def _wall(at: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)


def _time(text: str, zone: str, name: str) -> float:
    try:
        found = datetime.fromisoformat(text.strip())
        at = found.timestamp() if found.tzinfo is not None else instant(found, zone)
    except (ValueError, OverflowError, OSError):
        hint = "such as 2026-11-21T03:00 or 2026-11-21T03:00:00+01:00"
        raise Refused(f"{name}: {text[:50]!r} is not a time; write one {hint}") from None
    if not 0 <= at < _LAST:
        raise Refused(f"{name}: {text[:50]!r} is beyond what calendars are good for")
    return at


_LAST = 7_258_118_400.0
"""The year 2200."""


def _number(name: str) -> int | None:
    digits = name.strip().upper().removeprefix("S-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
