"""The report of a back-test as one HTML file: charts and tables, nothing from elsewhere, no script."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fireline.apps.backtest_charts import Series, Strip, bars, columns, lanes
from fireline.apps.backtest_periods import buckets, counted, hours_of_day, shares_of
from fireline.apps.backtest_tables import CHANGES, TOTALS, allowance, label_rows, number, share

Found = Mapping[str, Any]
_LANES = 24
_RULES = 30


def page(found: Found) -> str:
    """The whole page."""
    new, old = found["new"], found.get("old")
    recording = found["recording"]
    parts = [
        _section("What it would have cost", _tiles(new, old)),
        _section("What changes", _changes(found["changes"])) if old is not None else "",
        _section("The noise budget", _budget(new["noise_budget"])) if new["noise_budget"] is not None else "",
        _section("Pages over time", _over_time(found)),
        _section("Incidents and labelled windows", _incidents(found)),
        _section("Rules", _rules(new, old)),
        _section("Who would have been paged", _people(new, old)),
        _section("Labelled windows", _labels(new, old)) if new["labels"] is not None else "",
        _section("Every page", _pages(new["pages"])),
        _section("Runbooks", _runs(new["runs"])) if new["runs"] else "",
        _section("What was read", _recording(recording)),
    ]
    template = Template((Path(__file__).parent / "backtest_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"Back-test: {new['totals']['pages']} pages"),
        about=escape(
            f"{recording['events']:,} events from {_short(recording['first'])} to {_short(recording['last'])}"
        ),
        body="\n".join(part for part in parts if part),
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def _short(at: str | None) -> str:
    return "-" if at is None else f"{at[:10]} {at[11:16]} UTC"


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> str:
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in headers)
    body = "\n".join(_row(row) for row in rows)
    if not body:
        return f"<p>{escape(caption)}: none.</p>"
    words = f"<caption>{escape(caption)}</caption>"
    return f'<div class="wide"><table>{words}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _row(row: Sequence[object]) -> str:
    first, *rest = (escape(str(cell)) for cell in row)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'


def _folded(words: str, body: str) -> str:
    return f"<details><summary>{escape(words)}</summary>\n{body}\n</details>"


def _tiles(new: Found, old: Found | None) -> str:
    tiles = []
    for name, words in TOTALS:
        before = "" if old is None else f'<span class="before">before {old["totals"][name]}</span>'
        tiles.append(f"<li><b>{new['totals'][name]}</b> {escape(words)} {before}</li>")
    return f'<ul class="tiles">{"".join(tiles)}</ul>'


def _changes(changes: Found) -> str:
    tiles = "".join(f"<li><b>{changes['totals'][n]}</b> {escape(words)}</li>" for n, words in CHANGES)
    rows: list[tuple[str, ...]]
    rows = [(p["at"], "added", p["service"], p["person"], p["severity"], p["rule"], "") for p in changes["added"]]
    rows += [(p["at"], "removed", p["service"], p["person"], p["severity"], p["rule"], "") for p in changes["removed"]]
    rows += [_pair(pair) for pair in changes["moved"]]
    rows += [_pair(pair) for pair in changes["severities"] if not pair["minutes_later"]]
    headers = ("at", "change", "service", "person", "severity", "rule", "by")
    return f'<ul class="tiles">{tiles}</ul>' + _table(headers, sorted(rows), "Pages that change")


def _pair(pair: Found) -> tuple[str, ...]:
    old, new, minutes = pair["old"], pair["new"], pair["minutes_later"]
    how = "later" if minutes > 0 else "earlier" if minutes < 0 else "severity"
    severity = new["severity"] if new["severity"] == old["severity"] else f"{old['severity']} → {new['severity']}"
    return (new["at"], how, pair["service"], pair["person"], severity, new["rule"], f"{abs(minutes):g} min")


def _budget(budget: Found) -> str:
    allowed = allowance(budget)
    if not budget["exceeded"]:
        return f'<p class="kept">Kept: {escape(allowed)}.</p>'
    rows = [
        (e["name"], e["stretch"], e["pages"], _short(e["first"]), _short(e["last"]), _counts(e["rules"]))
        for e in budget["exceeded"]
    ]
    table = _table(("person", "stretch", "pages", "first", "last", "rules"), rows, "Where it is exceeded")
    return f'<p class="broken">Exceeded: {escape(allowed)}.</p>{table}'


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _over_time(found: Found) -> str:
    new, old, recording = found["new"], found.get("old"), found["recording"]
    labels, edges, unit = buckets(recording["first"], recording["last"])
    sides = [("old", old)] if old is not None else []
    sides.append(("new", new))
    over = [Series(_said(name, old), name, counted(edges, [p["at"] for p in side["pages"]])) for name, side in sides]
    hours = [Series(_said(name, old), name, hours_of_day(side["pages"])) for name, side in sides]
    words = f"{new['totals']['pages']} pages in {len(labels)} {unit}s"
    clock = [f"{hour:02}" for hour in range(24)]
    night = f"{new['totals']['out_of_hours']} of {new['totals']['pages']} pages out of hours"
    return "".join(
        [
            _legend(old),
            f"<h3>By {unit}</h3>",
            columns(f"Pages by {unit}", words, labels, over),
            _folded("The numbers", _table((unit, *(s.name for s in over)), _filled(labels, over), f"Pages by {unit}")),
            "<h3>By hour of the day, on the clock of the person</h3>",
            columns("Pages by hour of the day", night, clock, hours, 180),
            _folded("The numbers", _table(("hour", *(s.name for s in hours)), _filled(clock, hours), "Pages by hour")),
        ]
    )


def _said(name: str, old: object) -> str:
    return "pages" if old is None else f"{name} rules"


def _filled(labels: Sequence[str], series: Sequence[Series]) -> list[list[object]]:
    rows = [[label, *(f"{s.values[at]:g}" for s in series)] for at, label in enumerate(labels)]
    return [[*row] for row in rows if any(cell != "0" for cell in row[1:])]


def _legend(old: Found | None) -> str:
    if old is None:
        return ""
    return '<p class="legend"><span class="old"></span> old rules <span class="new"></span> new rules</p>'


def _incidents(found: Found) -> str:
    recording, new = found["recording"], found["new"]
    ends = recording["first"], recording["last"]
    strips: dict[str, list[Strip]] = {}
    if new["labels"] is not None:
        for window in new["labels"]["pages"]["each"]:
            words = f"labelled {window['of']} {_short(window['start'])} to {_short(window['end'])}: {window['how']}"
            start, end = shares_of(ends, window["start"], window["end"])
            strips.setdefault("labelled windows", []).append(Strip(start, end, "window", words))
    for incident in new["incidents"]:
        start, end = shares_of(ends, incident["opened"], incident["resolved"])
        words = f"INC-{incident['number']} {incident['severity']} {_short(incident['opened'])}: {incident['title']}"
        style = "new" if incident["pages"] else "quiet"
        strips.setdefault(incident["service"], []).append(Strip(start, end, style, words))
    if not strips:
        return "<p>No incident would have been opened.</p>"
    names = [*(["labelled windows"] if "labelled windows" in strips else [])]
    names += sorted(name for name in strips if name != "labelled windows")[:_LANES]
    words = f"{len(new['incidents'])} incidents of {len(strips) - ('labelled windows' in strips)} services"
    drawn = lanes("Incidents", words, names, [strips[n] for n in names], (_short(ends[0]), _short(ends[1])))
    rows = [
        (
            f"INC-{i['number']}",
            i["service"],
            i["severity"],
            _short(i["opened"]),
            _short(i["resolved"]),
            i["pages"],
            i["title"],
            i["unpaged"],
        )
        for i in new["incidents"]
    ]
    headers = ("incident", "service", "severity", "opened", "resolved", "pages", "title", "why nobody was paged")
    legend = '<p class="legend"><span class="new"></span> paged <span class="quiet"></span> nobody paged'
    legend += ' <span class="window"></span> labelled</p>'
    return legend + drawn + _folded("Every incident", _table(headers, rows, "Incidents under the new rules"))


def _rules(new: Found, old: Found | None) -> str:
    now = {each["rule"]: each for each in new["rules"]}
    before = {each["rule"]: each for each in old["rules"]} if old is not None else {}

    def of(rules: Mapping[str, Found], name: str, what: str) -> float:
        return float(rules[name][what]) if name in rules else 0.0

    names = sorted(
        {*now, *before}, key=lambda n: (-of(now, n, "pages"), -of(before, n, "pages"), -of(now, n, "firings"), n)
    )
    loud = [n for n in names if of(now, n, "pages") or of(before, n, "pages")][:_RULES]
    series = [Series("old rules", "old", [of(before, n, "pages") for n in loud])] if old is not None else []
    series.append(Series(_said("new", old), "new", [of(now, n, "pages") for n in loud]))
    drawn = bars("Pages by rule", f"{len(loud)} rules with pages, of {len(names)}", loud, series) if loud else ""
    columns_ = ("pages", "out_of_hours", "firings", "flaps", "minutes_firing", "signals")
    headers = ["rule", *(["pages before"] if old is not None else []), *(c.replace("_", " ") for c in columns_)]
    scored = new["labels"] is not None
    headers += ["recall", "precision"] if scored else []
    rows = []
    for name in names:
        row: list[object] = [name + (" (shadow)" if name in now and now[name]["shadow"] else "")]
        row += [f"{of(before, name, 'pages'):g}"] if old is not None else []
        row += [f"{of(now, name, what):g}" for what in columns_]
        score = now[name].get("labels") if name in now else None
        row += [share(score["recall"]), share(score["precision"])] if score else ["-", "-"] if scored else []
        rows.append(row)
    return _legend(old) + drawn + _table(headers, rows, "Noise by rule")


def _people(new: Found, old: Found | None) -> str:
    before = {each["person"]: each for each in old["people"]} if old is not None else {}
    now = {each["person"]: each for each in new["people"]}
    names = sorted({*now, *before}, key=lambda p: (-now.get(p, {}).get("pages", 0), p))
    rows = []
    for person in names:
        known = now.get(person) or before[person]
        row = [known["name"], *([before.get(person, {}).get("pages", 0)] if old is not None else [])]
        rows.append([*row, now.get(person, {}).get("pages", 0), now.get(person, {}).get("out_of_hours", 0)])
    headers = ["person", *(["pages before"] if old is not None else []), "pages", "out of hours"]
    return _table(headers, rows, "Pages by person")


def _labels(new: Found, old: Found | None) -> str:
    headers = ("rules", "told by", "windows", "caught", "recall", "alarms", "right", "precision", "minutes to detect")
    rows = label_rows(new, old)
    each = [
        (_short(w["start"]), _short(w["end"]), w["of"], w["how"], number(w["minutes_to_detect"]))
        for w in new["labels"]["pages"]["each"]
    ]
    windows = _table(("from", "to", "of", "by a page", "minutes to detect"), each, "Every window")
    return _table(headers, rows, "How well pages and firings meet the labelled windows") + _folded(
        "Every window", windows
    )


def _pages(pages: Sequence[Found]) -> str:
    rows = [
        (
            p["at"],
            p["local"] + (" (out of hours)" if p["out_of_hours"] else ""),
            p["person"],
            p["severity"],
            p["service"],
            p["rule"],
            p["cause"],
            p["title"],
        )
        for p in pages
    ]
    headers = ("at", "there", "person", "severity", "service", "rule", "incident", "title")
    return _folded(f"{len(rows)} pages", _table(headers, rows, "Pages under the new rules"))


def _runs(runs: Sequence[Found]) -> str:
    rows = [(r["at"], r["runbook"], r["service"], r["outcome"], ", ".join(r["steps"]), r["why"]) for r in runs]
    return _table(("at", "runbook", "service", "it", "steps", "why"), rows, "Runbooks that were asked for")


def _recording(recording: Found) -> str:
    moved = f" All times are moved by {recording['moved_weeks']} weeks." if recording["moved_weeks"] else ""
    said = (
        f"{recording['bad_lines']:,} lines were no events, {recording['late_events']:,} events came too late to count."
    )
    rows = [(f["file"], f["line"], f["reason"]) for f in recording["faults"]]
    faults = _table(("file", "line", "reason"), rows, "Lines that are no events, the first of them") if rows else ""
    return f"<p>{escape(', '.join(recording['files']))}. {said}{moved}</p>{faults}"
