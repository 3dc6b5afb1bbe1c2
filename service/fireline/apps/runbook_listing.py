"""The work behind `fireline runbook ls`, `show` and `check`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from rich.text import Text

from fireline.adapters.clock import SystemClock
from fireline.apps import checking
from fireline.apps.bootstrap import settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import out, print_json, say, table
from fireline.apps.runbook_files import NOT_DONE, file_of, named, read
from fireline.domain.configuration import Configuration
from fireline.domain.durations import written
from fireline.domain.reviews import day_of, due, overdue
from fireline.domain.runbook_steps import entries
from fireline.domain.runbooks import BlastRadius, Input, OnFailure, Runbook, Step
from fireline.engine.guarding import limit_of


def ls(rules: Path | None, runbooks: Path | None, *, as_json: bool) -> int:
    """All runbooks, by name."""
    found = read(rules, runbooks, as_json=as_json)
    if found is None:
        return NOT_DONE
    settings, configuration = found
    today = day_of(SystemClock().now())
    books = [configuration.runbooks[name] for name in sorted(configuration.runbooks)]
    if as_json:
        print_json([_summary(book, configuration, today) for book in books])
        return 0
    rows = [
        (
            book.name,
            book.owner,
            book.mode.value,
            len(book.steps),
            ", ".join(_required(book)) or "-",
            ", ".join(_askers(book, configuration)) or "-",
            _review(book, today),
        )
        for book in books
    ]
    headers = ("runbook", "owner", "mode", "steps", "must be told", "asked for by", "review")
    table(headers, rows, f"There is no runbook in {settings.runbooks}.")
    return 0


def show(name: str, rules: Path | None, runbooks: Path | None, *, as_json: bool) -> int:
    """One runbook; raises Refused where there is none of this name."""
    found = read(rules, runbooks, as_json=as_json)
    if found is None:
        return NOT_DONE
    settings, configuration = found
    book, today = named(configuration, name), day_of(SystemClock().now())
    file = file_of(book, configuration, settings.runbooks)
    if as_json:
        print_json({**_summary(book, configuration, today), "file": file, **_document(book)})
        return 0
    say(f"{book.name} ({file})", "bold")
    if book.description:
        say(book.description)
    say("")
    for label, text in _facts(book, configuration, today):
        out().print(Text(f"{label:<14}", style="dim") + Text(text))
    say("")
    say("Inputs", "bold")
    rows = [(i.name, i.type, _default(i), ", ".join(map(str, i.choices)) or "-") for i in book.inputs]
    table(("input", "type", "default", "one of"), rows, "It has none.")
    say("")
    say("Steps", "bold")
    table(("step", "uses", "if", "when it fails", "undone by"), [_row(*each) for each in entries(book)], "It has none.")
    return 0


def check(path: Path | None, rules: Path | None, runbooks: Path | None, *, as_json: bool, strict: bool) -> int:
    """Check the runbooks, or those of `path`; raises Refused for a path that is not there."""
    place = path or settings_with(rules, runbooks).runbooks
    if not place.exists():
        raise Refused(f"there is no file {str(place)!r}; --runbooks or FIRELINE_RUNBOOKS says where runbooks are")
    form = "json" if as_json else "text"
    files = sorted(p for p in place.rglob("*") if p.suffix in {".yaml", ".yml"}) if place.is_dir() else [place]
    return checking.run(files, rules=rules, runbooks=runbooks, form=form, strict=strict)


def _required(book: Runbook) -> list[str]:
    return [parameter.name for parameter in book.inputs if parameter.default is None]


def _askers(book: Runbook, configuration: Configuration) -> list[str]:
    return sorted(rule.name for rule in configuration.rules.values() if book.name in rule.runbooks)


def _review(book: Runbook, today: date) -> str:
    last, late = due(book.reviewed, book.review_every), overdue(book.reviewed, book.review_every, today)
    if last is None:
        return book.reviewed or "never"
    return f"overdue by {late} d" if late else f"until {last.isoformat()}"


def _facts(book: Runbook, configuration: Configuration, today: date) -> Iterator[tuple[str, str]]:
    when = f" when {book.start_when.source}" if book.start_when is not None else ""
    yield "owner", book.owner
    yield "asked for by", ", ".join(_askers(book, configuration)) or "no rule: a person starts it"
    yield "may go alone", f"{book.mode.value}{when}; policy may allow less"
    yield "lock", str(book.lock.source) if book.lock is not None else "none: several runs may act at once"
    yield "budget", f"{book.budget.runs} runs in {written(book.budget.per)}" if book.budget is not None else "none"
    yield "cooldown", written(book.cooldown) if book.cooldown else "none"
    swings = limit_of(book, configuration)
    yield "oscillation", f"at most {swings.reversals - 1} times a target is taken back in {written(swings.per)}"
    yield "blast radius", _blast_radius(book.blast_radius)
    yield "stops if", book.stop_if.source if book.stop_if is not None else "nothing"
    yield "deadline", written(book.deadline)
    yield "review", f"{book.reviewed or 'never'}, {_review(book, today)}"


def _blast_radius(limit: BlastRadius | None) -> str:
    if limit is None:
        return "not limited"
    parts = (("targets", limit.targets), ("services", limit.services), ("% off a primary", limit.share))
    told = ", ".join(f"{most} {name}" for name, most in parts if most is not None)
    return f"at most {told}; beyond, it {'asks' if limit.asks else 'is refused'}"


def _default(parameter: Input) -> str:
    return "must be given" if parameter.default is None else str(parameter.default.source)


def _row(name: str, step: Step) -> Sequence[object]:
    undo = "irreversible" if step.irreversible else "-" if step.undo is None else step.undo.uses
    fails = step.on_failure.value if step.on_failure is not OnFailure.STOP else "stop"
    return name, step.uses, step.if_.source if step.if_ is not None else "-", fails, undo


def _summary(book: Runbook, configuration: Configuration, today: date) -> Mapping[str, object]:
    last = due(book.reviewed, book.review_every)
    return {
        "name": book.name,
        "owner": book.owner,
        "description": book.description,
        "mode": book.mode.value,
        "start_when": None if book.start_when is None else book.start_when.source,
        "asked_for_by": _askers(book, configuration),
        "required_inputs": _required(book),
        "reviewed": book.reviewed,
        "review_until": None if last is None else last.isoformat(),
        "overdue_days": overdue(book.reviewed, book.review_every, today),
        "hash": book.hash,
    }


def _document(book: Runbook) -> Mapping[str, object]:
    return {
        "inputs": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "default": None if parameter.default is None else parameter.default.source,
                "choices": list(parameter.choices),
            }
            for parameter in book.inputs
        ],
        "guards": {
            "lock": None if book.lock is None else book.lock.source,
            "budget": None if book.budget is None else {"runs": book.budget.runs, "per_seconds": book.budget.per},
            "cooldown_seconds": book.cooldown,
            "oscillation": None if book.oscillation is None else asdict(book.oscillation),
            "blast_radius": None if book.blast_radius is None else asdict(book.blast_radius),
            "stop_if": None if book.stop_if is None else book.stop_if.source,
            "deadline_seconds": book.deadline,
        },
        "steps": [_step(*each) for each in entries(book)],
    }


def _step(name: str, step: Step) -> Mapping[str, object]:
    return {
        "id": name,
        "uses": step.uses,
        "with": step.with_.source,
        "if": None if step.if_ is None else step.if_.source,
        "on_failure": step.on_failure.value,
        "undo": None if step.undo is None else {"uses": step.undo.uses, "with": step.undo.with_.source},
        "irreversible": step.irreversible,
        "timeout_seconds": step.timeout,
    }
