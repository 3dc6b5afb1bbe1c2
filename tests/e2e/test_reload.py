"""Files that change under a running Fireline: sound ones come in force everywhere, broken ones never do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import time

import orjson
import pytest

from fireline.domain.incidents import Incident
from tests.e2e.outside import LINE, Outside, eventually, put

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROLES = ("stream", "respond", "web")
ADDED = """\
rules:
  - name: added
    owner: platform
    on: metric
    where: {name: added_here}
    by: [service]
    window: 10s
    measures:
      n: {agg: count}
    severity:
      outage: {when: "n > 0", for: 0s}
    summary: "{{ service }} said {{ measures.n }}"
    tests:
      - name: one is enough
        series:
          - fields: {name: added_here, service: fraud-scoring}
            values: "1x2"
        expect:
          - {at: 1s, state: firing, severity: outage, entity: {service: fraud-scoring}}
"""


def breaks(text: str) -> str:
    """A duration that is none in the first rule, a measure that is not there in the second."""
    return text.replace("window: 10s", "window: soon", 1).replace("errors > 0.20 && n", "mistakes > 0.20 && n", 1)


def in_force(fireline: Outside, before: int) -> bool:
    """Whether every role said after line `before` that another configuration is in force."""
    lines = fireline.said().splitlines()[before:]
    return all(any(f" {role} INFO " in line and " in force, was " in line for line in lines) for role in ROLES)


def by_all(fireline: Outside, *words: str) -> bool:
    """Whether every role said a line with these words."""
    return all(fireline.lines(f" {role} ", *words) for role in ROLES)


def named(fireline: Outside, fault: str) -> list[str]:
    """Lines of the log with it; pages and cards, which the console shows beside it, are none."""
    return [line for line in fireline.lines(fault) if LINE.match(line)]


def length(fireline: Outside) -> int:
    return len(fireline.said().splitlines())


def event(fireline: Outside, name: str) -> None:
    body = {"type": "metric", "name": name, "value": 1, "ts": time(), "labels": {"service": "fraud-scoring"}}
    fireline.produce("fireline.metrics", "fraud-scoring", orjson.dumps(body))
    fireline.flush()


def fires(fireline: Outside, rule: str) -> bool:
    return any(rule in {a.signal.rule for a in incident.signals.values()} for incident in fireline.incidents())


def of_rule(fireline: Outside, rule: str) -> Incident:
    return next(i for i in fireline.incidents() if rule in {a.signal.rule for a in i.signals.values()})


def paged(fireline: Outside, rule: str) -> bool:
    return any(attempt.state == "delivered" for page in of_rule(fireline, rule).pages for attempt in page.attempts)


def test_broken_files_change_nothing_and_mended_ones_everything(tmp_path: Path, repository: Path):
    with Outside(tmp_path, repository) as fireline:
        path = tmp_path / "rules" / "fraud.yaml"
        sound = path.read_text()
        put(path, breaks(sound))
        eventually("every role saw it", lambda: by_all(fireline, "ERROR", "stays in force"), 10)
        eventually("each fault is named", lambda: len(named(fireline, "fraud.yaml:")) >= 2, 10)
        faults = named(fireline, "fraud.yaml:")
        places = [line.split("fraud.yaml:", 1)[1].split(" ", 1)[0] for line in faults]
        assert len(faults) >= 2
        assert len(set(places)) == len(places), "each fault is named once, by one role"
        assert all(len(place.rstrip(":").split(":")) == 2 for place in places), "line and column"
        assert fireline.doctor()[1]["files"]["finding"] == "fault"

        old = fireline.kill("stream")
        eventually("the stream worker is back", lambda: fireline.roles().get("stream", old) != old, 20)
        old = fireline.kill("respond")
        eventually("the responder is back", lambda: fireline.roles().get("respond", old) != old, 20)
        fireline.bad_predictions()
        eventually("rules go on firing", lambda: fires(fireline, "fraud_errors"), 40)
        eventually("pages go on", lambda: paged(fireline, "fraud_errors"), 20)
        eventually("broken files are told", lambda: fires(fireline, "fireline_files"), 20)
        assert of_rule(fireline, "fireline_files").pages == (), "broken files are told, and wake nobody"

        before = length(fireline)
        put(tmp_path / "rules" / "added.yaml", ADDED)  # first, while the other is broken: both are one change
        put(path, sound.replace("p99 > 800 && n >= 20", "p99 > 801 && n >= 20"))
        eventually("it is in force in every role", lambda: in_force(fireline, before), 10)
        event(fireline, "added_here")
        eventually("the new rule fires", lambda: fires(fireline, "added"), 15)
        eventually("they are told to be sound", lambda: not of_rule(fireline, "fireline_files").firing, 10)
        told = fireline.command("changes")
        assert "added.yaml, rules/fraud.yaml" in told.stdout, told
        assert fireline.doctor()[1]["files"]["finding"] != "fault"


def test_replaced_removed_and_restored_files(tmp_path: Path, repository: Path):
    with Outside(tmp_path, repository) as fireline:
        rules = tmp_path / "rules"
        before = length(fireline)
        new = rules / ".added.yaml.swp"
        new.write_text(ADDED[: len(ADDED) // 2])
        new.write_text(ADDED)
        new.replace(rules / "added.yaml")
        eventually("an editor's replacement is in force", lambda: in_force(fireline, before), 10)

        rules.rename(tmp_path / "away")
        eventually("every role misses it", lambda: by_all(fireline, "ERROR", "stays in force"), 10)
        eventually("it is said what is missing", lambda: named(fireline, "no such directory"), 10)
        event(fireline, "added_here")
        eventually("the last good rules fire", lambda: fires(fireline, "added"), 15)
        assert len(fireline.roles()) == len(ROLES)
        shutil.copytree(tmp_path / "away", tmp_path / "back")
        (tmp_path / "back").rename(rules)  # all of it at once
        eventually("every role found it", lambda: by_all(fireline, "files are sound again"), 10)
        assert len(named(fireline, "no such directory")) == 1, "each fault is named once, by one role"
        for what in ("stays in force", "files are sound again"):
            assert len(fireline.lines(what)) == len(ROLES), "nothing is said again and again"


def test_up_and_check_refuse_broken_files_with_every_fault(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    rules = tmp_path / "rules"
    (rules / "fraud.yaml").write_text(breaks((rules / "fraud.yaml").read_text()))
    catalog = (rules / "catalog.yaml").read_text()
    (rules / "catalog.yaml").write_text(catalog.replace("tier: 1", "tier: one", 1))
    (rules / "oncall.yaml").write_text((rules / "oncall.yaml").read_text() + "surprise: 1\n")
    runbooks = tmp_path / "runbooks"
    shutil.copytree(repository / "runbooks", runbooks)
    book = runbooks / "route-to-fallback.yaml"
    book.write_text(book.read_text().replace("uses: route.get", "uses: route.gte", 1))
    for words in (["up"], ["check"]):
        done = fireline.command(*words, FIRELINE_RUNBOOKS=str(runbooks))
        assert done.returncode == 1
        text = done.stdout + done.stderr
        assert "Traceback" not in text
        for name in ("fraud.yaml", "catalog.yaml", "oncall.yaml", "route-to-fallback.yaml"):
            assert any(
                f"{name}:" in line and ": error: " in line and line.split(f"{name}:")[1].split(":")[0].isdigit()
                for line in text.splitlines()
            ), (words, name, text)
        assert "did you mean `route.get`" in text
    assert not (tmp_path / "fireline.db").exists(), "nothing was started"


def test_up_tells_a_port_that_is_taken(tmp_path: Path, repository: Path):
    with Outside(tmp_path, repository) as fireline:
        other = subprocess.run(
            [sys.executable, "-m", "fireline.apps", "web"],
            env={**os.environ, **fireline.environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert other.returncode == 1, other.stderr
        assert "FIRELINE_WEB_PORT" in other.stderr
        assert "Traceback" not in other.stderr
