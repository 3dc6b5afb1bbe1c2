"""The stream side of a story: events into verdicts and signals, and a gateway that follows the route."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from fireline.domain.rules import Rule, Signal
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.engine.orphans import orphans
from fireline.engine.ports import Store
from fireline.engine.traffic import Seen
from fireline.measures import FAMILIES
from fireline.sources.native import Native

SOURCE = SourceRef("fireline.events", 0)
LOOK = 1.0
"""Seconds between two looks at open watches."""
TICK = 0.5
"""Seconds of requests that the gateway reports together."""


class Stream:
    """One stream worker: ingest, evaluate, and answers to what runbooks ask."""

    def __init__(self, rules: Iterable[Rule], store: Store, tell: Callable[[Signal], object]) -> None:
        chosen = tuple(rules)
        self._ingest = Ingest(chosen, FAMILIES, Native(), partitions=1)
        self._evaluation = Evaluation(chosen, FAMILIES)
        self._store, self._tell = store, tell
        self._offset = 0
        self._used = False
        self._looked = 0.0
        self._seen = Seen()

    def reload(self, rules: Iterable[Rule]) -> None:
        """Go on with other rules, and clear what none of them will ever clear."""
        chosen = tuple(rules)
        self._ingest.reload(chosen)
        self._evaluation.reload(chosen)
        with self._store.reading() as tx:
            found = orphans(tx, {rule.name: rule for rule in chosen})
        for signal in found:
            self._tell(signal)

    def feed(self, bodies: Iterable[Mapping[str, object]], now: float) -> None:
        """Take events (`ts` is now unless they say otherwise); one that cannot be read fails the story."""
        self._used = True
        records = []
        for body in bodies:
            records.append(Record(self._offset, now, None, orjson.dumps({"ts": now, **body})))
            self._offset += 1
        taken = self._ingest.batch(SOURCE, records)
        assert not taken.dead, taken.dead[0].detail
        for payload in (one for payloads in taken.partials.values() for one in payloads):
            self._evaluation.apply(payload, now)
        self.judge(now)

    def judge(self, now: float) -> None:
        for signal in self._evaluation.judge(now):
            self._tell(signal)

    def answer(self, now: float) -> None:
        """Look at the open watches, once a second at most."""
        if not self._used or now < self._looked + LOOK:
            return
        self._looked = now
        with self._store.reading() as tx:
            watches = tx.watches(now)
        answers = self._seen.heard(self._evaluation.watches(self._seen.asked(watches, now, 0.0), now))
        if answers or self._seen.known:
            with self._store.transaction() as tx:
                tx.answer(answers)
                self._seen.tell(tx, "story", now)

    def next_due(self, *, asked: bool) -> float | None:
        """When it has something to do; `asked` while runs wait for answers."""
        times = [self._evaluation.next_wake(), self._looked + LOOK if asked and self._used else None]
        return min((at for at in times if at is not None), default=None)


@dataclass
class Gateway:
    """Sends requests where the route says, and tells each as a prediction event; a few probe the primary meanwhile."""

    service: str
    every: float
    began: float
    targets: dict[str, Mapping[str, object]] = field(default_factory=dict)
    primary: str = "primary"
    probe_each: int = 5
    sent: int = 0
    owed: dict[str, float] = field(default_factory=dict)

    @property
    def due(self) -> float:
        return self.began + (self.sent + max(1, round(TICK / self.every))) * self.every

    def requests(self, now: float, weights: Mapping[str, int]) -> list[dict[str, object]]:
        """The events of all requests up to `now`."""
        found = []
        while (at := self.began + (self.sent + 1) * self.every) <= now + 1e-6:  # sums of a fraction
            self.sent += 1
            found.append(self._event(at, self._choose(weights), probe=False))
            if weights.get(self.primary, 0) < 100 and self.sent % self.probe_each == 0:
                found.append(self._event(at, self.primary, probe=True))
        return found

    def _choose(self, weights: Mapping[str, int]) -> str:
        for target, share in weights.items():
            self.owed[target] = self.owed.get(target, 0.0) + share
        chosen = max(weights, key=lambda target: self.owed[target])
        self.owed[chosen] -= 100.0
        return chosen

    def _event(self, at: float, target: str, *, probe: bool) -> dict[str, object]:
        known = {"type": "prediction", "service": self.service, "target": target, "ts": at, "error": ""}
        return {**known, "probe": str(probe).lower(), **self.targets[target]}
