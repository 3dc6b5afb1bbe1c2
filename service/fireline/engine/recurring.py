"""When recurring silences begin: RFC 5545 rules, expanded by python-dateutil on wall times; zones are the domain's."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice, takewhile

from dateutil.rrule import rrule, rrulestr

from fireline.domain.silence_bounds import bounded, excluded
from fireline.domain.silences import Recurrence


@lru_cache(2048)  # every decision asks, and within a day it asks for the same
def starts(recurrence: Recurrence, since: datetime, until: datetime) -> Sequence[datetime]:
    """The wall times in `[since, until]` at which windows begin; raises ValueError when the rule is none."""
    text, count = bounded(recurrence, until)
    rule = rrulestr(text, dtstart=recurrence.first)
    assert isinstance(rule, rrule)
    found = takewhile(lambda wall: wall <= until, islice(rule, count))
    return tuple(wall for wall in found if wall >= since and not excluded(recurrence, wall))
