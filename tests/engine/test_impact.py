"""What comes of what: the same end, in whatever order it is heard."""

from dataclasses import replace
from itertools import permutations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fireline.domain.catalog import Service
from fireline.domain.deciding import decide, opens
from fireline.domain.deciding_draft import LIVE
from fireline.domain.effects import Timer
from fireline.domain.impact import downstream, upstream
from fireline.domain.incidents import Incident, SignalArrived, Status, TimerDue
from fireline.domain.rules import Signal
from fireline.engine.surroundings import beside_signal, beside_timer
from tests.domain.deciding_world import NOW, signal, world

NEEDS = {"features": (), "ranking": ("features",), "checkout": ("ranking",), "tills": ("features", "search")}
SEVERITIES = st.sampled_from(["safety", "outage", "degraded", "notice"])
HEARD = st.lists(
    st.tuples(st.sampled_from([*NEEDS, "search"]), st.sampled_from(["a", "b"]), st.integers(0, 400), SEVERITIES),
    min_size=2,
    max_size=5,
    unique_by=lambda told: told[:2],
)


class House:
    """Incidents and their deadlines, decided on one after the other as responders do."""

    def __init__(self) -> None:
        known = world()
        services = {name: Service(name, "platform", depends_on=needs) for name, needs in NEEDS.items()}
        catalog = replace(known.catalog, services={**known.catalog.services, **services})
        self.world = replace(known, catalog=catalog)
        self.now = NOW
        self.incidents: dict[int, Incident] = {}
        self.timers: dict[str, Timer] = {}

    def lock(self, name: str) -> None:
        """Nobody else is here."""

    def opened(self, service: str, timeline: str, since: float, limit: int) -> list[tuple[int, float]]:
        return []

    def beside(self, timeline, services, numbers) -> list[Incident]:
        return [
            i
            for i in self.incidents.values()
            if i.number in numbers or (i.service in services and i.status is not Status.RESOLVED)
        ]

    def hears(self, told: Signal) -> None:
        what = SignalArrived(told)
        before = self.of(told.service)
        near = beside_signal(self, what, before, self.world)
        number = len(self.incidents) + 1 if opens(before, told, near, self.now) else None
        self._keep(decide(before, what, near, self.now, number=number))

    def sweeps(self) -> None:
        """Hear every deadline that is due."""
        while due := [timer for timer in self.timers.values() if timer.due_at <= self.now]:
            timer = due[0]
            what = TimerDue(timer.incident or 0, timer.kind, timer.key, timer.due_at)
            before = self.incidents[what.incident]
            self._keep(decide(before, what, beside_timer(self, what, before, self.world), self.now))

    def of(self, service: str) -> Incident | None:
        return next((i for i in self.incidents.values() if i.service == service), None)

    def _keep(self, decision) -> None:
        for key in decision.disarm:
            self.timers.pop(key, None)
        self.timers.update({timer.key: timer for timer in decision.arm})
        if decision.incident is not None:
            self.incidents[decision.incident.number] = decision.incident

    def ends(self) -> dict[str, object]:
        """What each service's incident comes of, what it says to cause, and whether anybody is asked."""
        by_number = {i.number: i.service for i in self.incidents.values()}
        return {
            i.service: (
                None if i.impact is None else i.impact.service,
                sorted(by_number[number] for number in i.impacts),
                any(page.status in LIVE for page in i.pages),
            )
            for i in self.incidents.values()
        }


def _told(service: str, rule: str, started: int, severity: str) -> Signal:
    return replace(signal("firing", severity, rule=rule, service=service, at=NOW), started=NOW - 500 + started)


def _end(told: list[tuple[str, str, int, str]], pauses: list[bool]) -> dict[str, object]:
    house = House()
    for one, pause in zip(told, pauses, strict=True):
        house.hears(_told(*one))
        house.now += 1.0
        if pause:
            house.sweeps()
    house.sweeps()
    return house.ends()


@settings(max_examples=60, deadline=None)
@given(HEARD, st.data())
@example([("checkout", "a", 50, "outage"), ("ranking", "a", 0, "outage"), ("features", "a", 60, "outage")], None)
@example([("checkout", "a", 0, "outage"), ("ranking", "a", 0, "notice"), ("features", "a", 200, "outage")], None)
def test_the_order_in_which_it_is_heard_changes_nothing(told, data) -> None:
    wanted = _end(told, [True] * len(told))
    orders = list(permutations(told)) if data is None else [data.draw(st.permutations(told))]
    for order in orders:
        pauses = [True] * len(told) if data is None else data.draw(st.lists(st.booleans(), min_size=len(told)))
        assert _end(list(order), (pauses + [False] * len(told))[: len(told)]) == wanted


def test_what_is_impacted_asks_nobody_and_its_cause_says_so() -> None:
    end = _end([("features", "a", 100, "outage"), ("checkout", "a", 0, "outage")], [True, True])
    assert end == {"features": (None, ["checkout"], True), "checkout": ("features", [], False)}


def test_a_cause_that_began_more_than_the_bound_later_is_none() -> None:
    end = _end([("checkout", "a", 0, "outage"), ("features", "a", 121, "outage")], [True, True])
    assert end["checkout"] == (None, [], True)


def test_an_earlier_signal_of_the_cause_makes_it_one() -> None:
    told = [("checkout", "a", 0, "outage"), ("features", "a", 121, "outage"), ("features", "b", 60, "outage")]
    assert _end(told, [True] * 3)["checkout"] == ("features", [], False)


def test_whom_a_service_needs_is_known_through_others_and_in_circles() -> None:
    catalog = House().world.catalog
    assert upstream("checkout", catalog) == {"ranking", "features"}
    assert downstream("features", catalog) == {"ranking", "checkout", "tills"}
    circle = {name: Service(name, "platform", depends_on=(needs,)) for name, needs in (("one", "two"), ("two", "one"))}
    assert upstream("one", replace(catalog, services=circle)) == {"two"}


def test_a_cause_that_nobody_takes_excuses_no_more() -> None:
    house = House()
    house.hears(_told("features", "a", 0, "outage"))
    house.hears(_told("checkout", "a", 10, "outage"))
    house.sweeps()
    assert house.ends()["checkout"] == ("features", [], False)
    for _ in range(60):
        house.now += 15.0
        house.sweeps()
    exhausted = house.of("features")
    assert exhausted is not None
    assert exhausted.escalation is not None
    assert exhausted.escalation.exhausted
    found = house.of("checkout")
    assert found is not None
    assert found.impact is None
    assert found.pages
