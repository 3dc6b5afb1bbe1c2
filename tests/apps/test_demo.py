import copy
import dataclasses
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from fireline.adapters.clock import SystemClock
from fireline.apps import demo
from fireline.apps.demo_director import Director, Pace
from fireline.apps.demo_home import Home, hasten, lived_in_alone, on_call, read, settle_in
from fireline.apps.demo_house import House, environment_of
from fireline.apps.demo_scene import Eyes, Scene, because, news, shares
from fireline.apps.demo_show import Show, picture, telling
from fireline.apps.demo_story import checks, figures
from fireline.apps.faults import Refused
from fireline.apps.files import BrokenFiles

WHY = {
    "rule": "fraud_latency",
    "service": "fraud-scoring",
    "owner": "payments-ml",
    "policy": "payments-ml",
    "schedule": "payments-ml",
    "source": "layer weekly",
}
PAGE = {
    "number": 1,
    "person": "ann",
    "at": 101.0,
    "why": WHY,
    "attempts": [{"channel": "console", "state": "delivered", "at": 101.0}],
}
CLEARED = {"rule": "fraud_latency", "measures": {"p99": 88.125, "n": 1200, "x": None}}
INCIDENT = {
    "number": 1,
    "id": "INC-1",
    "service": "fraud-scoring",
    "severity": "outage",
    "status": "resolved",
    "title": "p99 is 918 ms",
    "opened_at": 101.0,
    "acknowledged_by": "ann",
    "acknowledged_at": 103.0,
    "resolved_at": 120.0,
    "pages": [PAGE],
    "signals": {"f": {"signal": {"rule": "fraud_latency"}, "cleared_at": 111.0, "flaps": 0}},
    "timeline": [
        {"at": 101.05, "kind": "delivered", "text": "Page 1 reached console", "data": {"page": 1}},
        {"at": 111.0, "kind": "cleared", "text": "Cleared: ...", "data": CLEARED},
    ],
    "run_list": [
        {
            "id": 1,
            "runbook": "route-to-fallback",
            "status": "succeeded",
            "created_at": 101.0,
            "allowed_by": "start.mode is auto",
            "reason": "all steps done",
            "ended_at": 119.0,
            "steps": [
                {
                    "id": "verify",
                    "status": "done",
                    "output": {"verdict": "recovered", "summary": "recovered: it is clear", "samples": 1040},
                    "error": "",
                    "ended_at": 104.0,
                }
            ],
        }
    ],
}
CYCLE = {
    "first_bad_at": 100.9,
    "first_on_fallback_at": 101.2,
    "back_on_primary_at": 112.0,
    "failed_before": 200,
    "failed_after": 0,
    "on_fallback": 2000,
}
ROUTE = {
    "service": "fraud-scoring",
    "weights": {"primary": 100},
    "version": 3,
    "lease": None,
    "changed_at": 112.0,
    "reason": "back",
}


def scene(**changes):
    stats = {"cycles": [CYCLE], "primary_broken": False, "route": {"weights": {"primary": 100}}}
    told = {"roles": {"stream": {"events_per_second": 400.0}}}
    made = Scene(121.0, 100.0, told, stats, INCIDENT, ROUTE)
    return dataclasses.replace(copy.deepcopy(made), **changes)


def test_a_story_that_went_well_keeps_every_promise():
    verdicts = checks(scene(), "ann")
    assert len(verdicts) == 11
    assert [check.promise for check in verdicts if not check.kept] == []


