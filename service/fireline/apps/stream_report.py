"""What a stream worker tells of itself, once a second, as a fact in the database that `fireline web` shows to others.

Counters count since the worker started. One with a lasting name (`FIRELINE_STREAM_INSTANCE`) reports under it again
after a restart, so that whoever reads its counters sees them begin anew, which is how Prometheus expects it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fireline.adapters.faust_batches import Place
from fireline.apps.stream_counts import COUNTS, FACT
from fireline.apps.stream_evaluate import EvaluateSide
from fireline.apps.stream_ingest import IngestSide
from fireline.apps.stream_signals import SignalLane
from fireline.engine.ports import Store
from fireline.engine.traffic import Seen
from fireline.engine.watching import Watch

UNKNOWN_LAG = 365 * 86_400.0
"""Seconds we count as behind while nobody knows: silence is then nobody's fault but ours."""
MOST_PLACES = 256
"""Partitions of which a worker tells the lag one by one; those that lag most."""
OLD = 86_400.0
"""Seconds after which the fact of a worker that is no more is removed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a worker is in the logs that it reads: `ends` as they were at `ends_at`, `behind` in seconds by place."""

    positions: Mapping[Place, int]
    ends: Mapping[Place, int]
    ends_at: float
    behind: Callable[[Place, int], float]

    def lag(self, place: Place) -> int:
        """Records of a partition that are not read."""
        at = self.positions[place]
        return max(0, self.ends.get(place, at) - at)


class Report:
    """Puts together what one worker tells. `rebalances` and `judged_at` are written by the worker."""

    def __init__(self, name: str, ingest: IngestSide, evaluate: EvaluateSide, lane: SignalLane, now: float) -> None:
        self.name, self.rebalances = name, 0
        self._ingest, self._evaluate, self._lane = ingest, evaluate, lane
        self._started, self._last = now, (now, 0)

    def facts(self, now: float, reading: Reading) -> dict[str, object]:
        """All of it, ready for JSON."""
        return {
            "worker": self.name,
            "started": self._started,
            **self._of_reading(reading),
            **self._of_ingest(now),
            **self._of_evaluate(now),
        }

    def _of_reading(self, reading: Reading) -> dict[str, object]:
        behind = {place: reading.behind(place, at) for place, at in reading.positions.items()}
        worst = max(behind.values(), default=0.0)
        lagging = sorted(behind, key=lambda place: (-behind[place], place))[:MOST_PLACES]
        return {
            "partitions": len(behind),
            "rebalances": self.rebalances,
            "lag": sum(reading.lag(place) for place in behind),
            "lag_as_of": reading.ends_at,
            "lag_seconds": _known(worst),
            "lags": [[*place, reading.lag(place), _known(behind[place])] for place in lagging],
        }

    def _of_ingest(self, now: float) -> dict[str, object]:
        tally = self._ingest.tally
        before, events = self._last
        self._last = (now, tally.events)
        return {
            "events": tally.events,
            "events_per_second": round((tally.events - events) / max(now - before, 1e-3), 1),
            "newest": tally.newest,
            "partials": tally.partials,
            "retries": tally.retries,
            "ages": {"buckets": tally.ages.buckets, "total": round(tally.ages.total, 3)},
            "dead_letters": tally.dead.total(),
            "dead": dict(tally.dead),
            "dead_by": [[topic, reason, number] for (topic, reason), number in sorted(tally.dead_by.items())],
            "late": tally.dead["late"],
            "refused": dict(tally.refused),
            "skipped": tally.skipped,
        }

    def _of_evaluate(self, now: float) -> dict[str, object]:
        evaluate, lane = self._evaluate, self._lane
        return {
            "rules": evaluate.rules,
            "entities": sum(part.evaluation.entities for part in evaluate.parts.values()),
            "left_out": dict(evaluate.left_out),
            "judged_at": evaluate.judged_at,
            "signals": lane.handled,
            "signals_by": [[state, severity, count] for (state, severity), count in lane.counts.items()],
            "signals_waiting": lane.waiting,
            "signals_aside": lane.aside,
            "checkpoint_age": round(evaluate.oldest_checkpoint(now), 3),
            "checkpoints": evaluate.saves.number,
            "checkpoint_bytes": evaluate.saves.bytes,
            "checkpoint_seconds": round(evaluate.saves.seconds, 4),
        }


def _known(behind: float) -> float | None:
    return round(behind, 3) if behind < UNKNOWN_LAG else None


def tell(store: Store, facts: Mapping[str, object], now: float, seen: Seen) -> list[Watch]:
    """Write a worker's report down, and the requests that it saw; the watches that are open. Raises `Unavailable`."""
    with store.transaction() as tx:
        seen.tell(tx, str(facts["worker"]), now)
        tx.put_fact(FACT, facts, now)
        tx.put_fact(f"{FACT}:{facts['worker']}", facts, now)
        return list(tx.watches(now))


def count(store: Store, what: str, now: float) -> None:
    """Count a start, or why a worker gave up; facts of workers long gone are removed. Raises `Unavailable`."""
    with store.transaction() as tx:
        known = tx.fact(COUNTS)
        counts = dict(known[0]) if known is not None else {}
        before = counts.get(what, 0)
        tx.put_fact(COUNTS, {**counts, what: (before if isinstance(before, int) else 0) + 1}, now)
        tx.forget_facts(f"{FACT}:", now - OLD)
