"""A runbook's secret goes where its author wrote it, and nowhere that an event could lead it."""

import pytest

from fireline.actions import build_actions
from fireline.actions.schema import Ports
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.runbooks import RunStatus
from fireline.engine.outgoing import Response
from fireline.spec.loading import UnreadableRunbook
from tests.engine.runs_world import Fixed, World, runbook, world

SECRET = "canary-of-the-deploy-system"
BOOK = """\
name: call
owner: payments-ml
inputs:
  said: {type: string}
start: {mode: auto}
steps:
  - id: ask
    uses: http.get
    with:
      url: https://api.example/status
      headers: {Authorization: "Bearer secret:DEPLOY"}
  - id: tell
    uses: http.request
    with:
      url: "https://api.example/log?{{ inputs.said }}"
      headers:
        Authorization: Bearer secret:DEPLOY
        X-Said: "{{ inputs.said }}"
        "X-{{ inputs.said | replace(':', '-') }}": "{{ inputs.said }}"
        X-Answer: "{{ steps.ask.body }}"
      json: {said: "{{ inputs.said }}", answer: "{{ steps.ask.json }}"}
    undo:
      uses: http.request
      with:
        url: https://api.example/undo
        headers: {Authorization: "Bearer secret:DEPLOY", X-Said: "{{ inputs.said }}"}
"""
FAILING = """\
  - id: fail
    uses: http.get
    with: {url: "https://elsewhere.example/"}
    on_failure: undo
"""


class Wire(SafeFetch):
    """The real way out, but for the connection: keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__(["api.example"], EnvironmentSecrets(environment={"FIRELINE_SECRET_DEPLOY": SECRET}))
        self.sent = []

    async def _send(self, request, headers):
        self.sent.append((request.url, dict(headers), request.json))
        return Response(200, {}, '{"next": "secret:DEPLOY", "echo": "' + headers["Authorization"] + '"}')


@pytest.fixture
def wired(tmp_path):
    made: World = world(tmp_path)
    wire = Wire()
    ports = Ports(made.store, Fixed(made.settings.current), made.clock, made.responder, wire)
    made.actions.update(build_actions(ports))
    made.runs = made.build()
    yield made, wire
    made.store.close()


async def test_what_an_event_or_an_answer_says_is_never_filled_in(wired):
    w, wire = wired
    w.want(runbook(BOOK), inputs={"said": "secret:DEPLOY"}, person="ann")
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED, run.reason
    (_, asked, _), (url, told, body) = wire.sent
    assert asked["Authorization"] == f"Bearer {SECRET}"
    assert told.pop("Authorization") == f"Bearer {SECRET}"
    assert SECRET not in f"{url} {told} {body}"
    assert told["X-Said"] == "secret:DEPLOY"


async def test_what_an_event_says_makes_no_header_of_another_name(wired):
    w, wire = wired
    book = BOOK.replace("X-{{ inputs.said | replace(':', '-') }}", "{{ inputs.said }}")
    w.want(runbook(book), inputs={"said": "X-Other: 1"}, person="ann")
    run = await w.drive()
    assert run.status is RunStatus.FAILED
    assert "`X-Other: 1` is no name of a header" in run.reason
    assert len(wire.sent) == 1, "the step before"


async def test_a_run_keeps_no_secret(wired):
    w, _ = wired
    w.want(runbook(BOOK), inputs={"said": "hello"}, person="ann")
    run = await w.drive()
    assert "[secret:DEPLOY]" in str(run.steps[0].output)
    assert SECRET not in f"{run} {w.journal()}"


async def test_a_secret_of_an_undo_is_filled_in_too(wired):
    w, wire = wired
    w.want(runbook(BOOK + FAILING), inputs={"said": "secret:DEPLOY"}, person="ann")
    run = await w.drive()
    assert run.status is RunStatus.UNDONE, run
    _, headers, _ = wire.sent[-1]
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["X-Said"] == "secret:DEPLOY"


@pytest.mark.parametrize("mixed", ["Bearer secret:DEPLOY {{ inputs.said }}", "Bearer secret:{{ inputs.said }}"])
def test_a_secret_beside_a_place_is_refused_where_it_is_written(mixed):
    with pytest.raises(UnreadableRunbook) as caught:
        runbook(BOOK.replace('"{{ steps.ask.body }}"', f'"{mixed}"'))
    (problem,) = caught.value.problems
    assert "secret:NAME" in problem.message
    assert problem.path == "steps[1].with.headers.X-Answer"
    assert BOOK.splitlines()[problem.line - 1].strip().startswith("X-Answer:")
