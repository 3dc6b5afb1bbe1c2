"""Makes a stream worker stall when it is told to by a signal; on the path of tests that want that, and of nothing else.

Python imports a module of this name at its start. SIGVTALRM blocks the event loop, SIGPROF the thread of Faust's
consumer, SIGWINCH makes the consumer forget one partition of `fireline.metrics` (number 0), without a word.
"""

import gc
import signal
import sys
import time

AGES = 10_000.0


def _block(*_: object) -> None:
    time.sleep(AGES)


def _thread() -> object:
    return next(
        found for found in gc.get_objects() if type(found).__name__ == "_Thread" and hasattr(found, "_consumer")
    )


def _block_consumer(*_: object) -> None:
    _thread().thread_loop.call_soon_threadsafe(time.sleep, AGES)


def _starve(*_: object) -> None:
    thread = _thread()
    consumer = thread._consumer
    place = next(tp for tp in consumer.assignment() if tp.topic == "fireline.metrics" and tp.partition == 0)
    thread.thread_loop.call_soon_threadsafe(consumer.pause, place)


if "stream" in sys.orig_argv:
    signal.signal(signal.SIGVTALRM, _block)
    signal.signal(signal.SIGPROF, _block_consumer)
    signal.signal(signal.SIGWINCH, _starve)
