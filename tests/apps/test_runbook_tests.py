"""`fireline runbook test`: tests are played by the real engine, and tell what was expected and what came instead."""

import asyncio
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from fireline.apps.bootstrap import plugins
from fireline.apps.runbook_playing import play
from fireline.domain.runbook_coverage import parts, visited
from fireline.domain.runbook_verdicts import differences
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.runbook_tests import with_tests
from fireline.spec.runbooks import read_placed
from tests.engine.runs_world import shipped

BOOK = """\
name: rollback
owner: payments-ml
inputs: {service: {type: string}}
start: {mode: auto}
steps:
  - id: look
    uses: route.get
    with: {service: "{{ inputs.service }}"}
  - id: call
    uses: http.request
    with: {url: "https://deploy.example/{{ inputs.service }}"}
    retry: {attempts: 3, backoff: 10s}
    timeout: 5m
    undo: {uses: http.request, with: {url: "https://deploy.example/undo/{{ steps.call.status_code }}"}}
  - id: ask
    uses: approval
    with: {ask: "Good?", of: owner, timeout: 10m, on_timeout: reject}
  - id: tell
    if: steps.ask.approved
    uses: notify
    with: {text: "done"}
  - id: prove
    uses: http.get
    with: {url: "https://deploy.example/health"}
    on_failure: undo
"""


def read(tests: str):
    findings = Findings()
    placed = read_placed(read_document("rollback.yaml", f"{BOOK}tests:\n{tests}".encode()), plugins(), findings)
    assert placed is not None, findings.problems
    return with_tests(placed, plugins(), findings).runbook, [str(problem) for problem in findings.sorted()]


def played(test: str):
    """One test's run, and what was not as expected."""
    book, problems = read("".join(f"  {line}\n" for line in f"- {{name: it, {test}}}".splitlines()))
    assert problems == []
    (found,) = book.tests
    current = shipped()
    outcome = asyncio.run(play(book, found, replace(current, runbooks={**current.runbooks, book.name: book})))
    return book, outcome, differences(found.expect, found.line, outcome)


GIVEN = "inputs: {service: fraud-scoring}"


def test_what_a_test_does_not_say_is_what_the_action_says_of_a_dry_run():
    book, outcome, missed = played(f"{GIVEN}, expect: {{steps: [look, call, ask, tell, prove]}}")
    assert missed == ()
    assert outcome.run is not None
    assert outcome.run.steps[0].output["route"] == {"primary": 100}
    seen = visited(book, [outcome.run])
    assert [f"{p.step} {p.what}" for p in parts(book) if p not in seen] == [
        "call undo",
        "tell if does not hold",
        "prove on_failure: undo",
    ]


def test_attempts_end_one_after_the_other_and_the_clock_waits_for_them():
    _, _, missed = played(
        f"{GIVEN}, steps: {{call: [{{retry: busy}}, {{retry: busy}}, {{output: {{status_code: 201}}, after: 1m}}]}},"
        " expect: {outputs: {call: {status_code: 201}}, takes: 1m30s}"
    )
    assert missed == ()


def test_a_step_that_takes_too_long_runs_out_of_time():
    _, _, missed = played(
        f"{GIVEN}, steps: {{call: {{output: {{}}, after: 10m}}}},"
        " expect: {status: failed, reason: not finished within 300 s, steps: [look, call], takes: 5m}"
    )
    assert missed == ()


def test_nobody_answers_and_what_was_done_is_undone():
    _, _, missed = played(
        f"{GIVEN}, steps: {{call: {{output: {{status_code: 202}}}}, ask: {{answer: nobody}}, prove: {{fails: sick}}}},"
        " expect: {status: undone, steps: [look, call, ask, prove, call.undo], skipped: [tell],"
        ' with: {call.undo: {url: "https://deploy.example/undo/202"}}, takes: 10m}'
    )
    assert missed == ()


def test_an_undo_may_fail_too():
    _, _, missed = played(
        f"{GIVEN}, steps: {{prove: {{fails: sick}}, call.undo: {{fails: gone}}}},"
        " expect: {status: undo_failed, reason: undoing call failed}"
    )
    assert missed == ()


