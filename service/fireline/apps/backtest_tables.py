"""The report of a back-test for a terminal: totals, what changed, rules, people, pages, windows, the budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from fireline.apps.output import err, say, table

Found = Mapping[str, Any]
_MOST = 40
"""Rows of a list that are printed; all of them are in the JSON and the HTML report."""

TOTALS = (
    ("incidents", "incidents"),
    ("unpaged_incidents", "of them without a page"),
    ("pages", "pages"),
    ("out_of_hours", "of them out of hours"),
    ("people", "people paged"),
    ("signals", "signals"),
    ("firings", "firings"),
    ("flaps", "of them flaps"),
    ("runs", "runbooks run"),
)
CHANGES = (
    ("added", "added"),
    ("removed", "removed"),
    ("earlier", "earlier"),
    ("later", "later"),
    ("other_severity", "at another severity"),
    ("unchanged", "unchanged"),
)


def tell(found: Found) -> None:
    """Print the report."""
    new, old = found["new"], found.get("old")
    recording = found["recording"]
    moved = f", moved by {recording['moved_weeks']} weeks" if recording["moved_weeks"] else ""
    say(f"{recording['events']:,} events from {recording['first']} to {recording['last']}{moved}", "bold")
    _totals(new, old)
    if old is not None:
        _changes(found["changes"])
    _rules(new, old)
    _people(new, old)
    _labels(new, old)
    _pages(new["pages"])
    _runs(new["runs"])
    _budget(new["noise_budget"])


def _totals(new: Found, old: Found | None) -> None:
    headers = ["", *(["old"] if old is not None else []), "new" if old is not None else "would have been"]
    if old is None:
        rows = [[words, new["totals"][name]] for name, words in TOTALS]
    else:
        rows = [[words, old["totals"][name], new["totals"][name]] for name, words in TOTALS]
    table(headers, rows, "")


def _changes(changes: Found) -> None:
    said = [f"{changes['totals'][name]} {words}" for name, words in CHANGES]
    say(f"\nPages, old to new: {', '.join(said)}", "bold")
    rows = [
        *(("added", p["at"], p["service"], p["person"], p["severity"], p["rule"], "") for p in changes["added"]),
        *(("removed", p["at"], p["service"], p["person"], p["severity"], p["rule"], "") for p in changes["removed"]),
        *(_moved(pair) for pair in changes["moved"]),
        *(_moved(pair) for pair in changes["severities"] if pair["minutes_later"] == 0),
    ]
    rows.sort(key=lambda row: (row[1], row))
    _list(("change", "at", "service", "person", "severity", "rule", "by"), rows)


def _moved(pair: Found) -> tuple[str, ...]:
    old, new = pair["old"], pair["new"]
    minutes = pair["minutes_later"]
    how = "later" if minutes > 0 else "earlier" if minutes < 0 else "severity"
    severity = new["severity"] if old["severity"] == new["severity"] else f"{old['severity']} -> {new['severity']}"
    by = f"{abs(minutes):g} min" if minutes else ""
    return (how, new["at"], pair["service"], pair["person"], severity, new["rule"], by)


def _rules(new: Found, old: Found | None) -> None:
    say("\nRules, the loudest first", "bold")
    before = {each["rule"]: each for each in old["rules"]} if old is not None else {}
    names = ("pages", "out_of_hours", "firings", "flaps", "minutes_firing", "signals")
    headers = ["rule", *(["pages before"] if old is not None else []), *(name.replace("_", " ") for name in names)]
    rows = []
    now = {each["rule"]: each for each in new["rules"]}
    for name in sorted({*now, *before}, key=lambda name: (-_of(now, name, "pages"), -_of(now, name, "firings"), name)):
        cells = [name + (" (shadow)" if now.get(name, {}).get("shadow") else "")]
        cells += [f"{_of(before, name, 'pages'):g}"] if old is not None else []
        rows.append([*cells, *(f"{_of(now, name, each):g}" for each in names)])
    table(headers, rows, "there are no rules")


def _of(rules: Mapping[str, Found], name: str, what: str) -> float:
    return float(rules.get(name, {}).get(what, 0))


def _people(new: Found, old: Found | None) -> None:
    say("\nWho would have been paged", "bold")
    now, before = ({p["person"]: p for p in side["people"]} if side else {} for side in (new, old))
    names = {**{p: each["name"] for p, each in before.items()}, **{p: each["name"] for p, each in now.items()}}
    headers = ["person", *(["pages before"] if old is not None else []), "pages", "out of hours"]
    rows = []
    for person in sorted(names, key=lambda name: (-_of(now, name, "pages"), name)):
        old_pages = [f"{_of(before, person, 'pages'):g}"] if old is not None else []
        rows.append(
            [names[person], *old_pages, f"{_of(now, person, 'pages'):g}", f"{_of(now, person, 'out_of_hours'):g}"]
        )
    table(headers, rows, "nobody")


def label_rows(new: Found, old: Found | None) -> list[tuple[object, ...]]:
    """How well pages and firings meet the labelled windows, a row for each of them and each side."""
    return [
        (
            name,
            what,
            found["windows"],
            found["caught"],
            share(found["recall"]),
            found["alarms"],
            found["right"],
            share(found["precision"]),
            number(found["minutes_to_detect"]),
        )
        for name, side in (("old", old), ("new", new))
        if side is not None
        for what, found in (("pages", side["labels"]["pages"]), ("firings", side["labels"]["firings"]))
    ]


def _labels(new: Found, old: Found | None) -> None:
    if new["labels"] is None:
        return
    say("\nLabelled windows", "bold")
    headers = ("rules", "told by", "windows", "caught", "recall", "alarms", "right", "precision", "min to detect")
    table(headers, label_rows(new, old), "")
    each = [
        (w["start"], w["end"], w["of"] or "-", w["how"], number(w["minutes_to_detect"]))
        for w in new["labels"]["pages"]["each"]
    ]
    _list(("from", "to", "of", "by a page", "min to detect"), each)


def share(value: float | None) -> str:
    """A share for people; `-` of nothing."""
    return "-" if value is None else f"{value:.2f}"


def number(value: float | None) -> str:
    """A number for people; `-` of nothing."""
    return "-" if value is None else f"{value:g}"


def _pages(pages: Sequence[Found]) -> None:
    if not pages:
        return
    say("\nPages", "bold")
    rows = [
        (
            p["at"],
            p["local"],
            "yes" if p["out_of_hours"] else "",
            p["person"],
            p["severity"],
            p["service"],
            p["rule"],
            p["cause"],
        )
        for p in pages
    ]
    _list(("at", "there", "out of hours", "person", "severity", "service", "rule", "incident"), rows)


def _runs(runs: Sequence[Found]) -> None:
    if not runs:
        return
    say("\nRunbooks", "bold")
    rows = [(r["at"], r["runbook"], r["service"], r["outcome"], ", ".join(r["steps"]) or r["why"]) for r in runs]
    _list(("at", "runbook", "service", "it", "steps, or why not"), rows)


def _budget(budget: Found | None) -> None:
    if budget is None:
        return
    allowed = allowance(budget)
    if not budget["exceeded"]:
        say(f"\nThe noise budget is kept: {allowed}", "green")
        return
    say(f"\nThe noise budget is exceeded: {allowed}", "bold red")
    for each in budget["exceeded"]:
        rules = ", ".join(f"{rule} {count}" for rule, count in each["rules"].items())
        stretch = f"in {each['stretch']}, from {each['first']} to {each['last']}"
        say(f"  {each['name']}: {each['pages']} pages {stretch} ({rules})")


def allowance(budget: Found) -> str:
    """What a noise budget allows, for people."""
    pages = f"{budget['pages']} page{'' if budget['pages'] == 1 else 's'}"
    return f"at most {pages} a person in {'a shift' if budget['per'] == 'shift' else budget['per']}"


def _list(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table(headers, rows[:_MOST], "none")
    if len(rows) > _MOST:
        say(f"... and {len(rows) - _MOST} more; --json and --html have them all", "dim", to=err())
