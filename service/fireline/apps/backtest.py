"""`fireline backtest`: recorded events under one or two sets of rules, and what would have come of them, in pages."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import time as wall_time
from pathlib import Path

import orjson
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fireline.apps.backtest_files import BLOCK, STDIN, inputs_of, sizes
from fireline.apps.backtest_html import page
from fireline.apps.backtest_labels import instant_of, read_labels
from fireline.apps.backtest_play import WEEK, Asked, Played, Rulebook, configuration_of, play, play_in, rules_of
from fireline.apps.backtest_report import Report, Side, document, over_budget
from fireline.apps.backtest_tables import tell
from fireline.apps.bootstrap import settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import err, say
from fireline.domain.calendars import Calendar, Span
from fireline.domain.catalog import Person
from fireline.domain.configuration import Configuration
from fireline.domain.hindsight import Outcome
from fireline.domain.rules import Rule, Signal
from fireline.engine.hindsight import Hindsight

OVER_BUDGET = 3
_JSON = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says."""

    events: tuple[str, ...]
    rules: Path | None = None
    against: Path | None = None
    runbooks: Path | None = None
    against_runbooks: Path | None = None
    labels: Path | None = None
    between: tuple[str | None, str | None] = (None, None)
    begin: str | None = None
    only: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    csv_labels: tuple[str, ...] = ()
    hours: str | None = None
    as_json: Path | None = None
    html: Path | None = None
    jobs: int = 1


def run(given: Given) -> int:
    """Try the rules and tell what would have been; 3 when the noise budget is exceeded. Raises what `told` knows."""
    began = time.perf_counter()
    report = report_of(given)
    found = document(report)
    _write(given, found)
    if given.as_json is None or given.as_json.name != STDIN:
        tell(found)
    took = time.perf_counter() - began
    played = report.played
    for file, bad in played.heard.told:
        say(f"{file}:{bad.line}: {bad.reason}", "yellow", to=err())
    rate = f"{played.events / took:,.0f} events/s" if took > 0 else ""
    say(f"{played.events:,} events, {played.heard.bad:,} lines were no events; {took:.1f} s, {rate}", "dim", to=err())
    return OVER_BUDGET if over_budget(found) else 0


def report_of(given: Given, size: int = BLOCK) -> Report:
    """Read and judge, so many events at a time; raises Refused and BrokenFiles."""
    books = _books(given)
    inputs = inputs_of(given.events, given.names)
    windows = None if given.labels is None else read_labels(given.labels, inputs)
    asked = Asked(tuple(inputs), _pairs(given.csv_labels), _between(given.between), size, _begin(given.begin))
    configurations = [configuration_of(book) for book in books]
    rules = [rules_of(configuration, given.only) for configuration in configurations]
    _check_only(given.only, rules)
    hours = [_hours(configuration, given.hours) for configuration in configurations[:1]] * len(books)
    played = _played(given, asked, books, rules)
    if played.first is None:
        raise Refused("there is no event in what was read, so nothing can be said of rules")
    sides = [
        Side(configuration, some, _hindsight(configuration, own, signals, played.last or 0.0))
        for configuration, some, own, signals in zip(configurations, rules, hours, played.signals, strict=True)
    ]
    moved = None if windows is None else [window.later(played.weeks * WEEK) for window in windows]
    return Report(inputs, played, sides[0], sides[1] if len(sides) > 1 else None, moved)


def _books(given: Given) -> list[Rulebook]:
    settings = settings_with(given.rules, given.runbooks)
    new = Rulebook(settings.rules, settings.runbooks, given.only)
    if given.against is None:
        return [new]
    return [new, Rulebook(given.against, given.against_runbooks or settings.runbooks, given.only)]


def _check_only(only: Sequence[str], rules: Sequence[Sequence[Rule]]) -> None:
    known = {rule.name for some in rules for rule in some}
    for name in only:
        if name not in known:
            raise Refused(f"there is no rule {name!r}")


def _pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found = [text.partition("=") for text in texts]
    for text, (key, equals, _) in zip(texts, found, strict=True):
        if not key or not equals:
            raise Refused(f"found --label {text!r}; expected key=value")
    return tuple((key, value) for key, _, value in found)


def _begin(text: str | None) -> float | None:
    at = None if text is None else instant_of(text)
    if text is not None and at is None:
        raise Refused(f"found --begin {text!r}; expected a date such as 2026-03-02")
    return at


def _between(texts: tuple[str | None, str | None]) -> tuple[float, float]:
    ends = []
    for name, text, otherwise in zip(("from", "to"), texts, (float("-inf"), float("inf")), strict=True):
        at = otherwise if text is None else instant_of(text)
        if at is None:
            raise Refused(f"found --{name} {text!r}; expected a date, or a time such as 2026-03-01T08:00:00+01:00")
        ends.append(at)
    return ends[0], ends[1]


def _hours(configuration: Configuration, name: str | None) -> Callable[[Person], Calendar]:
    """The office hours of a person: a calendar of that name, else Monday to Friday, 09 to 18 where the person is."""
    if name is not None:
        calendar = configuration.calendars.get(name)
        if calendar is None:
            known = ", ".join(sorted(configuration.calendars)) or "none"
            raise Refused(f"there is no calendar {name!r} in calendars.yaml; known are {known}")
        return lambda person: calendar
    spans = tuple(Span(day, wall_time(9), wall_time(18)) for day in range(5))
    return lambda person: Calendar("office hours", person.time_zone, spans)


def _played(given: Given, asked: Asked, books: Sequence[Rulebook], rules: Sequence[Sequence[Rule]]) -> Played:
    if given.jobs > 1 and STDIN not in given.events:
        with err().status(f"Trying {sum(map(len, rules))} rules in {given.jobs} processes"):
            return play_in(given.jobs, asked, books)
    with ExitStack() as stack:
        return play(asked, rules, _bar(asked, stack))


def _bar(asked: Asked, stack: ExitStack) -> Callable[[Played], None]:
    """A bar on a terminal, by the bytes read; in a pipe nothing."""
    console = err()
    if not console.is_terminal:
        return lambda played: None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = bar.add_task("Playing", total=sizes(asked.inputs) or None)

    def show(played: Played) -> None:
        text = f"{played.events:,} events"
        bar.update(task, completed=sum(played.heard.read.values()), description=text)

    return show


def _hindsight(
    configuration: Configuration, hours: Callable[[Person], Calendar], signals: list[Signal], end: float
) -> Outcome:
    fold = Hindsight(configuration, hours)
    for signal in signals:
        fold.take(signal)
    fold.pass_until(end)
    return fold.outcome()


def _write(given: Given, found: dict[str, object]) -> None:
    try:
        if given.as_json is not None:
            written = orjson.dumps(found, option=_JSON)
            if given.as_json.name == STDIN:
                sys.stdout.write(written.decode())
            else:
                given.as_json.write_bytes(written)
        if given.html is not None:
            given.html.write_text(page(found), encoding="utf-8", newline="\n")
    except OSError as fault:
        raise Refused(f"the report cannot be written: {fault}") from fault
