"""Personal data leaves the texts of a signal before anything is stored or sent; the patterns are the service's own."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from fireline.domain.rules import Signal

REDACTED = "[redacted]"


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def redact(text: str, patterns: Sequence[str]) -> str:
    """`text` with whatever a pattern matches replaced; patterns were checked to compile when they were read."""
    for pattern in _compiled(tuple(patterns)):
        text = pattern.sub(REDACTED, text)
    return text


def redacted(signal: Signal, patterns: Sequence[str]) -> Signal:
    """The signal with its summary, reason and notes redacted.

    The labels that a rule groups by stay as they are: they are what the signal is about, and its identity.
    """
    if not patterns:
        return signal
    held = signal.evidence
    notes = tuple(redact(note, patterns) for note in held.notes)
    evidence = replace(held, reason=redact(held.reason, patterns), notes=notes)
    return replace(signal, summary=redact(signal.summary, patterns), evidence=evidence)
