"""Reviews: what people once read goes stale; the day on which somebody has to read it again. Pure."""

from datetime import UTC, date, datetime, timedelta

DAY = 86_400.0


def due(reviewed: str | None, every: float | None) -> date | None:
    """The last day of the review of `reviewed` (as in 2026-11-01), which lasts `every` seconds; None without both."""
    if reviewed is None or every is None:
        return None
    try:
        return date.fromisoformat(reviewed) + timedelta(days=int(every // DAY))
    except OverflowError:
        return date.max


def overdue(reviewed: str | None, every: float | None, today: date) -> int:
    """The days since the review ran out, 0 while it lasts or nobody said how long it does."""
    last = due(reviewed, every)
    return 0 if last is None else max(0, (today - last).days)


def day_of(now: float) -> date:
    """The day of an instant in seconds since the epoch, in UTC."""
    return datetime.fromtimestamp(now, UTC).date()
