"""How many services a run touches, as far as that can be told before it begins."""

import pytest

from fireline.engine.foreseeing import foreseen
from fireline.engine.reaching import reach
from tests.engine.runs_world import runbook, world

HEAD = """\
name: call
owner: payments-ml
inputs:
  service: {type: string}
start: {mode: auto}
steps:
  - id: ask
    uses: http.get
    with: {url: "https://api.example/status"}
"""
TELLS = """\
  - id: tell
    uses: http.request
    with: {url: "https://api.example/log", json: {answer: "{{ steps.ask.body }}"}}
    irreversible: true
"""
MOVES = """\
  - id: move
    uses: route.set
    with: {service: "%s", to: {fallback: 100}}
    undo: {uses: route.set, with: {service: "%s", to: {primary: 100}}}
"""


@pytest.fixture
def catalog(tmp_path):
    made = world(tmp_path)
    yield made.settings.current.catalog
    made.store.close()


@pytest.mark.parametrize(
    ("steps", "services"),
    [
        (TELLS, frozenset()),
        (MOVES % (("{{ inputs.service }}",) * 2) + TELLS, frozenset({"fraud-scoring"})),
        (MOVES % (("{{ steps.ask.body }}",) * 2), None),
    ],
)
def test_only_a_step_that_names_a_service_touches_one(catalog, steps, services):
    found = tuple(foreseen(runbook(HEAD + steps), {"inputs": {"service": "fraud-scoring"}}))
    assert reach(found, catalog).services == services
