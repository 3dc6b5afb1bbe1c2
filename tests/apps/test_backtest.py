"""`fireline backtest` on hand-made recordings whose pages are known."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO, TextIOWrapper

import pytest

from fireline.apps.backtest import Given, report_of
from fireline.apps.backtest_html import page
from fireline.apps.backtest_play import Asked, play, rules_of
from fireline.apps.backtest_report import document

START = datetime(2026, 3, 28, 20, 0, tzinfo=UTC).timestamp()  # Saturday night; clocks go forward at 01:00 UTC
HOUR = 3600.0

RULES = """
rules:
  - name: slow
    on: metric
    where: {name: latency_ms}
    by: [service]
    window: 1m
    pane: 10s
    measures: {worst: {agg: max, of: value}}
    severity:
      outage: {when: "worst > 2000"}
      degraded: {when: "worst > %s"}
    summary: "{{ service }} <b>answers</b> in {{ measures.worst | int }} ms"
    runbooks: [look]
  - name: errors
    on: metric
    where: {name: errors}
    by: [service]
    window: 1m
    pane: 10s
    measures: {n: {agg: sum, of: value}}
    severity:
      notice: {when: "n > 10"}
"""
CATALOG = """
people:
  ann: {name: Ann Keller, time_zone: Europe/Berlin, contacts: {console: ann}}
  ben: {name: Ben Okafor, time_zone: Europe/London, contacts: {console: ben}}
teams:
  shop: {name: Shop, policy: shop}
services:
  checkout: {owner: shop}
  search: {owner: shop}
"""
ONCALL = """
schedules:
  shop:
    time_zone: Europe/Berlin
    layers:
      - {name: nights, people: [ann, ben], starts: 2026-03-28, at: "06:00", every: 1d}
policies:
  shop:
    levels: [{targets: ["schedule:shop"], wait: 5m}]
"""
SEVERITIES = """
severities:
  outage: {}
  degraded: {}
  notice: {pages: false}
"""
RUNBOOK = """
name: look
owner: shop
reviewed: 2026-01-01
start: {mode: auto}
steps:
  - {id: wait, uses: wait, with: {for: 1s}}
