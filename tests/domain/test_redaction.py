"""Personal data in the words of a signal is gone before anybody stores them."""

from dataclasses import replace

from fireline.domain.redaction import REDACTED, redact, redacted
from fireline.domain.rules import Evidence, Signal, State

PATTERNS = (r"\b[0-9]{13,19}\b", r"[\w.+-]+@[\w-]+\.[\w.]+")


def signal(summary: str, reason: str) -> Signal:
    evidence = Evidence({}, 1, 0.0, 1.0, "n > 0", reason)
    return Signal("id", "r", (("service", "s"),), "s", State.FIRING, "outage", 1.0, 1.0, 1.0, summary, evidence)


def test_whatever_a_pattern_matches_is_replaced_and_the_rest_stays():
    text = redact("card 4111111111111111 of ann@example.com failed 3 times", PATTERNS)
    assert text == f"card {REDACTED} of {REDACTED} failed 3 times"


def test_summary_and_reason_of_a_signal_are_redacted_and_its_identity_is_not():
    before = signal("ben@example.com waits", "said by ben@example.com")
    after = redacted(before, PATTERNS)
    assert "ben@" not in after.summary + after.evidence.reason
    assert (after.id, after.fingerprint) == (before.id, before.fingerprint)
    assert redacted(before, ()) is before


def test_notes_are_redacted_as_the_reason_is():
    before = signal("reason", "summary")
    before = replace(before, evidence=replace(before.evidence, notes=("ben@x.example rests on 2 buckets",)))
    assert redacted(before, (r"\S+@\S+",)).evidence.notes == ("[redacted] rests on 2 buckets",)
