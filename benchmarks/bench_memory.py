"""The memory of a real stream worker that holds 10,000 entities of three measures in full windows.

One rule (a quantile sketch, a mean, a count) with a window of ten minutes and its default panes, a thirtieth of it. The
events come through Kafka with times that fill every pane of every entity before the first leaves the window:
one event a pane with --quick, three without. Resident memory of the worker's process, all that Python and its
libraries take included, and of a worker just started beside it.

python benchmarks/bench_memory.py [--quick] [--json] [--entities N]
"""

from fireline.spec.panes import pane_for
from harness import Figure, report
from stream_runs import broker, options_of, run_sides
from stream_world import World

LIMIT = 400.0
"""MB that are planned at 10,000 entities of three measures."""
WINDOW = 600.0
PANES = round(WINDOW / pane_for(WINDOW))


def measured(kind: str, entities: int, events: int) -> list[Figure]:
    """Memory at most, at the end, and at the first event."""
    world = World(
        rules=1,
        names=1,
        sent=1,
        services=entities,
        measures="three",
        window=WINDOW,
        pane=WINDOW / PANES,
        spread=WINDOW - WINDOW / PANES,
        by=("service",),
    )
    with broker(kind) as on:
        held = on.fill(world, events)
        (told,) = run_sides(on, "worker", world, held)
    name = f"{entities:,} entities of three measures in {PANES} panes"
    return [
        Figure(f"{name}, at most", told.peak, "MB", "planned at 10,000", LIMIT),
        Figure(f"{name}, in the end", told.rss, "MB", "a worker without events", told.empty_rss),
        Figure("a window's share of it", 1024 * (told.rss - told.empty_rss) / entities, "KB"),
        Figure("filling them, a second of processor time", told.cpu_rate, "events/s"),
    ]


def main() -> None:
    """See the module's docstring."""
    parser = options_of(__doc__)
    parser.add_argument("--entities", type=int, default=10_000)
    given = parser.parse_args()
    events = given.events or given.entities * PANES * (1 if given.quick else 3)
    found = measured(given.broker, given.entities, events)
    report(f"Memory of a stream worker, {events:,} events", found, in_json=given.json)


if __name__ == "__main__":
    main()
