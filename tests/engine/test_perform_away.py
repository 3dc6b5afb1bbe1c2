"""A database that goes away just before an effect is performed costs a moment, not the effect's whole lease."""

from contextlib import contextmanager

from fireline.domain.incidents import PageStatus
from fireline.domain.outcomes import Done
from fireline.engine.perform import Performer
from fireline.engine.ports import Unavailable
from tests.engine.runs_world import world


class Away:
    """The store, away for the first look."""

    def __init__(self, store, times: int) -> None:
        self._store, self.times = store, times

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextmanager
    def reading(self):
        if self.times:
            self.times -= 1
            raise Unavailable("the server went away")
        with self._store.reading() as tx:
            yield tx


class Channel:
    def __init__(self) -> None:
        self.delivered = []

    async def deliver(self, message):
        self.delivered.append(message)
        return Done({})


async def no_run(effect):
    return Done({})


class Publisher:
    async def publish(self, topic, key, value):
        return Done({})


async def test_a_page_goes_out_as_soon_as_the_database_is_back(tmp_path, caplog):
    w = world(tmp_path)
    try:
        number = w.fire().number
        channel = Channel()
        channels = {"console": channel, "slack": channel}
        store = Away(w.store, 20)
        performer = Performer(
            store, channels, Publisher(), start_run=no_run, clock=w.clock, owner="one", responder=w.responder
        )
        while store.times:
            await performer.run_once()
            w.clock.advance(1.0)
        for _ in range(5):
            await performer.run_once()
            w.clock.advance(1.0)
        assert w.incident(number).pages[0].status is PageStatus.DELIVERED
        pages = [message for message in channel.delivered if message.kind == "page"]
        assert len({message.key for message in pages}) == len(pages) > 0
        assert not any(message.resent for message in pages), "nothing had been sent"
        assert not any(record.exc_info for record in caplog.records), "an absence is no fault of ours"
    finally:
        w.store.close()
