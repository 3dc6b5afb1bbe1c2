"""Every action can be rehearsed: its example has a dry run on the stage, and nothing is queued or changed."""

import asyncio

import pytest

from fireline.actions import SCHEMAS
from fireline.apps.runbook_mocks import Script, mocked
from fireline.apps.runbook_stage import Stage
from fireline.domain.outcomes import Done, Failed
from fireline.domain.rule_tests import START
from fireline.engine.outward import StepContext
from fireline.spec.documents import plain, read_document
from tests.engine.runs_world import shipped


@pytest.fixture(scope="module")
def stage():
    made = Stage(shipped(), lambda _, real: mocked(real, Script({})), START)
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_dry_run_says_what_it_would_give_and_does_nothing(stage, name):
    step = plain(read_document("example", SCHEMAS[name].example.encode()).root)
    assert isinstance(step, dict)
    options = SCHEMAS[name].options.model_validate(step.get("with", {}))
    context = StepContext(f"run-1.{name}", 1, name, None, START, {}, START)
    before = stage.store.changed()
    outcome = asyncio.run(stage.actions[name].perform(options, context))
    assert isinstance(outcome, (Done, Failed))
    assert isinstance(outcome, Done) or "FIRELINE_TARGETS" in outcome.reason, outcome
    if isinstance(outcome, Done):
        assert set(outcome.output) <= set(SCHEMAS[name].outputs), "an output that is not declared"
    assert stage.store.changed() == before
