"""What templates may name at load is what the engine gives them when it renders."""

from fireline.domain.catalog import Catalog, Service, Severity, Team
from fireline.engine import values
from fireline.spec.names import CATALOG, INCIDENT, RUN, START, unknown_names


def test_names_of_the_catalog_are_those_the_engine_gives() -> None:
    catalog = Catalog({"s": Service("s", "t")}, {"t": Team("t", "T", "p")}, {}, (Severity("outage", 0),))
    given = values.of_catalog(catalog)
    assert set(given) == set(CATALOG)
    for kind in ("services", "teams"):
        known, found = CATALOG[kind], given[kind]
        assert isinstance(known, dict)
        assert isinstance(found, dict)
        assert set(next(iter(found.values()))) == set(known["*"])


def test_names_of_start_are_those_the_engine_gives() -> None:
    incident = dict.fromkeys(INCIDENT, "x")
    assert set(values.of_start(incident, {})) - {"inputs"} == set(START)


def test_computed_parts_are_taken_on_trust_and_what_follows_is_checked() -> None:
    tree = {"catalog": CATALOG, "run": RUN, "incidents_open": None}
    assert unknown_names(["catalog.services.*.fallback", "run.id", "run.*", "incidents_open"], tree) == []
    (unknown,) = unknown_names(["catalog.services.*.falback"], tree)
    assert unknown.hint == "did you mean `catalog.services[...].fallback`?"
