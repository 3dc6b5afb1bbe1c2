"""Asking evaluate how a rule looks on the events after a moment, and reading what it answers.

The rule's own window still holds the bad minutes, so it is never the judge: a watch has a window of its own, which
begins after the action. No sample is no evidence: it is never taken for recovery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.rules import State
from fireline.engine.watching import WatchAnswer

POLL = 0.5
"""Seconds between two looks at the answers."""

STALE = 15.0
"""Seconds after which an answer says nothing about now: whoever evaluates has stopped."""

LAG = 120.0
"""Seconds more that are waited where whoever evaluates lags, or is away: undoing for a fault of ours moves traffic."""

_TOLD = 2.0
"""Seconds of lag that are worth a word."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What all answers say together: the worst one's measures and reason, and the samples of all."""

    state: State
    reason: str
    samples: int = 0
    measures: Mapping[str, float | None] = field(default_factory=dict)
    until: float | None = None
    """The time up to which events are known; None where nothing answers."""

    def missed(self, deadline: float, now: float) -> bool:
        """Whether what happened until the deadline is known, or has been waited for long enough."""
        known = self.until is None or self.until >= deadline
        return now >= deadline and (known or now >= deadline + LAG)

    def output(self, verdict: str) -> dict[str, object]:
        """As the output of a step."""
        return {"verdict": verdict, "samples": self.samples, "measures": dict(self.measures), "reason": self.reason}


def read(answers: Sequence[WatchAnswer], *, min_samples: int, now: float) -> Seen:
    """Firing when any entity fires, clear when every one is clear on enough samples, unknown otherwise."""
    if not answers:
        return Seen(State.UNKNOWN, "no event was seen since the action")
    judged = [(_state(answer, min_samples, now), answer) for answer in answers]
    samples = sum(answer.samples for answer in answers)
    until = min(answer.at - answer.behind for answer in answers)
    for wanted in (State.FIRING, State.UNKNOWN, State.CLEAR):
        for (state, reason), answer in judged:
            if state is wanted:
                return Seen(state, f"{answer.entity}: {reason}", samples, answer.measures, until)
    raise AssertionError("every answer has a state")


def _state(answer: WatchAnswer, min_samples: int, now: float) -> tuple[State, str]:
    if now - answer.at > STALE:
        return State.UNKNOWN, f"the last answer is {now - answer.at:.0f} s old"
    if answer.samples < min_samples:
        lags = f"; Fireline itself is {answer.behind:.0f} s behind" if answer.behind > _TOLD else ""
        return State.UNKNOWN, f"{answer.samples} samples, {min_samples} are needed{lags}"
    try:
        return State(answer.state), answer.reason
    except ValueError:
        return State.UNKNOWN, f"an answer of {answer.state!r} is not understood"
