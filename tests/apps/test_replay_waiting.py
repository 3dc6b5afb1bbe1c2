"""`fireline replay` waits for a worker that reads, however long it takes, and not for one that stands still."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fireline.apps import replay
from fireline.engine.ports import Unavailable

STEP = 80.0
"""Seconds between two reports of the worker; two of them are more than patience."""


class Worker:
    """Says one after the other how many records it has not read, and then the last of them for ever."""

    def __init__(self, *lags: int | None) -> None:
        self._lags, self.asked = lags, 0

    def parts(self):
        return SimpleNamespace(clock=SimpleNamespace(now=lambda: STEP * self.asked), store=self)

    @contextmanager
    def reading(self):
        self.asked += 1
        lag = self._lags[min(self.asked, len(self._lags)) - 1]
        yield SimpleNamespace(
            fact=lambda _: None if lag is None else ({"lag": lag, "lag_as_of": STEP * self.asked}, 0.0)
        )


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    async def sleep(_: float) -> None:
        pass

    monkeypatch.setattr(replay, "asyncio", SimpleNamespace(to_thread=asyncio.to_thread, sleep=sleep))


async def test_a_long_recording_is_waited_for_as_long_as_it_is_read():
    worker = Worker(None, 900, 700, 500, 300, 100, 0)
    await replay._until_read(worker.parts())
    assert worker.asked == 7


@pytest.mark.parametrize("lags", [(None,), (900, 700), (900, 700, 800, 700)])
async def test_a_worker_that_reads_nothing_more_is_given_up(lags):
    with pytest.raises(Unavailable, match="nothing more of it for 120 s"):
        await replay._until_read(Worker(*lags).parts())
