"""A stream worker in a process of its own for tests: rules made by hand, signals written to a file as they are handled.

Run as `python stream_process.py OPTIONS` with OPTIONS a JSON object; see `tests/integration/streams.py`.
"""

import asyncio
import json
import logging
import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.clock_steady import SteadyClock
from fireline.adapters.database import open_store
from fireline.adapters.kafka_connection import Connection
from fireline.apps.stream import Flow, StreamOptions, run_stream
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.events import Kind
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule, Signal
from fireline.engine.watching import Claim
from fireline.measures import FAMILIES
from fireline.sources import FORMATS


@dataclass(frozen=True)
class AtLeast:
    """The condition `n >= number`."""

    number: float

    @property
    def source(self) -> str:
        return f"n >= {self.number}"

    @property
    def variables(self) -> frozenset[str]:
        return frozenset({"n"})

    def holds(self, values: Mapping[str, object]) -> bool:
        found = values.get("n")
        return isinstance(found, int | float) and found >= self.number


@dataclass(frozen=True)
class Say:
    """A template that renders one of the values, or itself."""

    text: str

    @property
    def source(self) -> object:
        return self.text

    def render(self, values: Mapping[str, object]) -> object:
        return values.get(self.text, self.text)


def rule(name: str, at_least: float, metric: str = "requests") -> Rule:
    """Fires when `metric` was counted at least so many times for a service in the last ten minutes."""
    return Rule(
        name=name,
        on=Kind.METRIC,
        where=(Matcher("name", Match.ANY_OF, (metric,)),),
        by=("service",),
        window=600.0,
        pane=10.0,
        measures=(Measure("n", "count"),),
        levels=(Level("outage", AtLeast(at_least)),),
        service=Say("service"),
        summary=Say(name),
        hash=f"{name}/{at_least}",
    )


def configuration(rules: Mapping[str, float]) -> Configuration:
    made = {name: rule(name, at_least) for name, at_least in rules.items()}
    return Configuration(made, {}, Catalog({}, {}, {}, ()), OnCall(), hash=json.dumps(dict(rules)))


class BreakingClock(SystemClock):
    """Tells the time until a file is there, and then fails: a fault of ours, somewhere inside the worker."""

    def __init__(self, broken: Path) -> None:
        self._broken = broken

    def now(self) -> float:
        if self._broken.exists():
            raise RuntimeError("a fault of ours")
        return super().now()


def set_clock(ahead: Path) -> SteadyClock:
    """The clock of a worker, on a machine whose wall clock is as many seconds ahead as a file says."""

    def wall() -> float:
        return time.time() + (float(ahead.read_text() or 0) if ahead.exists() else 0.0)

    return SteadyClock(math.inf, wall=wall)


def main(options: Mapping[str, object]) -> int:
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel("WARNING")
    signals = Path(str(options["signals"]))
    rules_file = Path(str(options["rules"]))
    store = open_store(str(options["database"]))

    def handled(signal: Signal, claim: Claim | None) -> None:
        with store.transaction() as tx:
            if claim is not None and not tx.holds(claim):
                return
            write(signal)  # while the claim cannot be lost

    def write(signal: Signal) -> None:
        said = {
            "id": signal.id,
            "rule": signal.rule,
            "entity": dict(signal.entity),
            "episode": signal.episode,
            "sequence": signal.sequence,
            "service": signal.service,
            "state": signal.state,
            "n": signal.evidence.measures.get("n"),
            "timeline": signal.timeline,
            "at": signal.at,
        }
        with signals.open("a") as file:
            file.write(json.dumps(said) + "\n")
            file.flush()
            os.fsync(file.fileno())

    worker = StreamOptions(
        connection=Connection(str(options["bootstrap"]), embedded=bool(options["generation"])),
        name=str(options["name"]),
        topics=("fireline.metrics",),
        generation=str(options["generation"]),
        group=str(options["group"]),
        instance=str(options["instance"]) if options["instance"] else None,
        chunk=int(str(options.get("chunk", 512))),
        directory=Path(str(options["directory"])),
    )
    flow = Flow(
        configuration=configuration(json.loads(rules_file.read_text())),
        families=FAMILIES,
        decode=FORMATS["native"],
        on_signal=handled,
        refresh=lambda: configuration(json.loads(rules_file.read_text())),
    )
    broken = options.get("broken")
    clock = BreakingClock(Path(str(broken))) if broken else set_clock(Path(str(options["ahead"])))
    return asyncio.run(run_stream(worker, flow, store, clock))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
