"""Routes, watches with their answers, and facts, inside one transaction."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import bindparam, delete, select

from fireline.adapters.codec import decode, decode_mapping, encode, encode_mapping
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import answers, facts, routes, watches
from fireline.domain.routes import Route
from fireline.engine.watching import Watch, WatchAnswer

_FACT = select(facts.c.data, facts.c.at).where(facts.c.key == bindparam("of"))


class RouteRows(Rows):
    """The part of a transaction about routes, and about what processes tell each other."""

    def route(self, service: str) -> Route | None:
        """The route of a service, locked; None before it was ever changed."""
        self._lock(f"route\n{service}")
        data = self._row_of(routes, service)
        return None if data is None else decode(Route, data)

    def routes(self) -> Sequence[Route]:
        """All routes that were ever changed, by service."""
        return [decode(Route, data) for data in self._all(select(routes.c.data).order_by(routes.c.service))]

    def save_route(self, route: Route) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        row: dict[str, object] = {"service": route.service, "version": route.version, "data": encode(route)}
        self._save(routes, row, route.version)

    def save_watch(self, watch: Watch) -> None:
        """Ask a question, once per id."""
        self._put_new(watches, {"id": watch.id, "until": watch.until, "data": encode(watch)})

    def watches(self, now: float) -> Sequence[Watch]:
        """The questions that are open at `now`."""
        statement = select(watches.c.data).where(watches.c.until > now).order_by(watches.c.id)
        return [decode(Watch, data) for data in self._all(statement)]

    def answer(self, answers: Iterable[WatchAnswer]) -> None:
        """Insert or replace the answers by (watch, entity)."""
        for one in answers:
            self._put_answer(one)

    def answers(self, watch: str) -> Sequence[WatchAnswer]:
        """The answers so far, by entity."""
        statement = select(answers.c.data).where(answers.c.watch == watch).order_by(answers.c.entity)
        return [decode(WatchAnswer, data) for data in self._all(statement)]

    def put_fact(self, key: str, value: Mapping[str, object], now: float) -> None:
        """A small named fact."""
        self._put(facts, {"key": key, "at": now, "data": encode_mapping(value)})

    def fact(self, key: str) -> tuple[Mapping[str, object], float] | None:
        """A fact and when it was put."""
        row = self._connection.execute(_FACT, {"of": key}).first()
        return None if row is None else (decode_mapping(row.data), row.at)

    def facts(self, prefix: str) -> Mapping[str, tuple[Mapping[str, object], float]]:
        """The facts whose names begin so, each with when it was put, by name."""
        wanted = facts.c.key.startswith(prefix, autoescape=True)
        found = self._connection.execute(select(facts).where(wanted).order_by(facts.c.key))
        return {row.key: (decode_mapping(row.data), row.at) for row in found}

    def forget_facts(self, prefix: str, before: float) -> None:
        """Remove those that were put before then."""
        self._connection.execute(
            delete(facts).where(facts.c.key.startswith(prefix, autoescape=True), facts.c.at < before)
        )

    def _put_answer(self, one: WatchAnswer) -> None:
        self._put(answers, {"watch": one.watch, "entity": one.entity, "data": encode(one)})