def test_an_outage_that_became_less_of_one_before_it_was_over_was_one():
    """As the bad events leave its window one by one."""
    verdicts = checks(scene(incident={**INCIDENT, "severity": "degraded", "peak": "outage"}), "ann")
    assert [check.promise for check in verdicts if not check.kept] == []


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"incident": {}}, "an incident is opened"),
        ({"incident": {**INCIDENT, "severity": "notice"}}, "an incident is opened"),
        ({"incident": {**INCIDENT, "pages": [{**PAGE, "person": "ben"}]}}, "the person on call, ann, is named"),
        ({"incident": {**INCIDENT, "pages": [{**PAGE, "attempts": []}]}}, "the page is delivered"),
        ({"incident": {**INCIDENT, "acknowledged_by": None}}, "an acknowledgement is taken"),
        ({"incident": {**INCIDENT, "resolved_at": None}}, "the incident is resolved"),
        ({"incident": {**INCIDENT, "run_list": []}}, "the verification says recovered"),
        ({"stats": {"cycles": [{**CYCLE, "failed_after": 21}]}}, "failures stop with it"),
        ({"stats": {}}, "traffic goes to the fallback"),
        ({"route": {**ROUTE, "weights": {"fallback": 100}}}, "traffic goes back to the primary"),
        ({"route": {}}, "traffic goes back to the primary"),
        ({"incident": {**INCIDENT, "signals": {"f": {"signal": {"rule": "r"}, "flaps": 2}}}}, "no signal flaps"),
    ],
)
def test_a_story_that_went_wrong_says_what_did(changes, broken):
    assert broken in [check.promise for check in checks(scene(**changes), "ann") if not check.kept]


def test_the_figures_are_spans_of_what_was_seen():
    numbers = {figure.what: figure.value for figure in figures(scene())}
    assert numbers["first bad event → page delivered"] == "150 ms"
    assert numbers["first bad event → first request on the fallback"] == "300 ms"
    assert numbers["first bad event → incident resolved"] == "19.1 s"
    assert numbers["requests failed before the fallback"] == "200"
    assert {figure.value for figure in figures(Scene(1.0))} == {"-"}


def test_news_are_told_once_in_the_order_of_time():
    now = scene()
    told = [text for _, text in sorted(news(Scene(1.0), now))]
    assert [text.split(":")[0] for text in told] == [
        "the primary fails its callers",
        "INC-1 opened, outage",
        "run 1 of route-to-fallback begins",
        "page to ann by console",
        "acknowledged by ann",
        "step verify",
        "fraud_latency is clear again",
        "route v3",
        "run 1 succeeded",
        "INC-1 resolved",
    ]
    assert "fraud_latency is clear again: p99 88.12, n 1200" in told
    assert list(news(now, scene())) == []


def test_words_for_people():
    assert shares({"fallback": 75, "primary": 25, "x": 0}) == "fallback 75 %, primary 25 %"
    assert because(WHY).endswith("schedule payments-ml (layer weekly)")


def test_a_look_that_failed_changes_nothing():
    blind = Scene(122.0).or_else(scene())
    assert (blind.at, blind.incident) == (122.0, INCIDENT)


def screen(width, height):
    return Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)


def drawn(console, made):
    console.print(made)
    return console.export_text().splitlines()


def test_lines_are_plain_text_where_there_is_no_terminal():
    console = Console(record=True, width=120, file=io.StringIO())
    with Show(console) as show:
        show.say(100.0, "hello [red]markup[/red]")
        show.draw(scene())
        show.end(checks(scene(), "ann"), figures(scene()))
    text = console.export_text()
    assert "hello [red]markup[/red]" in text
    assert "pass" in text


@pytest.mark.parametrize("size", [(100, 30), (160, 50), (80, 24)])
def test_the_picture_fits_the_terminal_and_shows_the_latest(size):
    console = screen(*size)
    lines = drawn(console, picture(scene(), [f"line {n}." for n in range(40)], "http://x", {"ann": "Ann K"}, console))
    assert len(lines) <= size[1] - 1
    assert max(map(len, lines)) <= size[0]
    text = "\n".join(lines)
    for shown in ("400 events/s", "p99 is 918 ms", "paged Ann K because rule fraud_latency", "✓ verify"):
        assert shown in text
    for shown in ("recovered on 1,040 events", "150 ms", "300 ms", "19.1 s", "2,000", "line 39."):
        assert shown in text
    assert ("line 10." in text) == (size[1] == 50)


