"""What tests of rules are run with, and the processes that run them.

Rules hold compiled conditions, which do not travel between processes; so each process reads the files itself, and
what travels are places in their list, and outcomes.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from fireline.apps.bootstrap import plugins, settings_with
from fireline.apps.faults import Refused
from fireline.domain.configuration import Problem
from fireline.domain.rule_tests import RuleTest
from fireline.domain.rules import Rule
from fireline.engine.rule_tests import Bench, Outcome, run
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.findings import suggestion
from fireline.spec.loading import Placed, RulesAlone, load_rules

PASSED, FAILED, NOT_RUN = 0, 1, 2
"""Exit codes of `fireline test`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The files that are to be tested, and the directory whose severities hold."""

    paths: tuple[Path, ...]
    rules: Path


@dataclass(frozen=True, slots=True)
class Kit:
    """Rules that were read for their tests."""

    asked: Asked
    loaded: RulesAlone
    bench: Bench

    @property
    def errors(self) -> list[Problem]:
        """What is wrong with the files."""
        return [problem for problem in self.loaded.problems if problem.severity == "error"]

    def chosen(self, names: Sequence[str]) -> list[tuple[int, Placed]]:
        """The rules of these names (of all, when there are none) with their places; raises Refused for others."""
        known = [placed.rule.name for placed in self.loaded.rules]
        for name in names:
            if name not in known:
                raise Refused(f"there is no rule {name!r} in these files; {suggestion(name, known)}")
        return [(n, placed) for n, placed in enumerate(self.loaded.rules) if not names or placed.rule.name in names]


def asked(paths: Sequence[Path], rules: Path | None) -> Asked:
    """What a command line asks for; raises Refused for paths that are not there."""
    directory = settings_with(rules).rules
    for path in paths or (directory,):
        if not path.exists():
            raise Refused(f"there is no {path}")
    return Asked(tuple(paths) or (directory,), directory)


@cache
def kit_of(what: Asked) -> Kit:
    """Read the files, once a process."""
    loaded = load_rules(what.paths, what.rules, plugins())
    severities = {severity.name: severity for severity in loaded.known.severities or ()}
    return Kit(what, loaded, Bench(FAMILIES, Native(), severities, loaded.response))


@dataclass(frozen=True, slots=True)
class Ran:
    """A test that was run, and how long that took (seconds of work)."""

    outcome: Outcome
    took: float


@dataclass(frozen=True, slots=True)
class Place:
    """A test: the place of its rule among those read, and its own place in it."""

    asked: Asked
    rule: int
    test: int


def found(place: Place) -> tuple[Rule, RuleTest]:
    """The rule and the test at a place."""
    rule = kit_of(place.asked).loaded.rules[place.rule].rule
    return rule, rule.tests[place.test]


def run_one(place: Place) -> Ran:
    """Run one test."""
    rule, test = found(place)
    began = time.process_time()
    outcome = run(rule, test, kit_of(place.asked).bench)
    return Ran(outcome, time.process_time() - began)


_Task = TypeVar("_Task")
_Done = TypeVar("_Done")
_FEW = 4
"""Fewer tasks than these are done faster than a process starts."""


def processes(jobs: int, tasks: int) -> int:
    """How many processes do so many tasks; 1 means this one alone."""
    wanted = jobs or os.cpu_count() or 1
    return 1 if tasks < _FEW else min(wanted, tasks)


def _method() -> str:
    """How processes are started: quickly where that is safe, which it is not beside threads."""
    forks = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    return "fork" if forks else "spawn"


def in_parallel(work: Callable[[_Task], _Done], tasks: Sequence[_Task], jobs: int, size: int = 1) -> Iterator[_Done]:
    """What becomes of each task, in their order whoever does them. `work` is a function of a module."""
    count = processes(jobs, len(tasks))
    if count == 1:
        yield from map(work, tasks)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context(_method())) as pool:
        try:
            yield from pool.map(work, tasks, chunksize=size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
