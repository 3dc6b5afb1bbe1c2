"""How fast are back-tests on one core: a recording of native JSON under 75 rules, beside a bare decoding of its lines.

python benchmarks/bench_backtest.py [--quick] [--json] [--events N]

Time is that of the processor, so that other programs disturb little. The peer is a loop that decodes every
line with orjson and throws it away, in the same run: no back-test in Python can be faster than that.
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path

import orjson

from bench_core import START, rule
from fireline.apps.backtest_files import Input
from fireline.apps.backtest_play import Asked, play
from harness import Figure, report

ENTITIES = 100


def recording(path, events, each_second, rules_hit):
    """Write so many metric events of 100 services; each matches one of `rules_hit` rules of the 75."""
    with path.open("wb") as file:
        for i in range(events):
            labels = {"service": f"s{i % ENTITIES}", "region": "eu-1", "env": "prod", "pod": f"p{i % 7}"}
            name = f"metric_{i // ENTITIES % rules_hit}"
            value = 100.0 + (i * 7919) % 1000
            event = {"type": "metric", "name": name, "value": value, "ts": START + i / each_second, "labels": labels}
            file.write(orjson.dumps(event) + b"\n")


def bare(path):
    """Events a second of a loop that only decodes."""
    begun, count = time.process_time(), 0
    with path.open("rb") as file:
        for line in file:
            orjson.loads(line)
            count += 1
    return count / (time.process_time() - begun)


def played(path, rules):
    """Events a second of a back-test without its report."""
    begun = time.process_time()
    found = play(Asked((Input(path, path.name),)), [rules], lambda played: None)
    return found.events / (time.process_time() - begun)


def main():
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and cases")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--events", type=int, default=0, help="how many events a case has")
    args = parser.parse_args()
    rules = [rule(number) for number in range(75)]
    found = []
    cases = ((10_000, 1),) if args.quick else ((10_000, 1), (10_000, 2), (1_000, 1), (1_000, 2), (10_000, 75))
    with tempfile.TemporaryDirectory() as folder:
        for each_second, hit in cases:
            path = Path(folder) / "events.ndjson"
            recording(path, args.events or (40_000 if args.quick else 400_000), each_second, hit)
            gc.collect()
            times = range(1 if args.quick else 3)
            peer, ours = max(bare(path) for _ in times), max(played(path, rules) for _ in times)
            case = f"{ENTITIES} services, {hit} of 75 rules hit, {each_second:,} events a second recorded"
            found.append(Figure(f"back-test, {case}", ours, "events/s", "bare decoding", peer))
    report("Back-tests on one core, 75 rules", found, in_json=args.json)


if __name__ == "__main__":
    main()
