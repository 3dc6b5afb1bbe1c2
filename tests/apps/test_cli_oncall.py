"""`fireline oncall`: calendar, gaps, fairness, overrides and swaps, iCalendar."""

import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar
from rich.console import Console

from fireline.apps.oncall_calendar import draw
from fireline.apps.oncall_ical import Wanted, calendar
from fireline.domain.catalog import Catalog
from fireline.domain.roster import Change, with_changes
from fireline.domain.rota import shifts
from tests.apps.test_cli_commands import rows
from tests.engine.test_roster import BERLIN, CATALOG, SCHEDULES, at


def test_an_override_is_seen_by_every_command_and_taken_back(house):
    start = datetime.now(UTC) + timedelta(days=2)
    end = start + timedelta(hours=4)
    said = house(
        "oncall", "override", "payments-ml", "cleo", "--from", start.isoformat(), "--until", "4h",
        "--reason", "dentist", "--as", "ann",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "cleo is on call on payments-ml" in said.out
    assert "told: cleo" in said.out
    within = (start + timedelta(hours=1)).isoformat()
    now = json.loads(house("oncall", "now", "--at", within, "--json").out)
    first = next(row for row in now if row["service"] == "fraud-scoring" and row["level"] == 1)
    assert (first["person"], first["because"]) == ("cleo", "schedule payments-ml, override 1 by ann: dentist")
    shown = rows(house("oncall", "show", "payments-ml").out)
    assert any(row["because"] == "override 1 by ann: dentist" for row in shown)
    (listed,) = rows(house("oncall", "overrides").out)
    assert (listed["person"], listed["by"], listed["state"]) == ("cleo", "ann", "stands")
    assert house("oncall", "withdraw", "1", "--as", "ben").code == 0
    after = json.loads(house("oncall", "now", "--at", within, "--json").out)
    assert all("override" not in row["because"] for row in after)
    (kept,) = json.loads(house("oncall", "overrides", "--all", "--json").out)
    assert (kept["withdrawn_by"], kept["until"]) == ("ben", pytest.approx(end.timestamp()))
    assert house("oncall", "overrides").out == ""


def test_a_page_goes_to_whom_an_override_names_and_says_so(house):
    before = json.loads(house("oncall", "now", "--json").out)
    usual = next(row["person"] for row in before if row["service"] == "fraud-scoring" and row["level"] == 1)
    other = "cleo" if usual != "cleo" else "ann"
    house("oncall", "override", "payments-ml", other, "--until", "4h", "--reason", "dentist", "--as", "ann")
    page = house.incident().pages[0]
    assert (page.person, page.why.source) == (other, "override 1 by ann: dentist")
    assert page.why.next_person == usual


def test_a_swap_trades_shifts(house):
    soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    words = ["oncall", "swap", "payments-ml", "ann", "ben", "--shift", soon, "--reason", "wedding", "--as", "ann"]
    told = json.loads(house(*words, "--json").out)
    assert [change["person"] for change in told["overrides"]] == ["ben", "ann"]
    assert [change["swap_with"] for change in told["overrides"]] == [2, 1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["override", "nothing", "ann", "--until", "4h", "--reason", "x", "--as", "ann"], "payments-ml"),
        (["override", "payments-ml", "zoe", "--until", "4h", "--reason", "x", "--as", "ann"], "ann, ben"),
        (["override", "payments-ml", "ben", "--until", "soon", "--reason", "x", "--as", "ann"], "RFC 3339"),
        (["override", "payments-ml", "ben", "--until", "4h", "--reason", "x", "--as", "zoe"], "--as PERSON"),
        (["withdraw", "7", "--as", "ann"], "no override 7"),
        (["fairness", "--from", "2026-02-01", "--until", "2026-01-01"], "not after its start"),
        (["ical", "nothing"], "payments-ml"),
    ],
)
def test_what_cannot_be_is_told(house, words, expected):
    said = house("oncall", *words)
    assert said.code != 0
    assert expected in said.err


def test_gaps_are_told_as_instants_and_as_wall_time(house):
    assert "Somebody is on call at every instant" in house("oncall", "gaps").err
    path = house.home / "rules" / "oncall.yaml"
    path.write_text(path.read_text().replace("starts: 2026-01-05", "starts: 2099-01-05", 1))
    (gap,) = json.loads(house("oncall", "gaps", "payments-ml", "--days", "30", "--json").out)
    assert gap["hours"] > 100
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", gap["from"])