def test_the_hand_back_is_kept_as_a_picture_once(tmp_path):
    kept = tmp_path / "demo.svg"
    show = Show(Console(file=io.StringIO()), "http://x", {}, kept)
    show.draw(scene())
    assert not kept.exists()
    split = scene(stats={**scene().stats, "route": {"weights": {"fallback": 75, "primary": 25}}})
    assert telling(split)
    show.say(112.0, "a line of the story")
    show.draw(split)
    first = kept.read_text()
    assert "story" in first
    assert "75" in first
    show.say(113.0, "later")
    show.draw(split)
    assert kept.read_text() == first


@pytest.fixture
def home(tmp_path, repository):
    made = Home(tmp_path / "demo")
    settle_in(made, repository / "rules", repository / "runbooks")
    return made


def undated(path: Path) -> list[bytes]:
    """The lines of a file; when a runbook was reviewed does not matter, as a demo must not wait for a review."""
    book = path.parent.name == "runbooks"
    return [line for line in path.read_bytes().splitlines() if not (book and line.startswith(b"reviewed: "))]


def test_a_home_is_a_fresh_copy_of_the_files(home, repository):
    (home.path / "old").mkdir()
    settle_in(home, repository / "rules", repository / "runbooks")
    assert sorted(p.name for p in home.path.iterdir()) == ["rules", "runbooks"]
    for name in ("rules", "runbooks"):
        files = [p.relative_to(repository) for p in (repository / name).rglob("*.yaml")]
        assert files
        assert all(undated(home.path / file) == undated(repository / file) for file in files)


def test_one_value_of_the_copy_is_changed_and_it_is_said(home, repository):
    before = {path: path.read_text() for path in home.path.rglob("*.yaml")}
    assert hasten(home, "4s") == "60s"
    changed = [path for path, text in before.items() if path.read_text() != text]
    assert changed == [home.rules / "severities.yaml"]
    assert home.read().response == dataclasses.replace(read(repository / "rules", home.runbooks).response, settle=4.0)
    assert hasten(home, "4s") == ""


def test_nothing_is_changed_where_nothing_settles(home):
    severities = home.rules / "severities.yaml"
    severities.write_text(severities.read_text().partition("response:")[0])
    assert hasten(home, "4s") == ""
    severities.unlink()
    assert hasten(home, "4s") == ""


def test_without_rules_it_says_what_to_do(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"no directory rules here: run it from a checkout .* --rules"):
        demo.run(once=True)
    with pytest.raises(Refused, match="--runbooks"):
        demo.run(once=True, rules=repository / "rules")
    assert not (tmp_path / ".fireline").exists(), "nothing is touched"


def test_faulty_or_foreign_files_are_told_before_anything_starts(home):
    catalog = home.rules / "catalog.yaml"
    text = catalog.read_text()
    catalog.write_text(text.replace("  fraud-scoring:", "  card-scoring:"))
    with pytest.raises(Refused, match="a service named fraud-scoring"):
        home.read()
    catalog.write_text(text + "nonsense: 1\n")
    with pytest.raises(BrokenFiles, match="nonsense"):
        home.read()


def test_a_second_demo_in_the_same_place_is_refused(tmp_path):
    second = lived_in_alone(tmp_path / "demo")
    with lived_in_alone(tmp_path / "demo"), pytest.raises(Refused, match="Another demo runs"):
        second.__enter__()
    with lived_in_alone(tmp_path / "demo"):
        pass


@pytest.mark.parametrize(("day", "person"), [("2026-11-18", "ann"), ("2026-11-25", "ben"), ("2026-12-02", "cleo")])
def test_who_is_on_call_is_read_from_the_schedule(home, day, person):
    at = datetime.fromisoformat(day + "T12:00").replace(tzinfo=UTC).timestamp()
    found = on_call(home.read(), at)
    assert found in ("ann", "ben", "cleo")
    assert found == person


def test_settings_of_others_stay_out(home):
    environment = environment_of(House(home, "http://x"), 1234, {"FIRELINE_KAFKA": "elsewhere:9092", "PATH": "/bin"})
    assert "FIRELINE_KAFKA" not in environment
    assert environment["PATH"] == "/bin"
    assert environment["FIRELINE_WEB_PORT"] == "1234"
    assert environment["FIRELINE_RULES"] == str(home.rules)


