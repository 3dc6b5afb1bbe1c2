"""Silence: for how long nothing came of an entity, and whose silence it is. Pure.

Silence is our own while we lag behind the log; that of the sender when its heartbeats stopped as well; and else there
is no traffic. Without heartbeats the last two cannot be told apart.
"""

from fireline.domain.rules import HEARTBEATS, MISSED, Rule
from fireline.domain.telling import Reading, counts

SLACK = 1e-6
"""Seconds: a deadline that is met to within rounding is met."""


def silence_of(rule: Rule, reading: Reading, now: float, behind: float) -> float | None:
    """For how long the entity has been silent, None when it is not or silence means nothing (at this hour)."""
    if rule.no_data is None or reading.newest is None or not counts(rule.no_data.hours, now):
        return None
    silent = now - reading.newest
    return silent if silent - behind >= rule.no_data.after - SLACK else None


def gone_quiet(rule: Rule, reading: Reading, now: float, behind: float) -> bool:
    """Whether the window is empty, and not because we lag."""
    return reading.samples == 0 and reading.newest is not None and now - behind - reading.newest > rule.window


def own_lag(rule: Rule, reading: Reading, now: float, behind: float) -> str:
    """That a silence may be our own, as a clause; empty when it is not, or not long enough to matter."""
    if rule.no_data is None or reading.newest is None or behind <= 0.0:
        return ""
    silent = now - reading.newest
    if not rule.no_data.after - SLACK <= silent < rule.no_data.after + behind:
        return ""
    return f"no data for {silent:.0f} s, of which {behind:.0f} s are our own lag"


def why_silent(rule: Rule, reading: Reading, silence: float) -> str:
    """What the silence of an entity means, for people."""
    assert rule.no_data is not None
    expected = f"no data for {silence:.0f} s; an event was expected within {rule.no_data.after:.0f} s"
    if rule.heartbeat is None:
        return expected
    if reading.values.get(HEARTBEATS):
        return f"{expected}; its heartbeats come: no traffic"
    missed, every = MISSED * rule.heartbeat, rule.heartbeat
    return f"{expected}; and no heartbeat for {missed:.0f} s, where one is due every {every:g} s: dead producer"


def why_over(rule: Rule, reading: Reading, now: float) -> str:
    """Why a silence that fired does so no more, as a clause."""
    quiet = rule.no_data is not None and reading.newest is not None and now - reading.newest >= rule.no_data.after
    if quiet and rule.no_data is not None and rule.no_data.hours is not None:
        return f"silence counts {rule.no_data.hours} only"
    return "data is back"
