"""What garbage among events costs those beside it: processor time of batches with 1 % of eight kinds of it, and none.

python benchmarks/bench_bad_input.py [--quick] [--json]

Batches with and without garbage take turns, so that both see the same machine; what counts is the added p99.
"""

import argparse
import gc
import time
from collections import Counter
from dataclasses import dataclass

import orjson

from bench_core import START, rule
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from harness import Figure, report

SIZE = 1_000
SHARE = 100


def body(number, **fields):
    """A good event, or one that `fields` spoil."""
    at = START + number / 10_000
    labels = {"service": f"s{number % 20}", "region": "eu-1", "env": "prod"}
    made = {"type": "metric", "name": f"metric_{number % 2}", "value": 100.0, "ts": at, "labels": labels, **fields}
    return orjson.dumps({name: value for name, value in made.items() if value is not ...})


GARBAGE = {
    "future": lambda n: body(n, ts=START + n / 10_000 + 3600),
    "late": lambda n: body(n, ts=START + n / 10_000 - 3600),
    "field-missing": lambda n: body(n, value=...),
    "time-missing": lambda n: body(n, ts=...),
    "field-wrong": lambda n: body(n, value="high"),
    "type-unknown": lambda n: body(n, type="gossip"),
    "not-json": lambda n: body(n)[:-7],
    "not-an-object": lambda n: b"[1, 2, 3]",
}


def batches(number, *, garbage):
    """So many batches; with garbage, every hundredth record is of the next kind."""
    kinds, made = list(GARBAGE.values()), []
    for at in range(0, number * SIZE, SIZE):
        batch = []
        for offset in range(at, at + SIZE):
            spoilt = garbage and offset % SHARE == SHARE // 2
            value = kinds[offset // SHARE % len(kinds)](offset) if spoilt else body(offset)
            batch.append(Record(offset, START + offset / 10_000, b"k", value))
        made.append(batch)
    return made


@dataclass
class Side:
    """One ingest and what its batches took, in seconds of processor time."""

    batches: list
    ingest: Ingest
    took: list
    events: int = 0

    def take(self, place):
        """Take one batch, and time it; the dead letters by reason."""
        begun = time.process_time()
        got = self.ingest.batch(SourceRef("fireline.metrics", 0), self.batches[place])
        self.took.append(time.process_time() - begun)
        self.events += got.events
        return Counter(letter.reason for letter in got.dead)

    def quantile(self, q):
        """A quantile of what batches took, in milliseconds."""
        return sorted(self.took)[int(q * (len(self.took) - 1))] * 1000


def measure(number):
    """Both sides in turns, after a warm-up of a tenth."""
    rules = [rule(each) for each in range(75)]
    clean, spoilt = (
        Side(batches(number, garbage=garbage), Ingest(rules, FAMILIES, Native(), 4), []) for garbage in (False, True)
    )
    gc.collect()
    gc.freeze()
    dead = Counter()
    for place in range(number):
        for side in (clean, spoilt) if place % 2 else (spoilt, clean):
            dead += side.take(place)
    for side in (clean, spoilt):
        del side.took[: number // 10]
    return clean, spoilt, dead


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer batches")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()
    number = 100 if args.quick else 1_000
    clean, spoilt, dead = measure(number)
    expected = number * SIZE // SHARE
    assert dead.total() == expected, (dead, expected)
    assert set(dead) == set(GARBAGE), dead
    assert max(dead.values()) - min(dead.values()) <= 1, dead
    title = f"{number} batches of {SIZE:,} events, 1 % garbage of eight kinds"
    found = [
        Figure(f"p{round(100 * q)} of a batch with garbage", spoilt.quantile(q), "ms", "without", clean.quantile(q))
        for q in (0.5, 0.99)
    ]
    added = 100 * (spoilt.quantile(0.99) / clean.quantile(0.99) - 1)
    found.append(Figure("added to p99", added, "%", "planned", 10.0))
    found.append(Figure("dead letters", float(dead.total()), "", "garbage sent", float(expected)))
    report(title, found, in_json=args.json)


if __name__ == "__main__":
    main()