class Stage(Eyes):
    """Eyes that see an endless series of outages of one incident: each break leads to a story that is over."""

    def __init__(self, clock):
        self.clock, self.breaks, self.heals = clock, [], 0

    async def get(self, url):
        if url.endswith("/healthz"):
            return {"roles": {"stream": {"events_per_second": 400.0}}}
        if url.endswith("/stats"):
            cycles = [{**CYCLE, "broke_at": at, "first_bad_at": at + 0.1} for at in self.breaks]
            return {"requests": 100, "cycles": cycles}
        if url.endswith("/routes"):
            return {"routes": [{**ROUTE, "version": len(self.breaks)}]}
        if "?" in url:
            foreign = {**INCIDENT, "number": 99, "id": "INC-99", "service": "other", "opened_at": self.clock.now()}
            return {"incidents": [foreign, *([self.incident()] if self.breaks else [])]}
        return self.incident()

    def incident(self):
        times = {"opened_at": self.breaks[0], "resolved_at": self.breaks[-1] + 1.0}
        if len(self.breaks) > 1:
            times |= {"reopened": len(self.breaks) - 1, "reopened_at": self.breaks[-1]}
        pages = [{**PAGE, "number": n + 1, "at": at} for n, at in enumerate(self.breaks)]
        runs = [{**INCIDENT["run_list"][0], "id": n + 1, "created_at": at} for n, at in enumerate(self.breaks)]
        return {**INCIDENT, **times, "pages": pages, "run_list": runs[::-1], "timeline": []}

    async def post(self, url, body):
        if url.endswith("/break"):
            self.breaks.append(self.clock.now())
        self.heals += url.endswith("/heal")
        return True


@pytest.fixture
def directed(home):
    clock = SystemClock()
    eyes = Stage(clock)
    eyes._session, eyes._fireline, eyes._gateway, eyes._service = None, "http://x", "http://y", "fraud-scoring"
    pace = Pace(healthy=0.0, reading=0.0, outage=0.0, pause=0.0, longest=5.0, ready=5.0)
    return Director(House(home, "http://x", "http://y"), eyes, clock, pace), eyes


async def told_by(director):
    told = []
    with Show(Console(file=io.StringIO())) as show:
        show.say = lambda at, text: told.append(text)
        return await director.story(show), told


async def test_a_second_outage_of_the_same_incident_is_a_story_of_its_own(directed):
    director, _ = directed
    first, told = await told_by(director)
    assert sum("INC-1 opened, outage" in text for text in told) == 1
    second, told = await told_by(director)
    assert sum("INC-1 reopened, outage" in text for text in told) == 1
    assert [len(found.pages) for found in (first, second)] == [1, 1]
    assert (first.run["id"], second.run["id"]) == (1, 2)
    assert first.cycle["broke_at"] < second.since < second.cycle["broke_at"]
    assert [check.promise for check in checks(second, "ann") if not check.kept] == []


async def test_the_model_is_mended_however_the_story_ends(directed):
    director, eyes = directed
    await told_by(director)
    assert eyes.heals >= 1


async def test_the_next_outage_waits_while_the_runbook_has_no_budget_for_it(directed, home):
    director, _ = directed
    for _ in range(3):
        assert "comes in 0 s" in director.outlook()
        await told_by(director)
    assert "budget of route-to-fallback is spent (3 runs in 60 min)" in director.outlook()
    assert str(home.runbooks / "route-to-fallback.yaml") in director.outlook()
    book = home.runbooks / "route-to-fallback.yaml"
    book.write_text(book.read_text().replace("budget: {runs: 3", "budget: {runs: 4"))
    assert "comes in 0 s" in director.outlook()
    await director.rest()


def test_a_story_is_lost_when_its_run_fails_or_never_comes():
    assert not scene().lost
    assert scene(incident={**INCIDENT, "run_list": [{**INCIDENT["run_list"][0], "status": "refused"}]}).lost
    assert scene(incident={**INCIDENT, "run_list": []}).lost
    assert not scene(incident={**INCIDENT, "run_list": []}, at=102.0).lost
