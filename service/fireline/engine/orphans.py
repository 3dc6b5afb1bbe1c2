"""Orphans: signals that fire on open incidents although no rule in force will ever clear them.

Whoever evaluates a partition is the one who would clear its signals, so it is also who tells that nobody will: after
a rule was removed, became a shadow, or groups by other labels. Without it the incident would stay open for ever.
"""

from collections.abc import Mapping
from dataclasses import replace

from fireline.domain.rules import Evidence, Mode, Rule, Signal, State
from fireline.engine import own_files, sight
from fireline.engine.ports import Transaction

LIMIT = 10_000
"""At most so many open incidents are looked at."""


def orphans(tx: Transaction, rules: Mapping[str, Rule]) -> list[Signal]:
    """The verdicts that clear all orphans under `rules`. Ids are deterministic: telling one again changes nothing."""
    firing = (a.signal for incident in tx.incidents(open_only=True, limit=LIMIT) for a in incident.firing)
    return [_cleared(signal, why) for signal in firing if (why := _orphaned(signal, rules.get(signal.rule)))]


def _orphaned(signal: Signal, rule: Rule | None) -> str:
    """Why nobody will clear the signal; empty when its rule does."""
    if signal.rule in {sight.RULE, own_files.RULE}:
        return ""  # a responder clears it
    if rule is None:
        return f"rule {signal.rule} was removed"
    if rule.mode is Mode.SHADOW:
        return f"rule {signal.rule} is a shadow now"
    if tuple(name for name, _ in signal.entity) != rule.by:
        return f"rule {signal.rule} groups by {', '.join(rule.by) or 'nothing'} now"
    return ""


def _cleared(signal: Signal, why: str) -> Signal:
    found = signal.evidence
    evidence = Evidence({}, 0, found.window_start, found.window_end, "", why)
    return replace(signal, id=f"{signal.id}:orphan", state=State.CLEAR, severity=None, evidence=evidence)
