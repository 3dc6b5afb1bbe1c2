"""ask: a form that a person fills in, typed and bounded, over whatever way they have."""

import pytest
from pydantic import ValidationError

from fireline.actions.ask import AskOptions
from fireline.domain.effects import Tell
from fireline.domain.runbooks import RunStatus
from fireline.engine.forms import filled
from tests.engine.runs_world import FORM, runbook, world

BOOK = (
    FORM
    + """\
        sure: {type: boolean, required: false}
        note: {type: string, max: 10, required: false}
      timeout: 10m
  - id: small
    if: steps.how.values.percent < 50.0
    uses: wait
    with: {for: 1s}
"""
)


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


async def asking(w, text=BOOK):
    w.want(runbook(text), person="ann")
    await w.drive(seconds=2)
    return w.run()


async def test_what_is_filled_in_is_typed_and_later_steps_find_it(w):
    await asking(w)
    told = [effect.text for effect in w.effects(Tell)]
    assert told
    assert "fireline runs answer 1 percent=... target=..." in told[0]
    assert w.runs.approve(1, None, "ann", True, values={"percent": "25", "sure": "yes"}).done
    run = await w.drive()
    assert run.status is RunStatus.SUCCEEDED
    how, small = run.steps
    assert how.output["values"] == {"percent": 25, "target": "fallback", "sure": True, "note": None}
    assert how.output["by"] == "ann"
    assert small.output == {"waited": 1.0}


async def test_all_that_does_not_fit_is_told_and_asked_on(w):
    await asking(w)
    reply = w.runs.approve(
        1, "how", "ann", True, values={"percent": "900", "target": "moon", "note": "x" * 11, "more": 1}
    )
    assert not reply.done
    for fault in ("no field 'more'", "percent: at most 100", "target: 'moon' is none of", "note: at most 10"):
        assert fault in reply
    assert not w.runs.approve(1, "how", "ann", True).done, "a form is not approved"
    assert "asks for values" in w.runs.approve(1, "how", "ann", False)
    assert w.runs.approve(1, "how", "ann", True, values={"percent": 7}).done
    again = w.runs.approve(1, "how", "ann", True, values={"percent": 8})
    assert not again.done
    assert "Already filled in" in again
    run = await w.drive()
    assert run.steps[0].output["values"]["percent"] == 7


async def test_only_who_may_answers_and_a_restart_loses_nothing(w):
    await asking(w)
    assert "You are not one of those" in w.runs.approve(1, "how", "stranger", True, values={"percent": 7})
    other = w.again()
    assert other.runs.approve(1, "how", "ann", True, values={"percent": 7}).done
    assert (await other.drive()).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize(("on_timeout", "status"), [("fail", RunStatus.FAILED), ("defaults", RunStatus.SUCCEEDED)])
async def test_silence_fails_or_takes_the_defaults(w, on_timeout, status):
    text = BOOK.replace("max: 100}", "max: 100, default: 5}")
    text = text.replace("timeout: 10m", f"timeout: 10m\n      on_timeout: {on_timeout}")
    await asking(w, text)
    run = await w.drive(seconds=700)
    assert run.status is status
    if status is RunStatus.SUCCEEDED:
        assert run.steps[0].output["values"]["percent"] == 5
        assert run.steps[0].output["by"] == ""


async def test_an_approval_is_no_form(w):
    plain = (
        "name: form\nowner: payments-ml\nstart: {mode: auto}\nsteps:\n  - {id: how, uses: approval, with: {ask: now}}\n"
    )
    w.want(runbook(plain), person="ben")
    await w.drive(seconds=2)
    assert "asks for no values" in w.runs.approve(1, "how", "ann", True, values={"percent": 7})
    assert w.runs.approve(1, "how", "ann", True).done


@pytest.mark.parametrize(
    ("field", "given", "found"),
    [
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, True, None),
        ({"type": "integer"}, 7.5, None),
        ({"type": "integer"}, "9" * 4000, None),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "number"}, "nan", None),
        ({"type": "number"}, "inf", None),
        ({"type": "number"}, [1], None),
        ({"type": "boolean"}, "no", False),
        ({"type": "boolean"}, "maybe", None),
        ({"type": "string"}, "x" * 2001, None),
        ({"type": "string"}, {"a": 1}, None),
        ({"type": "string"}, "{{ catalog }}", "{{ catalog }}"),
        ({"type": "enum", "choices": ["a"]}, "a", "a"),
        ({"type": "enum", "choices": ["a"]}, ["a"], None),
    ],
)
def test_values_are_of_their_type_or_refused(field, given, found):
    result = filled({"it": field}, {"it": given})
    if found is None:
        assert isinstance(result, str)
        assert result.startswith("it: ")
    else:
        assert result == {"it": found}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"a": {"type": "enum"}},
        {"a": {"type": "string", "choices": ["x"]}},
        {"a b": {"type": "string"}},
        {"a": {"type": "integer", "default": "x"}},
        {"a": {"type": "integer", "max": 3, "default": 9}},
        {"a": {"type": "odd"}},
    ],
)
def test_a_form_that_cannot_be_filled_in_is_a_fault_at_load(fields):
    with pytest.raises(ValidationError):
        AskOptions.model_validate({"ask": "what?", "fields": fields})


def test_defaults_are_needed_where_silence_takes_them():
    with pytest.raises(ValidationError, match="needs defaults"):
        AskOptions.model_validate({"ask": "?", "fields": {"a": {"type": "string"}}, "on_timeout": "defaults"})
