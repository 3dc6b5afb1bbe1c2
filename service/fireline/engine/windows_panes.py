"""Settled panes: most of what a worker holds in memory, so those that rest are kept as bytes.

A pane of ten events takes about a fifth of the room as bytes, and a microsecond or two to read. The bytes are the JSON
that a checkpoint keeps, so a pane is written down once, however many checkpoints it is part of.
"""

from collections.abc import Iterator

import orjson

from fireline.engine.partials import Cell


def frozen(cell: Cell) -> bytes:
    """A cell as bytes; copied, because orjson's own keep the room of a buffer."""
    return bytes(memoryview(orjson.dumps(tuple(cell))))


def thawed(held: bytes) -> Cell:
    """The cell that `frozen` was given."""
    samples, late, newest, states = orjson.loads(held)
    return Cell(samples, late, newest, tuple(states))


class Settled:
    """The settled aggregates of one entity by pane."""

    __slots__ = ("_cold", "_warm")

    def __init__(self) -> None:
        self._warm: dict[int, Cell] = {}
        self._cold: dict[int, bytes] = {}

    def __iter__(self) -> Iterator[int]:
        yield from self._cold
        yield from self._warm

    def __contains__(self, pane: int) -> bool:
        return pane in self._warm or pane in self._cold

    def __len__(self) -> int:
        return len(self._warm) + len(self._cold)

    def get(self, pane: int) -> Cell | None:
        """The aggregate of a pane, None of nothing."""
        held = self._cold.get(pane)
        return self._warm.get(pane) if held is None else thawed(held)

    def put(self, pane: int, cell: Cell) -> None:
        """Replace what is held of a pane."""
        self._cold.pop(pane, None)
        self._warm[pane] = cell

    def drop(self, pane: int) -> None:
        """Forget a pane."""
        self._cold.pop(pane, None)
        self._warm.pop(pane, None)

    def cool(self, before: int) -> None:
        """Keep the panes before this one as bytes: nothing is expected to come for them."""
        for pane in [pane for pane in self._warm if pane < before]:
            self._cold[pane] = frozen(self._warm.pop(pane))

    def all(self) -> dict[int, Cell | bytes]:
        """All panes as they are held; a copy, in which nothing is ever changed."""
        return {**self._cold, **self._warm}
