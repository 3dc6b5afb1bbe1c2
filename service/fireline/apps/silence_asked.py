"""What somebody asks of a silence, as they wrote it; a module of its own so that `--help` loads nothing more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What is None was not said. Times are ISO 8601; those without an offset are wall times of `time_zone`.

    `lasts` is a duration such as `2h`, of one that repeats that of each window; `repeats` an RRULE of RFC 5545.
    """

    matchers: str | None = None
    reason: str | None = None
    start: str | None = None
    end: str | None = None
    lasts: str | None = None
    repeats: str | None = None
    time_zone: str | None = None
    without: tuple[str, ...] = ()
    resolves: str | None = None
    safety: bool | None = None
    comment: str = ""