"""


def write(folder, *, bound=800, budget="", rules=RULES):
    (folder / "rules").mkdir(parents=True)
    (folder / "runbooks").mkdir()
    texts = {"rules": rules % bound, "catalog": CATALOG, "oncall": ONCALL, "severities": SEVERITIES + budget}
    for name, text in texts.items():
        (folder / "rules" / f"{name}.yaml").write_text(text)
    (folder / "runbooks" / "look.yaml").write_text(RUNBOOK)
    return folder


def events():
    """Ten hours, a measurement every half a minute: three slow stretches of checkout, one of search."""
    slow = {"checkout": [(2.0, 900), (6.0, 2500), (8.5, 1500)], "search": [(8.5, 700)]}
    for place in range(1200):
        at = START + place * 30
        for service, stretches in slow.items():
            here = [value for hour, value in stretches if 0 <= at - START - hour * HOUR < 120]
            labels = {"service": service}
            yield {"type": "metric", "name": "latency_ms", "ts": at, "value": here[0] if here else 80, "labels": labels}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "night.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events()))
    return path


@pytest.fixture
def home(tmp_path):
    return write(tmp_path / "new")


def given(home, *files, **more):
    return Given(tuple(str(file) for file in files), rules=home / "rules", runbooks=home / "runbooks", **more)


def found(home, *files, **more):
    return document(report_of(given(home, *files, **more)))


def test_pages_of_a_night_in_which_clocks_change(home, recording):
    new = found(home, recording)["new"]
    told = [(p["at"], p["person"], p["severity"], p["out_of_hours"], p["local"]) for p in new["pages"]]
    # 22:00 UTC to ann; her shift ends at 06:00 in Berlin, which is 04:00 UTC that night and not 05:00
    assert told == [
        ("2026-03-28T22:00:10Z", "ann", "degraded", True, "Sat 23:00 Europe/Berlin"),
        ("2026-03-29T02:00:10Z", "ann", "outage", True, "Sun 04:00 Europe/Berlin"),
        ("2026-03-29T04:30:10Z", "ben", "degraded", True, "Sun 05:30 Europe/London"),
    ]
    assert new["totals"] == {
        "rules": 2,
        "signals": 6,
        "firings": 3,
        "flaps": 0,
        "incidents": 3,
        "unpaged_incidents": 0,
        "pages": 3,
        "out_of_hours": 3,
        "people": 2,
        "runs": 3,
    }
    assert [(run["runbook"], run["outcome"], run["steps"]) for run in new["runs"]] == [("look", "runs", ["wait"])] * 3
    slow = next(rule for rule in new["rules"] if rule["rule"] == "slow")
    # a minute and a half and a pane slow, and the rest of a minute until the window is clear
    assert slow["minutes_firing"] == pytest.approx(3 * 2.5, abs=0.1)


def test_old_rules_against_new_ones(home, recording, tmp_path):
    old = write(tmp_path / "old", bound=600)
    changes = found(home, recording, against=old / "rules")["changes"]
    assert changes["totals"] == {
        "added": 0,
        "removed": 1,
        "earlier": 0,
        "later": 0,
        "other_severity": 0,
        "unchanged": 3,
    }
    assert [page["service"] for page in changes["removed"]] == ["search"]
    later = RULES.replace('degraded: {when: "worst > %s"}', 'degraded: {when: "worst > %s", for: 60s}')
    patient = write(tmp_path / "patient", rules=later.replace("worst > 2000", "worst > 2600"))
    changes = found(patient, recording, against=home / "rules")["changes"]
    assert [(p["minutes_later"], p["old"]["severity"], p["new"]["severity"]) for p in changes["moved"]] == [
        (1.0, "degraded", "degraded"),
        (1.0, "outage", "degraded"),
        (1.0, "degraded", "degraded"),
    ]


def test_labelled_windows(home, recording, tmp_path):
    labels = tmp_path / "windows.json"
    windows = [(2.0, 2.5, "checkout"), (5.0, 7.0, "checkout"), (8.5, 9.0, "search")]
    iso = [(datetime.fromtimestamp(START + h * HOUR, UTC).isoformat() for h in window[:2]) for window in windows]
    told = [{"service": w[2], "start": next(s), "end": next(s)} for w, s in zip(windows, iso, strict=True)]
    labels.write_text(json.dumps(told))
    scored = found(home, recording, labels=labels)["new"]["labels"]["pages"]
    assert (scored["windows"], scored["caught"], scored["recall"]) == (3, 2, pytest.approx(2 / 3, abs=1e-4))
    assert (scored["alarms"], scored["right"], scored["precision"]) == (3, 2, pytest.approx(2 / 3, abs=1e-4))
    assert [each["minutes_to_detect"] for each in scored["each"]] == [0.2, 60.2, None]


def test_labels_by_file_as_the_numenta_benchmark_has_them(home, tmp_path):
    stamps = [datetime.fromtimestamp(START + n * 60, UTC) for n in range(120)]
    for name, peak in (("host.csv", 60), ("other.csv", 10)):
        rows = [f"{at:%Y-%m-%d %H:%M:%S},{900 if place == peak else 50}" for place, at in enumerate(stamps)]
        (tmp_path / name).write_text("timestamp,value\n" + "\n".join(rows) + "\nbroken,row\n")
    labels = tmp_path / "labels.json"
    span = [f"{stamps[place]:%Y-%m-%d %H:%M:%S.000000}" for place in (55, 70)]
    labels.write_text(json.dumps({"real/host.csv": [span], "real/other.csv": [span], "real/absent.csv": [span]}))
    files = [tmp_path / "host.csv", tmp_path / "other.csv"]
    result = found(home, *files, labels=labels, names=("host=latency_ms",), csv_labels=("service=checkout",))
    assert result["recording"]["bad_lines"] == 2
    each = result["new"]["labels"]["pages"]["each"]
    assert [(window["of"], window["how"]) for window in each] == [("latency_ms", "caught"), ("other", "missed")]


def test_the_noise_budget_names_person_shift_and_rules(house, recording, tmp_path):
    tight = write(tmp_path / "tight", budget="noise_budget: {pages: 1}")
    said = house("backtest", str(recording), "--rules", str(tight / "rules"), "--runbooks", str(tight / "runbooks"))
    assert said.code == 3
    assert "at most 1 page a person in a shift" in said.out
    assert "Ann Keller: 2 pages in the shift on shop until 2026-03-29 04:00 UTC" in said.out
    assert "(slow 2)" in said.out
    wide = write(tmp_path / "wide", budget="noise_budget: {pages: 2, per: 12h}")
    said = house("backtest", str(recording), "--rules", str(wide / "rules"), "--runbooks", str(wide / "runbooks"))
    assert said.code == 0
    assert "The noise budget is kept" in said.out


def test_lines_that_are_no_events_are_counted_and_shown(house, home, recording, tmp_path):
    path = tmp_path / "torn.ndjson.gz"
    body = recording.read_bytes().replace(b"\n", b"\nnot json\n", 1) + b'\n{"type": "metric"}\n' + b'{"type": "met'
    path.write_bytes(gzip.compress(body))
    said = house("backtest", str(path), "--rules", str(home / "rules"), "--runbooks", str(home / "runbooks"))
    assert said.code == 0
    assert "torn.ndjson.gz:2: found no JSON" in said.err
    assert "2,400 events, 3 lines were no events" in said.err
    path.write_bytes(gzip.compress(body)[:-40])
    said = house("backtest", str(path), "--rules", str(home / "rules"), "--runbooks", str(home / "runbooks"))
    assert said.code == 1
    assert "cannot be read" in said.err


def test_several_files_are_merged_in_the_order_of_time(home, recording, tmp_path):
    lines = recording.read_text().splitlines(keepends=True)
    parts = [tmp_path / name for name in ("a.ndjson", "b.ndjson")]
    for place, part in enumerate(parts):
        part.write_text("".join(lines[place::2]))
    whole, merged = found(home, recording), found(home, *parts)
    assert merged["new"] == whole["new"]
    assert merged["recording"]["events"] == whole["recording"]["events"]


def test_standard_input_is_read(home, recording, monkeypatch):
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(recording.read_bytes())))
    assert found(home, "-")["new"] == found(home, recording)["new"]


def test_only_a_part_of_the_time_and_of_the_rules(home, recording):
    new = found(home, recording, between=("2026-03-29T01:00:00Z", "2026-03-29T03:00:00"), only=("slow",))["new"]
    assert (len(new["pages"]), [rule["rule"] for rule in new["rules"]]) == (1, ["slow"])


def test_moved_by_weeks_todays_schedules_tell(home, recording):
    result = found(home, recording, begin="2026-06-01")
    assert result["recording"]["moved_weeks"] == 10
    assert result["new"]["pages"][0]["at"] == "2026-06-06T22:00:10Z"


def test_office_hours_may_be_a_calendar(home, recording):
    calendar = 'calendars:\n  always: {time_zone: UTC, hours: {mon-sun: "00:00-24:00"}}\n'
    (home / "rules" / "calendars.yaml").write_text(calendar)
    assert found(home, recording, hours="always")["new"]["totals"]["out_of_hours"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "yesterday"], "expected a date"),
        (["--begin", "soon"], "expected a date"),
        (["--label", "x"], "expected key=value"),
        (["--only", "nothing"], "there is no rule 'nothing'"),
        (["--hours", "tea"], "there is no calendar 'tea'"),
        (["--labels", "absent.json"], "absent.json cannot be read"),
        (["--from", "2030-01-01"], "there is no event"),
        (["--html", "absent/report.html"], "the report cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told(house, home, recording, words, said):
    got = house(
        "backtest", str(recording), "--rules", str(home / "rules"), "--runbooks", str(home / "runbooks"), *words
    )
    assert got.code == 1
    assert said in got.err


@pytest.mark.parametrize(
    "content",
    [
        '{"a.csv": 3}',
        '{"a.csv": [[1]]}',
        '[{"start": 2, "end": 1}]',
        '[{"begin": 1}]',
        "7",
        "{",
        '[{"start": true, "end": 2}]',
    ],
)
def test_labels_with_faults_are_told_with_their_place(house, home, recording, tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    got = house(
        "backtest",
        str(recording),
        "--rules",
        str(home / "rules"),
        "--runbooks",
        str(home / "runbooks"),
        "--labels",
        str(tmp_path / "bad.json"),
    )
    assert got.code == 1
    assert "bad.json" in got.err


def test_faults_of_rules_are_told_as_by_check(house, home, recording):
    (home / "rules" / "rules.yaml").write_text((RULES % 1).replace("max", "maxx"))
    got = house("backtest", str(recording), "--rules", str(home / "rules"), "--runbooks", str(home / "runbooks"))
    assert got.code == 1
    assert "there is no measure `maxx`" in got.err


# the same bytes
def told(home, recording, size=4096, **more):
    report = report_of(given(home, recording, **more), size=size)
    return json.dumps(document(report), indent=1), page(document(report))


def test_the_report_does_not_depend_on_batches(home, recording):
    first = told(home, recording)
    assert told(home, recording, size=4096) == first
    assert told(home, recording, size=37) == first


def test_shares_of_the_rules_give_the_signals_of_all(home, recording):
    report = report_of(given(home, recording))
    rules = rules_of(report.new.configuration, ())
    asked = Asked(tuple(report.inputs))
    shares = [play(asked, [[rule]], lambda played: None).signals[0] for rule in rules]
    together = sorted((s for some in shares for s in some), key=lambda s: (s.at, s.rule, s.entity, s.sequence))
    assert together == play(asked, [rules], lambda played: None).signals[0]


def test_another_process_with_another_hash_seed_writes_the_same_bytes(home, recording, tmp_path):
    old = write(tmp_path / "old", bound=600)
    words = [
        str(recording),
        "--rules",
        str(home / "rules"),
        "--runbooks",
        str(home / "runbooks"),
        "--against",
        str(old / "rules"),
    ]
    files = [tmp_path / "report.json", tmp_path / "report.html"]
    command = [
        sys.executable,
        "-m",
        "fireline.apps",
        "backtest",
        *words,
        "--json",
        str(files[0]),
        "--html",
        str(files[1]),
    ]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"}, cwd=tmp_path)
    here = document(report_of(given(home, recording, against=old / "rules")))
    assert json.loads(files[0].read_text()) == here
    assert files[1].read_text() == page(here)
    assert str(tmp_path) not in files[0].read_text() + files[1].read_text()


# the page
class Shape(HTMLParser):
    """Tags that are open, and those that were seen with their attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "line", "rect"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_told_to_those_who_do_not_see_it(home, recording, tmp_path):
    old = write(tmp_path / "old", bound=600)
    text = page(found(home, recording, against=old / "rules"))
    shape = Shape()
    shape.feed(text)
    assert not shape.open
    tags = {tag for tag, _ in shape.seen}
    assert {"svg", "table", "caption", "main", "h1"} <= tags
    assert tags.isdisjoint({"script", "link", "img", "iframe"})
    assert not re.search(r"(src|href)=|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text
    drawings = [attrs for tag, attrs in shape.seen if tag == "svg"]
    assert len(drawings) == 4
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    assert "<b>answers</b>" not in text  # what events and rules say is text
    assert "&lt;b&gt;answers&lt;/b&gt; in 2500 ms" in text


def test_a_browser_shows_it(home, recording, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(found(home, recording)))
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.fail("chromium is needed: apt-get install chromium")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [*words, "--dump-dom", path.as_uri()], check=True, capture_output=True, text=True, timeout=60
    )
    assert "Back-test: 3 pages" in shown.stdout
    assert shown.stdout.count("<svg") == 4


def test_a_quiet_recording_has_a_page_too(home, recording):
    quiet = found(home, recording, between=("2026-03-28T20:00:00Z", "2026-03-28T21:00:00Z"))
    assert quiet["new"]["totals"]["pages"] == 0
    assert "No incident would have been opened." in page(quiet)
