"""Taking: a snapshot of windows as they were at one moment, a few at a time, while events go on changing them.

A window that is about to change before its turn is taken right then. So no turn of an event loop takes longer than a
few windows do, however many there are. Windows of recordings change in more ways, and are taken when it begins.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice

from fireline.engine.partials import LIVE, SourceRef, Values
from fireline.engine.windows import Series
from fireline.engine.windows_checkpoint import Still, still

Key = tuple[str, str, Values]
"""Timeline, rule and entity."""


class Taking:
    """A snapshot in the making: `found` has what was taken so far, None of entities that are no more.

    `high` are the newest chunks of the moment, and `find` gives the entities. `header` belongs to the same moment.
    """

    def __init__(
        self,
        keys: Iterable[Key],
        find: Callable[[Key], Series | None],
        high: Mapping[SourceRef, int],
        header: bytes,
    ) -> None:
        self.header = header
        self.found: dict[Key, Still | None] = {}
        self._high, self._find = dict(high), find
        self._left = dict.fromkeys(keys)
        for key in [key for key in self._left if key[0] != LIVE]:
            self.before(key, find(key))

    def before(self, key: Key, series: Series | None) -> None:
        """This entity is about to change, or to come, or to go."""
        if key in self._left:
            del self._left[key]
            self.found[key] = None if series is None else self._still(series)

    def _still(self, series: Series) -> Still:
        with suppress(Exception):  # a family is a plugin: what it cannot merge stays as it is, and counts once
            series.settle(self._high)
        return still(series)

    def some(self, most: int) -> bool:
        """Take so many more; whether any are left then."""
        for key in list(islice(self._left, most)):
            self.before(key, self._find(key))
        return bool(self._left)

    def finish(self) -> None:
        """Take all that are left at once."""
        self.some(len(self._left))
