"""Silences as JSON, the same on the command line and over the API; times in seconds since the epoch."""

from fireline.domain.silence_matchers import written
from fireline.domain.silences import Recurrence, Silence, active, history, spans
from fireline.engine.recurring import starts
from fireline.engine.silence_previews import Preview

AHEAD = 60 * 86_400.0


def silence_json(silence: Silence, now: float, *, windows: int = 0) -> dict[str, object]:
    """A silence; `until` is when it ends to hold, null while it does not. `windows`: so many of those that come."""
    held = active(silence, now, starts)
    told: dict[str, object] = {
        "id": silence.id,
        "planned": silence.planned,
        "matchers": written(silence.matchers),
        "start": silence.start,
        "end": silence.end,
        "active": held is not None,
        "until": None if held is None else held[1],
        "author": silence.author,
        "reason": silence.reason,
        "resolves": silence.resolves.value,
        "safety": silence.safety,
        "recurrence": None if silence.recurrence is None else _recurrence(silence.recurrence),
        "comments": [{"at": c.at, "author": c.author, "text": c.text} for c in silence.comments],
        "history": [{"at": c.at, "by": c.by, "what": c.what} for c in history(silence, now)],
        "version": silence.version,
    }
    if windows and silence.recurrence is not None:
        told["windows"] = [list(span) for span in spans(silence, now, now + AHEAD, starts)[:windows]]
    return told


def _recurrence(recurrence: Recurrence) -> dict[str, object]:
    return {
        "rule": recurrence.rule,
        "time_zone": recurrence.time_zone,
        "first": recurrence.first.isoformat(),
        "lasts": recurrence.lasts,
        "without": list(recurrence.without),
    }


def preview_json(found: Preview) -> dict[str, object]:
    """What a silence holds back."""
    return {
        "now": [
            {
                "incident": each.incident.id,
                "severity": each.incident.severity,
                "service": each.incident.service,
                "signals": [signal.fingerprint for signal in each.signals],
                "held_back": each.all_of_it,
            }
            for each in found.now
        ],
        "since": found.since,
        "pages": found.pages,
        "would_have_held_back": found.held,
        "people": dict(found.people),
    }
