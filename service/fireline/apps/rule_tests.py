"""`fireline test`: runs the tests of rules in parallel and tells what came of them."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fireline.apps import rule_test_junit
from fireline.apps.faults import Refused
from fireline.apps.output import err, print_json, say
from fireline.apps.rule_test_kit import (
    FAILED,
    NOT_RUN,
    PASSED,
    Asked,
    Place,
    Ran,
    asked,
    found,
    in_parallel,
    kit_of,
    processes,
    run_one,
)
from fireline.apps.rule_test_shown import file_of, tell_outcome
from fireline.domain.rules import Rule, Signal
from fireline.engine.rule_tests import Outcome
from fireline.spec.loading import Placed


def run(
    paths: Sequence[Path],
    *,
    names: Sequence[str],
    verbose: bool,
    as_json: bool,
    junit: Path | None,
    jobs: int,
    rules: Path | None,
) -> int:
    """Run the tests of the rules in `paths` (all rules when empty); the exit code."""
    chosen = choose(paths, rules, names, as_json=as_json)
    if chosen is None:
        return NOT_RUN
    tasks = [Place(what, at, n) for what, at, placed in chosen for n in range(len(placed.rule.tests))]
    untested = [placed.rule.name for _, _, placed in chosen if not placed.rule.tests]
    if not tasks:
        say(f"{len(chosen)} rules, and none has a test: write `tests:` beside a rule", "red", to=err())
        return NOT_RUN
    began = time.perf_counter()
    ran = list(zip((found(task)[0] for task in tasks), in_parallel(run_one, tasks, jobs, 4), strict=True))
    took = time.perf_counter() - began
    if junit is not None:
        rule_test_junit.write(junit, ran)
    failed = sum(bool(each.outcome.failures) for _, each in ran)
    if as_json:
        print_json(_document(ran, untested))
    else:
        _tell(ran, untested, verbose=verbose)
        words = f"{len(ran)} tests of {len(chosen) - len(untested)} rules: {len(ran) - failed} passed, {failed} failed"
        many = processes(jobs, len(tasks))
        told = f" ({took:.2f} s" + (f", {many} processes)" if many > 1 else ")")
        say(words + told, "red" if failed else "green", to=err())
    return FAILED if failed else PASSED


def choose(
    paths: Sequence[Path], rules: Path | None, names: Sequence[str], *, as_json: bool
) -> list[tuple[Asked, int, Placed]] | None:
    """The rules that are asked for, each with its place; None when there are none, which was told why."""
    kit_of.cache_clear()  # what an earlier command of this process read may have changed
    try:
        kit = kit_of(asked(paths, rules))
        chosen = [(kit.asked, at, placed) for at, placed in kit.chosen(names)]
    except Refused as fault:
        faults = [str(fault)]
    else:
        if not kit.errors:
            return chosen
        faults = [*map(str, kit.errors), f"{len(kit.errors)} errors; nothing was run"]
    if as_json:
        print_json({"ok": False, "problems": faults})
    for text in faults:
        say(text, "red", to=err())
    return None


def _tell(ran: Sequence[tuple[Rule, Ran]], untested: Sequence[str], *, verbose: bool) -> None:
    for rule, each in ran:
        if each.outcome.failures or verbose:
            tell_outcome(rule, each.outcome, draw_it=verbose)
    if untested:
        say(f"without tests: {', '.join(untested)}", "yellow", to=err())


def _document(ran: Sequence[tuple[Rule, Ran]], untested: Sequence[str]) -> Mapping[str, object]:
    """Nothing in it depends on when, where or how fast it was run."""
    tests = [_test(rule, each.outcome) for rule, each in ran]
    failed = sum(not test["passed"] for test in tests)
    return {"ok": not failed, "passed": len(tests) - failed, "failed": failed, "untested": untested, "tests": tests}


def _test(rule: Rule, outcome: Outcome) -> dict[str, object]:
    return {
        "rule": rule.name,
        "test": outcome.test.name,
        "file": file_of(rule),
        "line": outcome.test.line,
        "passed": not outcome.failures,
        "failures": [
            {
                "line": failure.line,
                "what": failure.what,
                "at": failure.at,
                "entity": failure.entity,
                "expected": failure.wanted,
                "got": failure.got,
                "detail": list(failure.detail),
            }
            for failure in outcome.failures
        ],
        "signals": [_signal(outcome, signal) for signal in outcome.signals],
    }


def _signal(outcome: Outcome, signal: Signal) -> dict[str, object]:
    return {
        "at": round(signal.at - outcome.test.start, 6),
        "state": signal.state.value,
        "severity": signal.severity,
        "entity": dict(signal.entity),
        "summary": signal.summary,
        "reason": signal.evidence.reason,
        "measures": dict(signal.evidence.measures),
        "samples": signal.evidence.samples,
    }
