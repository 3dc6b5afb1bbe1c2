import copy
import dataclasses
import io
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins
from fireline.apps.demo import Director, Pace
from fireline.apps.demo_house import FILES, House, environment_of, settle_in
from fireline.apps.demo_scene import Scene, because, news, shares
from fireline.apps.demo_show import Show, picture
from fireline.apps.demo_story import checks, figures
from fireline.spec.loading import load

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
    "why": WHY,
    "attempts": [{"channel": "console", "state": "delivered", "at": 101.05}],
}
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
    "run_list": [
        {
            "id": 1,
            "runbook": "route-to-fallback",
            "status": "succeeded",
            "created_at": 101.0,
            "allowed_by": "start.mode is auto",
            "steps": [
                {
                    "id": "verify",
                    "status": "done",
                    "output": {"verdict": "recovered", "summary": "recovered: it is clear"},
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
    made = Scene(121.0, told, stats, INCIDENT, ROUTE)
    return dataclasses.replace(copy.deepcopy(made), **changes)


def test_the_demo_comes_with_faultless_files():
    loaded = load(FILES / "rules", FILES / "runbooks", plugins(), date(2026, 11, 21))
    assert loaded.problems == ()
    assert "route-to-fallback" in loaded.configuration.runbooks


def test_a_story_that_went_well_keeps_every_promise():
    verdicts = checks(scene(), "ann")
    assert len(verdicts) == 10
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
        ({"stats": {"cycles": [{**CYCLE, "failed_after": 1}]}}, "failures stop with it"),
        ({"stats": {}}, "traffic goes to the fallback"),
        ({"route": {**ROUTE, "weights": {"fallback": 100}}}, "traffic goes back to the primary"),
        ({"route": {}}, "traffic goes back to the primary"),
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
        "run 1 of route-to-fallback",
        "page to ann by console",
        "acknowledged by ann",
        "step verify",
        "route v3",
        "INC-1 resolved",
    ]
    assert list(news(now, scene())) == []


def test_words_for_people():
    assert shares({"fallback": 75, "primary": 25, "x": 0}) == "fallback 75 %, primary 25 %"
    assert because(WHY).endswith("schedule payments-ml (layer weekly)")


def test_a_look_that_failed_changes_nothing():
    blind = Scene(122.0).or_else(scene())
    assert (blind.at, blind.incident) == (122.0, INCIDENT)


def test_the_picture_and_the_lines_are_plain_text_where_there_is_no_terminal():
    console = Console(record=True, width=120, file=io.StringIO())
    with Show(console) as show:
        show.say(100.0, "hello [red]markup[/red]")
        show.draw(scene())
        show.end(checks(scene(), "ann"), figures(scene()))
    console.print(picture(scene(), ["a line"], "http://x"))
    text = console.export_text()
    assert "hello [red]markup[/red]" in text
    assert "pass" in text
    assert "p99 is 918 ms" in text


def test_a_home_is_fresh_and_settings_of_others_stay_out(tmp_path):
    home = tmp_path / "demo"
    (home / "old").mkdir(parents=True)
    settle_in(home)
    assert sorted(p.name for p in home.iterdir()) == ["rules", "runbooks"]
    environment = environment_of(House(home, "http://x"), 1234, {"FIRELINE_KAFKA": "elsewhere:9092", "PATH": "/bin"})
    assert "FIRELINE_KAFKA" not in environment
    assert environment["PATH"] == "/bin"
    assert environment["FIRELINE_WEB_PORT"] == "1234"
    assert environment["FIRELINE_RULES"] == str(home / "rules")


def processes_of(home):
    """The ids of processes whose environment names this home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                held = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"FIRELINE_STATE_DIR={home}".encode() in held:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_whole_story_comes_out_as_promised_and_nothing_is_left_running(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fireline.apps", "demo", "--once"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=190,
        env={**os.environ, "COLUMNS": "160"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count(" pass ") == 10
    assert "FAIL" not in done.stdout
    assert processes_of(tmp_path / ".fireline" / "demo") == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ending_it_early_ends_everything(tmp_path, how):
    process = subprocess.Popen(
        [sys.executable, "-m", "fireline.apps", "demo"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        for line in process.stdout:
            if line.startswith("Fireline is up"):
                break
        home = tmp_path / ".fireline" / "demo"
        assert len(processes_of(home)) >= 4
        process.send_signal(how)
        assert process.wait(40) == 0
        assert processes_of(home) == []
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Stage:
    """Eyes that see an endless series of outages: each look after a break shows a story that is over."""

    def __init__(self):
        self.breaks = 0
        self.asked = []

    async def look(self, now, after=0):
        self.asked.append(after)
        number = self.breaks
        incident = {**INCIDENT, "number": number, "id": f"INC-{number}"} if number > after else {}
        stats = {"requests": 100, "cycles": [{**CYCLE, "first_bad_at": 100.0 + n} for n in range(number)]}
        return scene(at=now, incident=incident, stats=stats)

    async def post(self, url, body):
        self.breaks += url.endswith("/break")
        return True


async def test_the_second_story_is_about_the_second_incident(tmp_path):
    stage, told = Stage(), []
    pace = Pace(healthy=0.0, reading=0.0, outage=0.0, pause=0.0, longest=5.0, ready=5.0)
    director = Director(House(tmp_path, "http://x", "http://y"), stage, SystemClock(), pace)
    with Show(Console(file=io.StringIO())) as show:
        show.say = lambda at, text: told.append(text)
        first = await director.story(show, 0)
        second = await director.story(show, first.incident["number"])
    assert (first.incident["id"], second.incident["id"]) == ("INC-1", "INC-2")
    assert sum("INC-1 opened" in text for text in told) == 1
    assert sum("INC-2 opened" in text for text in told) == 1
