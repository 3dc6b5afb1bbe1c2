"""`fireline test --mutate`: changes each rule in small ways and says which changes none of its tests notices."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fireline.apps.output import err, print_json, say, table
from fireline.apps.rule_test_kit import FAILED, NOT_RUN, PASSED, Asked, Place, in_parallel, kit_of, run_one
from fireline.apps.rule_test_shown import file_of, tell_outcome
from fireline.apps.rule_tests import choose
from fireline.domain.rule_tests import AcceptedMutant, RuleTest
from fireline.domain.rules import Rule
from fireline.engine.rule_tests import first_failure
from fireline.spec.loading import Placed
from fireline.spec.mutants import Mutant, hint, mutants


@dataclass(frozen=True, slots=True)
class MutantPlace:
    """A mutant: the place of its rule among those read, and its own place among the rule's mutants."""

    asked: Asked
    rule: int
    mutant: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: the test that notices it, else the reason why none need to, else None for both."""

    mutant: Mutant
    killed: str | None
    accepted: AcceptedMutant | None

    @property
    def survived(self) -> bool:
        """Whether nothing notices it and nobody says why that is right."""
        return self.killed is None and self.accepted is None


@dataclass(frozen=True, slots=True)
class Mutated:
    """A rule and the fates of its mutants; `stale` are accepted mutants that there are none of."""

    rule: Rule
    fates: tuple[Fate, ...]
    stale: tuple[AcceptedMutant, ...]

    def count(self) -> tuple[int, int, int]:
        """How many were noticed, explained, and neither."""
        killed = sum(fate.killed is not None for fate in self.fates)
        survived = sum(fate.survived for fate in self.fates)
        return killed, len(self.fates) - killed - survived, survived

    @property
    def score(self) -> float | None:
        """The share of mutants that tests notice, of those that they should; None without any."""
        killed, _, survived = self.count()
        return killed / (killed + survived) if killed + survived else None


@cache
def mutants_of(asked: Asked, rule: int) -> tuple[Mutant, ...]:
    """The mutants of a rule, once a process."""
    loaded = kit_of(asked).loaded
    return tuple(mutants(loaded.rules[rule], loaded.known))


def killer(place: MutantPlace) -> str | None:
    """The name of the first test, quick ones before slow ones, that notices a mutant; None when none does."""
    mutant = mutants_of(place.asked, place.rule)[place.mutant]
    bench = kit_of(place.asked).bench
    quick_first = sorted(mutant.rule.tests, key=_events)
    return next((test.name for test in quick_first if first_failure(mutant.rule, test, bench) is not None), None)


def _events(test: RuleTest) -> int:
    return sum(len(series.values) + sum(series.counts) for series in test.series) + len(test.events)


def run(paths: Sequence[Path], *, names: Sequence[str], as_json: bool, jobs: int, rules: Path | None) -> int:
    """Mutate the rules in `paths` (all rules when empty) that have tests; the exit code."""
    mutants_of.cache_clear()
    found = choose(paths, rules, names, as_json=as_json)
    if found is None:
        return NOT_RUN
    chosen = [(what, at, placed) for what, at, placed in found if placed.rule.tests]
    if not chosen:
        say(f"{len(found)} rules, and none has a test: write `tests:` beside a rule", "red", to=err())
        return NOT_RUN
    if not _sound(chosen, jobs, as_json=as_json):
        return FAILED
    began = time.perf_counter()
    mutated = mutate(chosen, jobs, err())
    untested = [placed.rule.name for _, _, placed in found if not placed.rule.tests]
    if as_json:
        print_json(_document(mutated, untested))
    else:
        _tell(mutated, untested, time.perf_counter() - began)
    return FAILED if any(each.count()[2] for each in mutated) else PASSED


def _sound(chosen: Sequence[tuple[Asked, int, Placed]], jobs: int, *, as_json: bool) -> bool:
    """Whether all tests pass on the rules as they are; else what a mutant leads to says nothing."""
    tasks = [(placed.rule, Place(what, at, n)) for what, at, placed in chosen for n in range(len(placed.rule.tests))]
    ran = list(in_parallel(run_one, [task for _, task in tasks], jobs, 4))
    failed = [(rule, one.outcome) for (rule, _), one in zip(tasks, ran, strict=True) if one.outcome.failures]
    words = f"{len(failed)} tests fail on the rules as they are; mend these first"
    if failed and as_json:
        print_json({"ok": False, "problems": [words]})
    for rule, outcome in failed if not as_json else ():
        tell_outcome(rule, outcome, draw_it=False)
    if failed:
        say(words, "red", to=err())
    return not failed


def mutate(chosen: Sequence[tuple[Asked, int, Placed]], jobs: int, console: Console) -> list[Mutated]:
    """The fates of all mutants of some rules. A bar on `console` shows how far it is, if that is a terminal."""
    counts = [(what, at, len(mutants_of(what, at))) for what, at, _ in chosen]
    tasks = [MutantPlace(what, at, n) for what, at, count in counts for n in range(count)]
    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown, auto_refresh=False) as bar:
        progress = bar.add_task("", total=len(tasks))
        killers: list[str | None] = []
        for name in in_parallel(killer, tasks, jobs, 8):
            killers.append(name)
            bar.advance(progress)
            bar.refresh()  # and not by a thread: processes start more quickly without one
    fates = iter(killers)
    return [
        _mutated(placed.rule, mutants_of(what, at), [next(fates) for _ in mutants_of(what, at)])
        for what, at, placed in chosen
    ]


def _mutated(rule: Rule, made: Iterable[Mutant], killers: Iterable[str | None]) -> Mutated:
    fates = [
        Fate(mutant, name, None if name is not None else _accepted(rule, mutant))
        for mutant, name in zip(made, killers, strict=True)
    ]
    used = {fate.accepted for fate in fates}
    return Mutated(rule, tuple(fates), tuple(each for each in rule.accept_mutants if each not in used))


def _accepted(rule: Rule, mutant: Mutant) -> AcceptedMutant | None:
    return next((each for each in rule.accept_mutants if _names(each.mutant, mutant.name)), None)


def _names(pattern: str, name: str) -> bool:
    """Whether a pattern, in which `*` stands for anything, is a mutant's name."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def _tell(mutated: Sequence[Mutated], untested: Sequence[str], took: float) -> None:
    for each in mutated:
        for fate in each.fates:
            if fate.survived:
                _tell_survivor(each.rule, fate.mutant)
    rows = [_row(each) for each in mutated]
    table(["rule", "mutants", "noticed", "explained", "survived", "score"], rows, "no mutants")
    for each in mutated:
        for accepted in each.stale:
            place = f"{file_of(each.rule)}:{accepted.line}"
            words = f"{place}: `{accepted.mutant}` is no mutant of {each.rule.name} that survives; remove it"
            say(words, "yellow", to=err())
    if untested:
        say(f"without tests: {', '.join(untested)}", "yellow", to=err())
    killed, explained, survived = _total(mutated)
    words = (
        f"{killed + explained + survived} mutants of {len(mutated)} rules: {killed} noticed, {explained} explained, "
    )
    share = killed / (killed + survived) if killed + survived else 1.0
    words += f"{survived} survived; score {share:.1%} ({took:.1f} s)"
    say(words, "red" if survived else "green", to=err())