def test_an_answer_of_somebody_who_may_not_give_it_is_no_answer():
    _, _, missed = played(f"{GIVEN}, steps: {{ask: {{answer: approve, by: nobody-known}}}}, expect: {{skipped: []}}")
    (difference,) = missed
    assert (difference.wanted, difference.got) == ("nothing", "tell")
    _, outcome, _ = played(f"{GIVEN}, steps: {{ask: {{answer: approve, by: nobody-known}}}}")
    assert "not one of those who may decide" in outcome.refused[0]


@pytest.mark.parametrize(
    ("expect", "what", "wanted", "got", "detail"),
    [
        ("status: undone", "status", "undone", "failed", "because call: no"),
        ("status: failed, reason: other", "reason", "a reason with 'other'", "'call: no'", ""),
        (
            "status: failed, steps: [look, ask]",
            "steps",
            "look, ask",
            "look, call",
            "after look: expected ask",
        ),
        (
            "status: failed, with: {call: {url: x}}",
            "with of call",
            "url: 'x'",
            "url: 'https://deploy.example/fraud-scoring'",
            "",
        ),
        ("status: failed, outputs: {look: {version: 7}}", "outputs of look", "version: 7", "version: 0", ""),
        ("status: failed, takes: 1h", "takes", "3600 s", "0 s", ""),
    ],
)
def test_a_difference_says_what_was_expected_and_what_came(expect, what, wanted, got, detail):
    _, _, missed = played(f"{GIVEN}, steps: {{call: {{fails: 'no'}}}}, expect: {{{expect}}}")
    (difference,) = missed
    assert (difference.what, difference.wanted, difference.got) == (what, wanted, got)
    assert detail in " ".join(difference.detail)


def test_a_run_that_is_told_too_little_is_refused_with_the_reason():
    _, outcome, missed = played("expect: {status: refused}")
    assert missed == ()
    assert "input service is required" in outcome.reason


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("{name: a, steps: {cal: {output: {}}}}", "rollback.yaml:27:23: error: `rollback` has no step `cal`"),
        ("{name: a, steps: {look.undo: {output: {}}}}", "the step `look` has no `undo`"),
        ("{name: a, steps: {look: {output: {rout: 1}}}}", "`route.get` has no output `rout`"),
        ("{name: a, inputs: {servic: x}}", "`rollback` has no input `servic`"),
        ("{name: a, steps: {look: {}}}", "how the step ends is not said: found none of them"),
        ("{name: a, steps: {look: {fails: x, retry: y}}}", "found more than one of them"),
        ("{name: a, expect: {skipped: [nix]}}", "has no step `nix`"),
        ("{name: a, expect: {status: fine}}", "rollback.yaml:27:32: error"),
        ("{name: a}\n  - {name: a}", "there is a test `a` already, in line 27"),
    ],
)
def test_faults_of_tests_are_told_where_they_are(test, said):
    _, problems = read(f"  - {test}\n")
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_the_shipped_tests_pass_and_go_through_everything(house):
    report = house.home / "reports" / "runbooks.xml"
    said = house("runbook", "test", "--strict", "--junit", str(report))
    assert said.code == 0, said.out
    assert said.out == ""
    assert "0 failed" in said.err
    cases = ET.parse(report).getroot().findall(".//testcase")
    assert {case.get("classname") for case in cases} >= {"route-back", "route-to-fallback"}
    assert not ET.parse(report).getroot().findall(".//failure")


def test_a_test_that_fails_shows_its_steps_and_what_is_in_no_test_is_listed(house):
    path = house.runbooks / "rollback.yaml"
    path.write_text(f"{BOOK}tests:\n  - name: it\n    inputs: {{service: x}}\n    expect: {{status: undone}}\n")
    said = house("runbook", "test", "rollback")
    assert said.code == 1
    assert f"{path}:29: status\n    - expected  undone\n    + got       failed\n" in said.out
    assert "rollback\tprove\ton_failure: undo" in said.out
    told = json.loads(house("runbook", "test", "rollback", "--json").out)
    assert (told["ok"], told["failed"]) == (False, 1)
    assert told["coverage"][0]["missing"][0] == {"step": "look", "what": "is done"}
    path.write_text(BOOK)
    said = house("runbook", "test", "rollback")
    assert said.code == 2
    assert "none of these runbooks has a test" in said.err
