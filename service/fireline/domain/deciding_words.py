"""How decisions are told: times, people and reasons in words that a tired person understands at once."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident, Page, Why
from fireline.domain.rules import Signal


def wall(at: float, zone: str, now: float) -> str:
    """A wall time in a zone: `09:00` today, `Mon 09:00` within a week, `Mon 16 Nov 09:00` beyond."""
    try:
        tz = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        tz = ZoneInfo("UTC")
    there, here = datetime.fromtimestamp(at, UTC).astimezone(tz), datetime.fromtimestamp(now, UTC).astimezone(tz)
    if there.date() == here.date():
        return f"{there:%H:%M}"
    days = abs((there.date() - here.date()).days)
    return f"{there:%a %H:%M}" if days < 7 else f"{there:%a %d %b %H:%M}"


def span(seconds: float) -> str:
    """A length of time: `12 s`, `5 min`, `2 h 10 min`, `3 d`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def times(count: int) -> str:
    """How often: `once`, `3 times`."""
    return "once" if count == 1 else f"{count} times"


def labels(signal: Signal) -> str:
    """Rule and entity: `fraud_latency{service=fraud-scoring, region=eu}`."""
    inside = ", ".join(f"{key}={value}" for key, value in signal.entity)
    return f"{signal.rule}{{{inside}}}" if inside else signal.rule


def firing(incident: Incident) -> str:
    """What still fires, with its severity."""
    return ", ".join(f"{labels(a.signal)} at {a.signal.severity}" for a in incident.firing)


def evidence(signal: Signal) -> str:
    """What the verdict rests on, in one sentence."""
    found = signal.evidence
    values = ", ".join(f"{name} {_number(value)}" for name, value in found.measures.items())
    samples = f"{found.samples} samples" if found.samples else ""
    parts = "; ".join(part for part in (found.condition, values, samples, *found.notes) if part)
    if not parts:
        return f"{labels(signal)}: {found.reason}"
    return f"{labels(signal)}: {parts}" + (f" ({found.reason})" if found.reason else "")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"


def on_duty(why: Why, person: str, world: World, now: float) -> str:
    """Why it is this person: `payments-ml level 1, on call from schedule x, layer weekly, until Mon 09:00`."""
    parts = [f"{why.owner} level {why.level + 1}"]
    if why.schedule:
        parts.append(f"on call from schedule {why.schedule}, {why.source or 'rotation'}")
    elif why.source:
        parts.append(why.source)
    if why.until is not None:
        parts.append(f"until {wall(why.until, world.person(person).time_zone, now)}")
    return ", ".join(parts)


def paged(page: Page, channel: str, incident: Incident, world: World, now: float) -> str:
    """`Paged Ann Berg (payments-ml level 1, ..., until Mon 09:00) on slack: fraud_latency on fraud-scoring`."""
    duty = on_duty(page.why, page.person, world, now)
    return f"Paged {world.name(page.person)} ({duty}) on {channel}: {page.why.rule} on {incident.service}"


def why_you(page: Page, world: World, now: float) -> str:
    """The chain that led to this person, and who is next, told to that person."""
    why = page.why
    first = f"Rule {why.rule} fires on {why.service}, which {why.owner} answers for (policy {why.policy})"
    duty = on_duty(why, page.person, world, now).removeprefix(f"{why.owner} ")
    after = f"; then {world.name(why.next_person)}" if why.next_person else ""
    order = f" You are reached on {why.order}." if why.order else ""
    return f"{first}; you are {duty}{after}.{order}"
