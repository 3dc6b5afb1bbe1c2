"""What stream workers tell of the requests that services get: asked of themselves as a watch, told as a fact."""

from collections.abc import Iterable, Mapping

from fireline.domain.capacity import Traffic
from fireline.domain.catalog import Catalog
from fireline.domain.routes import Route
from fireline.domain.traffic import PANE, RULE, WINDOW, Told, merged, per_second
from fireline.engine.ports import Transaction
from fireline.engine.watching import Watch, WatchAnswer

FACTS = "traffic:"
"""Facts of requests a second by service, one a worker."""
FRESH = 60.0
"""Seconds for which a word on a service counts: also when it is down, and nobody can report a request of it."""
LAGS = 30.0
"""Seconds behind its logs beyond which a worker tells nothing."""


def traffic_of(tx: Transaction, catalog: Catalog, route: Route, now: float) -> Traffic:
    """Requests and routes as they are, of which `route` is one that this transaction holds."""
    told = [each for body, _ in tx.facts(FACTS).values() for each in _read(body)]
    routes = {each.service: each.weights for each in tx.routes()}
    return Traffic(merged(catalog, told, now - FRESH), {**routes, route.service: route.weights})


def _read(body: Mapping[str, object]) -> Iterable[Told]:
    rows = body.get("rates")
    for name, row in rows.items() if isinstance(rows, Mapping) else ():
        if isinstance(row, list | tuple) and len(row) == 2:
            yield str(name), float(row[0]), float(row[1])


RENEWED = 50.0
"""Seconds after which the most that was seen gives way to what is seen now."""


class Seen:
    """The requests that one worker saw lately: the most of each service within a minute, with its time.

    The most and not the last: the requests of a service that breaks down are fewer and fewer, and what it needs is not.
    """

    def __init__(self) -> None:
        self._rates: dict[str, tuple[float, float]] = {}

    def asked(self, watches: Iterable[Watch], now: float, behind: float) -> list[Watch]:
        """What others ask, and what we ask ourselves: the requests of the last seconds that were read."""
        own = Watch(FACTS, RULE, {}, now - behind - WINDOW - PANE, WINDOW, 1, now + FRESH)
        return [*watches, own] if behind < LAGS else [*watches]

    def heard(self, answers: Iterable[WatchAnswer]) -> list[WatchAnswer]:
        """The answers for others; those for us are remembered. No event in the window: nothing is known, not zero."""
        others: list[WatchAnswer] = []
        for answer in answers:
            if answer.watch != FACTS:
                others.append(answer)
            elif answer.samples:
                rate = per_second(answer.samples, answer.at - answer.behind)
                self._note(answer.entity.partition("=")[2], round(rate, 3), answer.at)
        return others

    def _note(self, name: str, rate: float, at: float) -> None:
        most, since = self._rates.get(name, (0.0, at))
        if rate >= most or at - since >= RENEWED:
            self._rates[name] = rate, at

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._rates)

    def tell(self, tx: Transaction, worker: str, now: float) -> None:
        """Write down what was seen within a minute; facts of workers that are gone are removed."""
        self._rates = {name: row for name, row in self._rates.items() if row[1] >= now - FRESH}
        if self._rates:
            tx.put_fact(f"{FACTS}{worker}", {"rates": {name: [*row] for name, row in self._rates.items()}}, now)
            tx.forget_facts(FACTS, now - FRESH)
