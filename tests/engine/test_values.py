"""What templates may name: the catalog as plain data is made once, and anew for another catalog."""

from dataclasses import replace

from fireline.engine import values
from tests.engine.runs_world import shipped


def test_the_catalog_is_made_plain_once() -> None:
    catalog = shipped().catalog
    assert values.of_catalog(catalog) is values.of_catalog(catalog)


def test_a_catalog_that_was_changed_is_made_plain_anew() -> None:
    catalog = shipped().catalog
    before = values.of_catalog(catalog)
    name, service = next(iter(catalog.services.items()))
    after = values.of_catalog(replace(catalog, services={**catalog.services, name: replace(service, tier=9)}))
    assert isinstance(after["services"], dict)
    assert after["services"][name]["tier"] == 9
    assert after["services"] != before["services"]
