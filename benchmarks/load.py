"""A producer of native metric events that fire nothing, at a steady rate, until it is ended; a process of its own.

python benchmarks/load.py --kafka 127.0.0.1:9092 --rate 20000
"""

import argparse
import signal
import sys
import time
from types import FrameType

from confluent_kafka import Producer

TOPIC = "fireline.metrics"
SERVICES = 16
TICK = 0.005
"""Seconds between two bursts."""


def produce(bootstrap: str, rate: int) -> None:
    """Produce until SIGTERM; then say how many events a second it was."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 500_000, "log_level": 0})
    sent, refused, began, stopped = 0, 0, time.monotonic(), False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    while not stopped:
        owed = int((time.monotonic() - began) * rate) - sent
        for number in range(sent, sent + owed):
            service = b"load-%02d" % (number % SERVICES)
            value = _event(service, number, time.time())
            try:
                producer.produce(TOPIC, value, service)
            except BufferError:
                refused += 1
        sent += owed
        producer.poll(0)
        time.sleep(TICK)
    seconds = time.monotonic() - began
    producer.flush(5)
    print(f"{(sent - refused) / seconds:.0f}", file=sys.stderr, flush=True)


def _event(service: bytes, number: int, now: float) -> bytes:
    region = b"eu" if number % 3 else b"us"
    return (
        b'{"type":"metric","name":"latency_ms","value":%.1f,"ts":%.6f,"labels":{"service":"%s","region":"%s",'
        b'"env":"prod","instance":"i-%03d"}}'
    ) % (20.0 + number * 7919 % 4001 / 10.0, now, service, region, number % 200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--rate", type=int, default=20_000)
    given = parser.parse_args()
    produce(given.kafka, given.rate)
