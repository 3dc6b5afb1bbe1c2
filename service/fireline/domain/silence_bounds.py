"""What a silence may not be: without an end, too long, about everything, never or always in force. Pure.

One set of rules for silences of files, of the command line and of the API; each fault names the field it is of.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from fireline.domain.deciding_words import span
from fireline.domain.silence_matchers import fits
from fireline.domain.silences import OWN, OWN_LIMIT, Recurrence, Silence, Starts, zone_of

LONGEST_REASON = 1000
MOST_WITHOUT = 500
LOOK = timedelta(days=5 * 366)
"""How far ahead a rule is tried: one that gives nothing in so long is none."""
TRIED = 100
"""Windows that are looked at for touching one another."""

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR"}
    | {"BYMINUTE", "BYSETPOS"}
)
_INSTEAD = {
    "DTSTART": "that is when the silence starts",
    "EXDATE": "that is what it is `without`",
    "RDATE": "plan a silence beside it",
    "EXRULE": "say the days as what it is `without`",
}
_BESIDE = re.compile("|".join(_INSTEAD))
_UNTIL = re.compile(r"(\d{8})(?:(T\d{6})(Z)?)?")
_MOST = {"INTERVAL": 1000, "COUNT": 10_000}


@dataclass(frozen=True, slots=True)
class SilenceFault:
    """`field` is the one of the silence that is wrong: matchers, start, end, reason, rule, lasts, without."""

    field: str
    message: str
    hint: str


def rule_parts(rule: str) -> dict[str, str]:
    """The parts of an RRULE by their names in capitals; raises ValueError saying what is not allowed."""
    text = rule.strip().upper().removeprefix("RRULE:")
    beside = _BESIDE.search(text)
    if beside is not None:
        raise ValueError(f"it is the RRULE alone; {beside[0]} is not a part of it: {_INSTEAD[beside[0]]}")
    parts: dict[str, str] = {}
    for piece in text.split(";"):
        name, sign, value = piece.partition("=")
        if not sign or name not in _PARTS or not value or not value.isascii():
            raise ValueError(f"`{piece[:40]}` is no part of a recurrence that is known here")
        if name in parts:
            raise ValueError(f"`{name}` is there twice")
        parts[name] = value
    if parts.get("FREQ") not in FREQUENCIES:
        raise ValueError(f"FREQ must be one of {', '.join(FREQUENCIES)}")
    for name, most in _MOST.items():
        if name in parts and not (parts[name].isdigit() and 1 <= int(parts[name]) <= most):
            raise ValueError(f"{name} must be a whole number from 1 to {most}")
    if {"COUNT", "UNTIL"} <= parts.keys():
        raise ValueError("COUNT and UNTIL exclude one another")
    return parts


def bounded(recurrence: Recurrence, until: datetime) -> tuple[str, int | None]:
    """Its rule as one that ends at `until` for certain, and after how many it ends before; raises ValueError.

    A library that expands rules would look for the next one for ever where there is none.
    """
    parts = rule_parts(recurrence.rule)
    count = parts.pop("COUNT", None)
    own = _last(parts["UNTIL"], recurrence.time_zone) if "UNTIL" in parts else until
    parts["UNTIL"] = re.sub("[-:]", "", min(own, until).isoformat(timespec="seconds"))
    return ";".join(f"{name}={value}" for name, value in parts.items()), None if count is None else int(count)


def _last(text: str, time_zone: str) -> datetime:
    """The wall time that UNTIL means: a day is meant to its end, and with Z it is UTC, as RFC 5545 has it for zones."""
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise ValueError("UNTIL is a day (20261231), a wall time of the zone (20261231T020000), or with Z one of UTC")
    wall = datetime.fromisoformat(f"{found[1]}{found[2] or 'T235959'}")
    if found[3] is None:
        return wall
    try:
        return wall.replace(tzinfo=UTC).astimezone(zone_of(time_zone)).replace(tzinfo=None)
    except OverflowError:  # a year at the edge of the calendar
        return wall


def excluded(recurrence: Recurrence, wall: datetime) -> bool:
    """Whether no window begins at this wall time although the rule says so."""
    return f"{wall:%Y-%m-%d}" in recurrence.without or wall.isoformat() in recurrence.without


def faults(silence: Silence, longest: float, starts: Starts) -> list[SilenceFault]:
    """All that is wrong with a silence; `longest` seconds is what the policy allows at a stretch."""
    return [*_of_matchers(silence), *_of_reason(silence), *_of_times(silence, longest), *_of_windows(silence, starts)]


def _of_matchers(silence: Silence) -> Iterator[SilenceFault]:
    if fits(silence.matchers, {}):
        message = "these matchers fit a signal without any label, so they would silence everything"
        yield SilenceFault("matchers", message, "add one that names something, such as service")


def _of_reason(silence: Silence) -> Iterator[SilenceFault]:
    if not silence.reason.strip():
        yield SilenceFault("reason", "a silence needs a reason", "say why, for whoever asks at night")
    elif len(silence.reason) > LONGEST_REASON:
        message = f"the reason is longer than {LONGEST_REASON} characters"
        yield SilenceFault("reason", message, "write the rest as a comment")


def _of_times(silence: Silence, longest: float) -> Iterator[SilenceFault]:
    if silence.end is None and (silence.recurrence is None or not silence.planned):
        yield SilenceFault("end", "a silence without an end is forgotten, and is refused", "say until when it holds")
        return
    if silence.end is not None and silence.end <= silence.start:
        yield SilenceFault("end", "it ends before it begins", "an end comes after its start")
        return
    lasts = silence.recurrence.lasts if silence.recurrence else (silence.end or silence.start) - silence.start
    field = "lasts" if silence.recurrence else "end"
    if lasts > longest:
        message = f"it lasts {span(lasts)}, and {span(longest)} is the longest that is allowed"
        yield SilenceFault(field, message, "`longest_silence` in severities.yaml says so; make a shorter one")
    own = any(
        each.label == "service" and fits((each,), {"service": OWN}) and OWN in each.values for each in silence.matchers
    )
    if own and lasts > OWN_LIMIT:
        message = f"Fireline's own alerts cannot be silenced for longer than {span(OWN_LIMIT)} at a stretch"
        yield SilenceFault(field, message, "who silences them for longer does not hear that nobody is paged")


def _of_windows(silence: Silence, starts: Starts) -> Iterator[SilenceFault]:
    recurrence = silence.recurrence
    if recurrence is None:
        return
    wrong = list(_of_days(recurrence.without))
    yield from wrong
    try:
        found = [] if wrong else list(starts(recurrence, recurrence.first, recurrence.first + LOOK))
    except ValueError as error:
        hint = "write such as FREQ=WEEKLY;BYDAY=SU, as RFC 5545 has it"
        yield SilenceFault("rule", f"`{recurrence.rule[:80]}` is not a recurrence: {error}", hint)
        return
    if not found and not wrong:
        yield SilenceFault("rule", f"`{recurrence.rule[:80]}` never comes true in five years", "is a day wrong?")
    shortest = min((b - a for a, b in pairwise(found[:TRIED])), default=None)
    if shortest is not None and shortest.total_seconds() <= recurrence.lasts:
        message = f"each window lasts {span(recurrence.lasts)}, and the next one begins before it is over"
        yield SilenceFault("lasts", message, "it would never end; make the windows shorter")


def _of_days(days: Sequence[str]) -> Iterator[SilenceFault]:
    if len(days) > MOST_WITHOUT:
        yield SilenceFault("without", f"there are more than {MOST_WITHOUT} exceptions", "shorten the rule instead")
        return
    for text in days:
        try:
            date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        except ValueError:
            hint = "write one such as 2026-12-27, or 2026-12-27T02:00:00"
            yield SilenceFault("without", f"`{text[:40]}` is neither a day nor a wall time", hint)


def told(found: Sequence[SilenceFault], names: Mapping[str, str]) -> str:
    """The faults for people, by what the fields are called where they were written."""
    return "; ".join(f"{names.get(each.field, each.field)}: {each.message} ({each.hint})" for each in found)
