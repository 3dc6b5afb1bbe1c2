"""One windowed aggregate, in Fireline, in Quix Streams, and in a plain Faust agent, on the same broker in the same run.

What all do, and no more: of JSON metric events of one name and environment, by service and tumbling windows of ten
seconds of event time, the count, the mean and the maximum, and a condition on the maximum that never holds. One
process each, one topic whose records are keyed by service (so that Quix Streams need not repartition it), each with
its defaults for keeping state: Fireline's checkpoints in SQLite, Quix Streams' RocksDB and changelog topics, the
Faust agent's memory. Fireline judges whenever a batch arrives; Quix Streams is measured as it is cheapest (`final`,
one result when a window closes) and as it is nearest to judging at once (`current`, a result an event).

python benchmarks/bench_peers.py [--quick] [--json] [--events N] [--no-quix]
"""

import sys

from harness import Figure, report
from stream_runs import Broker, beside, broker, options_of, quix_python, run_quix, run_sides
from stream_world import World

WORLD = World(
    rules=1, names=1, sent=1, services=20, measures="plain", window=10.0, pane=10.0, keyed=True, by=("service",)
)
EMITS = {"final": "Quix Streams, a result a window", "current": "Quix Streams, a result an event"}


def quix(on: Broker, events: int) -> list[tuple[str, object]]:
    """What Quix Streams told, by how it emits; nothing when it cannot be had, which is said."""
    python = quix_python()
    if isinstance(python, str):
        print(python, file=sys.stderr)
        return []
    return [(name, run_quix(on, python, emit, events, WORLD.pane)) for emit, name in EMITS.items()]


def measured(kind: str, events: int, peer_events: int, *, with_quix: bool) -> list[Figure]:
    """All figures, as the rows of the table."""
    with broker(kind) as on:
        held = on.fill(WORLD, events)
        (ours,) = run_sides(on, "worker", WORLD, held)
        peers = quix(on, min(held, peer_events)) if with_quix else []
        peers += [("Faust agent, one event at a time", *run_sides(on, "agent", WORLD, min(held, peer_events)))]
        peers += [("bare getmany and JSON, no aggregate", *run_sides(on, "bare", WORLD, held))]
    name = "count, mean and max by service"
    rows = [figure for peer, theirs in peers for figure in beside(name, ours, peer, theirs)]
    return [*rows, *[Figure("its memory, at most", ours.peak, "MB", peer, it.peak) for peer, it in peers[:1]]]


def main() -> None:
    """See the module's docstring."""
    parser = options_of(__doc__)
    parser.add_argument("--no-quix", action="store_true", help="leave out what has to be installed first")
    given = parser.parse_args()
    events = given.events or (300_000 if given.quick else 2_000_000)
    found = measured(given.broker, events, 40_000 if given.quick else 300_000, with_quix=not given.no_quix)
    report(f"One windowed aggregate, {events:,} events, one process each", found, in_json=given.json)


if __name__ == "__main__":
    main()
