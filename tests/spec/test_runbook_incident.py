"""Runs that a person starts may have no incident: what would fail then is told at load, and at the start in words."""

import pytest

from fireline.engine.run_inputs import Unfit, resolve
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.loading import read_runbook
from fireline.spec.runbook_incident import unguarded
from fireline.spec.runbook_links import linked
from fireline.spec.runbooks import read_placed
from tests.spec.world import PLUGINS

BOOK = """\
name: {name}
owner: web
start: {{needs_incident: {needs}}}
guards: {{lock: "{lock}"}}
steps:
- {{id: one, uses: route.get, with: {{service: "{service}"}}, if: "{if_}"}}
"""


def text(*, name="a", needs="false", service="x", lock="x", if_="true"):
    return BOOK.format(name=name, needs=needs, service=service, lock=lock, if_=if_)


def warned(source: str) -> list[tuple[int, int, str]]:
    findings = Findings()
    read_placed(read_document("a.yaml", source.encode()), PLUGINS, findings)
    assert findings.count() == 0, findings.problems
    return [(each.line, each.column, each.message) for each in findings.problems]


def test_a_place_that_names_the_incident_is_told_where_it_is():
    (found,) = warned(text(service="{{ incident.service }}"))
    assert found == (6, 46, "a run without an incident has no `incident.service`, and fails here")
    assert warned(text(lock="lock-{{ incident.service }}"))[0][:2] == (4, 16)


@pytest.mark.parametrize(
    "place",
    [
        "{{ incident.service if incident else 'x' }}",
        "{{ 'x' if not incident else incident.service }}",
        "{{ incident.service | default('x') }}",
        "{{ severity }}",
        "no place",
    ],
)
def test_who_has_thought_of_it_is_told_nothing(place):
    assert warned(text(service=place)) == []


def test_asking_one_name_for_another_is_not_asking_whether_there_is_an_incident():
    assert unguarded("{{ incident.title if incident.id else 'x' }}") == ["incident.id", "incident.title"]


@pytest.mark.parametrize(
    ("condition", "told"), [("incident.severity == 'outage'", 1), ("has(incident.id) && incident.id != ''", 0)]
)
def test_conditions_are_looked_at_too(condition, told):
    assert len(warned(text(if_=condition))) == told


def test_a_runbook_that_says_it_needs_one_is_told_nothing_and_does_not_start_without():
    source = text(needs="true", service="{{ incident.service }}")
    assert warned(source) == []
    book = read_runbook(source, PLUGINS)
    with pytest.raises(Unfit, match="a is for an incident, and none was named"):
        resolve(book, {}, {"incident": {}})
    assert resolve(book, {}, {"incident": {"id": "INC-1"}}) == {}


def test_an_input_that_comes_from_the_incident_is_asked_for_without_one():
    book = read_runbook(text() + "inputs: {rule: {type: string, default: '{{ incident.rule }}'}}\n", PLUGINS)
    with pytest.raises(Unfit, match="input rule is required without an incident: its default comes from one"):
        resolve(book, {}, {"incident": {}})
    assert resolve(book, {"rule": "slow"}, {"incident": {}}) == {"rule": "slow"}


def test_a_runbook_that_runs_one_for_incidents_is_told_to_say_so():
    outer = "name: outer\nowner: web\nsteps:\n- {id: one, uses: runbook.run, with: {runbook: a}}\n"
    findings = Findings()
    parts = [outer, text(needs="true")]
    placed = [read_placed(read_document("a.yaml", each.encode()), PLUGINS, findings) for each in parts]
    assert linked([each for each in placed if each], findings)
    (problem,) = findings.problems
    assert (problem.severity, problem.line) == ("warning", 4)
    assert "`a` needs an incident" in problem.message
