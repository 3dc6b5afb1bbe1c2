"""In which order a person is reached, and from when: their own rules, and quiet hours. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fireline.domain.catalog import ContactRule, ContactStep, DailyHours, Person, Severity
from fireline.domain.rota import instant_of

NEVER_QUIET = "safety"
"""The severity to which quiet hours never apply, whatever its urgency."""


def rule_of(person: Person, urgency: str, now: float) -> ContactRule | None:
    """The person's first rule for this urgency and hour; None: contacts are tried in their order."""
    return next((rule for rule in person.rules if _fits(rule, person, urgency, now)), None)


def steps(person: Person, contacts: Mapping[str, str], urgency: str, now: float) -> tuple[ContactStep, ...]:
    """Which channel is tried how long after the page: those of the rule that can be, else the first contact."""
    rule = rule_of(person, urgency, now)
    found = tuple(step for step in rule.steps if step.channel in contacts) if rule is not None else ()
    if not found:
        return tuple(ContactStep(channel) for channel in list(contacts)[:1])
    early = found[0].after  # somebody is reached at once: what came before is not configured
    return tuple(ContactStep(step.channel, step.after - early) for step in found)


def quiet_until(person: Person, severity: Severity, now: float) -> float | None:
    """When the quiet hours that hold this page back end; None when nothing holds it back."""
    if person.quiet_hours is None or severity.urgency != "low" or severity.name == NEVER_QUIET:
        return None
    return ends(person.quiet_hours, person, now)


def ends(hours: DailyHours, person: Person, now: float) -> float | None:
    """When the stretch of daily hours in which `now` lies ends; None when it lies in none."""
    zone = hours.time_zone or person.time_zone
    try:
        today = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone)).date()
    except (KeyError, ValueError, OSError):  # `spec` refuses unknown zones
        today = datetime.fromtimestamp(now, UTC).date()
    for day in (today - timedelta(days=1), today):
        last = day if hours.end > hours.start else day + timedelta(days=1)
        end = instant_of(last, hours.end, zone).timestamp()
        if instant_of(day, hours.start, zone).timestamp() <= now < end:
            return end
    return None


def _fits(rule: ContactRule, person: Person, urgency: str, now: float) -> bool:
    if rule.urgency is not None and rule.urgency != urgency:
        return False
    return rule.hours is None or ends(rule.hours, person, now) is not None