def test_fairness_compares_hours_and_pages(house):
    house.incident()
    told = json.loads(house("oncall", "fairness", "payments-ml", "--json").out)
    people = {row["person"]: row for row in told["people"]}
    assert sum(row["share"] for row in people.values()) == pytest.approx(1, abs=0.01)
    assert all(row["nights"] == pytest.approx(row["hours"] / 3, rel=0.05) for row in people.values())
    assert sum(row["pages"] for row in people.values()) == 1
    assert "by the files as they are now" in house("oncall", "fairness").err


def test_a_calendar_is_written_for_other_programs(house):
    text = house("oncall", "ical", "payments-ml", "--days", "60", "-o", "out.ics")
    assert text.code == 0
    written = (house.home / "out.ics").read_bytes() if (house.home / "out.ics").exists() else None
    assert written is not None
    events = Calendar.from_ical(written).walk("VEVENT")
    assert len(events) > 10
    assert "/calendars/payments-ml.ics" in house("oncall", "ical", "payments-ml", "--url").out


def test_a_picture_of_the_calendar_is_written(house):
    said = house("oncall", "show", "payments-ml", "--from", "2026-12-21", "--days", "14", "--svg", "cal.svg")
    assert said.code == 0
    assert "W52" in (house.home / "cal.svg").read_text().replace("&#160;", " ")


# what they print and write, looked at alone

CHANGES = [
    Change(1, "web", "ben", at(2026, 3, 24, 18), at(2026, 3, 25, 9), "dentist, and\nmore " + "x" * 100, "ann", 0.0)
]
ONCALL = with_changes(SCHEDULES, CHANGES)


def test_an_icalendar_object_says_what_the_schedule_says_and_its_lines_are_folded():
    wanted = Wanted(datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    text = calendar([ONCALL.schedules["web"]], CATALOG, wanted, at(2026, 3, 20))
    assert max(len(line) for line in text.split(b"\r\n")) <= 75
    assert b"\n" not in text.replace(b"\r\n", b"")
    events = Calendar.from_ical(text).walk("VEVENT")
    found = [(e["dtstart"].dt, e["dtend"].dt, str(e["summary"])) for e in events]
    expected = [
        (s.start, s.end, f"{(s.person or '').title()} on call: web")
        for s in shifts(ONCALL.schedules["web"], wanted.start, wanted.end)
    ]
    assert found == expected
    assert all(start.tzinfo is not None and start.utcoffset() == timedelta(0) for start, _, _ in found)
    assert len({str(e["uid"]) for e in events}) == len(events)
    later = calendar([ONCALL.schedules["web"]], CATALOG, wanted, at(2026, 3, 21))
    assert [str(e["uid"]) for e in Calendar.from_ical(later).walk("VEVENT")] == [str(e["uid"]) for e in events]
    assert "dentist, and" in str(events[2]["description"])


def test_one_persons_shifts_alone():
    wanted = Wanted(datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), "cleo")
    text = calendar([ONCALL.schedules["web"]], Catalog({}, {}, {}, ()), wanted, at(2026, 3, 20))
    assert {str(e["summary"]) for e in Calendar.from_ical(text).walk("VEVENT")} == {"cleo on call: web"}


def test_the_calendar_has_a_row_a_week_names_in_days_and_marks():
    schedule = ONCALL.schedules["web"]
    console = Console(width=120, record=True, file=io.StringIO(), force_terminal=True)
    draw(console, schedule, datetime(2026, 3, 23).date(), datetime(2026, 4, 6).date(), now=at(2026, 3, 24))
    text = console.export_text()
    assert "web, times of Europe/Berlin" in text
    assert text.index("23 Mar") < text.index("30 Mar")
    assert "18:00 ben*" in text
    assert re.search(r"█ ann \d+ h", text)
    assert "NOBODY" not in text


def test_the_calendar_says_where_nobody_is():
    console = Console(width=120, record=True, file=io.StringIO(), force_terminal=True)
    draw(console, SCHEDULES.schedules["web"], datetime(2026, 1, 1).date(), datetime(2026, 1, 8).date(), now=0.0)
    text = console.export_text()
    assert "NOBODY" in text
    assert "! nobody from Thu 01 Jan 00:00 until Mon 05 Jan 09:00 (2025-12-31 23:00 to 2026-01-05 08:00 UTC)" in text
    assert BERLIN.key in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_calendar_fits_terminals_of_any_width(width):
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    draw(console, ONCALL.schedules["web"], datetime(2026, 3, 23).date(), datetime(2026, 3, 30).date(), now=0.0)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    (bar,) = [line for line in text.splitlines() if line.startswith("W13")]
    assert bar.count("█") + bar.count("▄") == 7 * {60: 4, 80: 8, 200: 12}[width]
