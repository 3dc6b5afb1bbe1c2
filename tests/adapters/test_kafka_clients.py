"""No client of aiokafka leaves a connection behind, however short the patience of who starts or stops it."""

import asyncio
import contextlib
import gc
import warnings

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection

from fireline.adapters.kafka_clients import Life


class SlowFront:
    """Passes bytes on to a broker after a while, so that a start can be cut off in its middle."""

    def __init__(self, host, port, slow):
        self._behind, self._slow, self._server = (host, port), slow, None
        self._turns = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self._server.close()
        await asyncio.gather(*self._turns, return_exceptions=True)

    async def _serve(self, reader, writer):
        back, forth = await asyncio.open_connection(*self._behind)
        one = asyncio.create_task(self._pass(reader, forth))
        two = asyncio.create_task(self._pass(back, writer))
        self._turns |= {one, two}

    async def _pass(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(self._slow)
                writer.write(data)
        writer.close()


def open_connections():
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, AIOKafkaConnection) and one.connected()]


@pytest.mark.parametrize("patience", [0.05, 0.25, 0.45, 5.0])
def test_a_start_that_is_given_up_leaves_nothing_open(embedded_broker, patience):
    host, port = embedded_broker.bootstrap.split(":")

    async def work():
        async with SlowFront(host, int(port), 0.1) as front:
            life = Life(AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{front}"))
            with contextlib.suppress(TimeoutError):
                await life.start(patience)
            await life.stop(2.0)
            return open_connections()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(work()) == []


def test_a_stop_that_is_cut_off_still_closes(embedded_broker):
    async def work():
        life = Life(AIOKafkaConsumer(bootstrap_servers=embedded_broker.bootstrap))
        await life.start(10.0)
        await life.stop(0.001)
        await asyncio.sleep(0.1)
        return open_connections()

    assert asyncio.run(work()) == []
