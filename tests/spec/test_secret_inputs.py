"""Secrets as inputs: named by people and runbooks, never by an event, and never more than a name."""

import pytest

from fireline.domain.runbooks import Input
from fireline.engine.laying import named
from fireline.engine.run_inputs import Unfit, resolve
from fireline.spec.loading import UnreadableRunbook, read_runbook
from tests.spec.world import PLUGINS

INNER = """
--- # runbook inner
name: inner
owner: web
inputs: {token: {type: secret}}
steps:
- {id: look, uses: route.get, with: {service: a}}
"""


def outer(given):
    return (
        "name: outer\nowner: web\ninputs: {mine: {type: secret}, label: {type: string}}\nsteps:\n"
        f"- {{id: one, uses: runbook.run, with: {{runbook: inner, inputs: {{token: '{given}'}}}}}}" + INNER
    )


@pytest.mark.parametrize("given", ["secret:DEPLOY", "{{ inputs.mine }}"])
def test_a_secret_is_handed_on_as_it_is(given):
    assert read_runbook(outer(given), PLUGINS).steps[0].sub is not None


@pytest.mark.parametrize(
    "given", ["{{ inputs.label }}", "secret:{{ inputs.label }}", "{{ incident.title }}", "hunter2"]
)
def test_a_secret_is_not_put_together_from_data(given):
    with pytest.raises(UnreadableRunbook, match="secret"):
        read_runbook(outer(given), PLUGINS)


def test_no_event_names_a_secret():
    book = read_runbook(
        "name: outer\nowner: web\ninputs: {mine: {type: secret}}\nsteps:\n" + INNER.partition("steps:\n")[2], PLUGINS
    )
    assert resolve(book, {"mine": "secret:DEPLOY"}, {}, trusted=True) == {"mine": "secret:DEPLOY"}
    with pytest.raises(Unfit, match="was not given"):
        resolve(book, {"mine": "secret:DEPLOY"}, {})
    with pytest.raises(Unfit) as told:
        resolve(book, {"mine": "hunter2"}, {}, trusted=True)
    assert "hunter2" not in str(told.value)


def test_an_action_is_told_which_secrets_the_author_named():
    written = {"headers": {"Authorization": "Bearer {{ inputs.token }}", "X": "{{ inputs.label }}"}}
    assert named(written, {"token": "secret:DEPLOY"}) == {
        "headers": {"Authorization": "Bearer secret:DEPLOY", "X": "{{ inputs.label }}"}
    }
    assert Input("token", "secret").default is None