def _total(mutated: Iterable[Mutated]) -> tuple[int, int, int]:
    counts = [each.count() for each in mutated]
    return sum(c[0] for c in counts), sum(c[1] for c in counts), sum(c[2] for c in counts)


def _row(each: Mutated) -> tuple[object, ...]:
    share = each.score
    return each.rule.name, len(each.fates), *each.count(), "-" if share is None else f"{share:.0%}"


def _tell_survivor(rule: Rule, mutant: Mutant) -> None:
    say(f"{file_of(rule)}:{mutant.line}: {rule.name}: no test notices  {mutant.name}", "bold")
    say(f"  - {mutant.was}", "green")
    say(f"  + {mutant.now}", "red")
    say(f"  hint: {hint(mutant)}", "dim")


def _document(mutated: Sequence[Mutated], untested: Sequence[str]) -> Mapping[str, object]:
    """Nothing in it depends on when, where or how fast it was run."""
    killed, explained, survived = _total(mutated)
    return {
        "ok": not survived,
        "mutants": killed + explained + survived,
        "noticed": killed,
        "explained": explained,
        "survived": survived,
        "untested": untested,
        "rules": [_rule(each) for each in mutated],
    }


def _rule(each: Mutated) -> dict[str, object]:
    killed, explained, survived = each.count()
    return {
        "rule": each.rule.name,
        "file": file_of(each.rule),
        "noticed": killed,
        "explained": explained,
        "survived": survived,
        "score": each.score,
        "stale": [accepted.mutant for accepted in each.stale],
        "mutants": [_fate(fate) for fate in each.fates],
    }


def _fate(fate: Fate) -> dict[str, object]:
    return {
        "mutant": fate.mutant.name,
        "kind": fate.mutant.kind,
        "line": fate.mutant.line,
        "was": fate.mutant.was,
        "now": fate.mutant.now,
        "noticed_by": fate.killed,
        "explained_by": None if fate.accepted is None else fate.accepted.reason,
        "hint": hint(fate.mutant) if fate.survived else None,
    }
