"""What built-in actions give has a type: an `if` that mixes them up is told at load, at its place."""

import json

import pytest

from fireline.apps.action_listing import actions
from fireline.apps.bootstrap import plugins
from fireline.spec.loading import UnreadableRunbook, read_runbook

BOOK = """\
name: a
owner: web
inputs: {{service: {{type: string, default: x}}}}
steps:
- {{id: before, uses: route.get, with: {{service: x}}}}
- {{id: each, uses: route.get, foreach: [a, b], with: {{service: "{{{{ item }}}}"}}}}
- {{id: look, uses: metric.query, with: {{rule: a, measure: n}}}}
- {{id: ask, uses: approval, with: {{ask: "Now?"}}}}
- {{id: get, uses: http.get, with: {{url: "https://a.example"}}}}
- {{id: last, uses: route.get, with: {{service: x}}, if: "{condition}"}}
"""


def told(condition: str) -> str:
    try:
        read_runbook(BOOK.format(condition=condition), plugins())
    except UnreadableRunbook as fault:
        return "\n".join(
            f"{each.line}:{each.column}: {each.message} [{each.code}] {each.hint}" for each in fault.problems
        )
    return ""


@pytest.mark.parametrize(
    "condition",
    [
        "steps.ask.approved && steps.look.value > 5.0",
        "steps.before.on_fallback || steps.before.version == 3",
        "steps.look.reason.contains('old')",
        "steps.each.count > 1 && steps.each.outcome == 'done'",
        "steps.get.json.ready == true && steps.get.json.size > 3",
        "'fallback' in steps.before.route",
        "size(steps.look.series) > 0",
    ],
)
def test_what_fits_is_not_told(condition):
    assert told(condition) == ""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("steps.ask.approved == 'yes'", "10:56: "),
        ("steps.ask.by && true", "`steps.ask.by` is a text, and `&&` needs true or false"),
        ("steps.look.value == 'high'", "`steps.look.value` is a number"),
        ("steps.look.verdict > 3", "`steps.look.verdict` is a text"),
        ("steps.look.value && true", "is a number, and `&&` needs true or false"),
        ("steps.each.count == 'two'", "`steps.each.count` is a number"),
        ("steps.before.on_fallbck", "on_fallback"),
        ("steps.each.version > 1", "`steps.each.version` is not known here"),
    ],
)
def test_what_does_not_fit_is_told_where_it_is(condition, expected):
    assert expected in told(condition)


def test_what_a_step_says_itself_goes_before_what_its_action_says():
    own = BOOK.replace('{{url: "https://a.example"}}', '{{url: "https://a.example"}}, outputs: {{json: int}}')
    with pytest.raises(UnreadableRunbook, match=r"`steps\.get\.json` is a number"):
        read_runbook(own.format(condition="steps.get.json == 'x'"), plugins())


def test_the_list_of_actions_shows_types(capsys):
    assert actions("route.get", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outputs"]["on_fallback"] == {"type": "bool", "what": "whether a lease is in force"}
    assert actions("route.get", as_json=False) == 0
    assert "mapping" in capsys.readouterr().out
