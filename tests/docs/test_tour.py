"""The tour of the README comes out as it says: its recording, its outage, its fault, its counts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from fireline.apps.bootstrap import plugins
from fireline.domain.rules import State
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load
from tests.docs.texts import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_recording_of_the_tour_is_an_outage(tmp_path: Path) -> None:
    script = re.search(r"cat > slow\.py <<'PY'\n(.*?)^PY$", README, re.MULTILINE | re.DOTALL)
    assert script is not None
    done = subprocess.run([sys.executable, "-c", script[1]], capture_output=True, check=True, cwd=tmp_path)
    records = done.stdout.splitlines()
    assert f"{len(records)} events of slow.ndjson sent to fireline.replay, 0 lines were no events" in README
    configuration = load(ROOT / "rules", ROOT / "runbooks", plugins()).configuration
    assert configuration is not None
    played = play([configuration.rules["fraud_latency"]], FAMILIES, Native(), records)
    assert played.dead == ()
    assert [(signal.state, signal.severity) for signal in played.signals] == [(State.FIRING, "outage")]
    assert played.signals[0].summary in README


def test_what_check_says_of_sound_files(repository: Path) -> None:
    configuration = load(repository / "rules", repository / "runbooks", plugins()).configuration
    assert configuration is not None
    catalog = configuration.catalog
    counts = f"{len(configuration.rules)} rules, {len(configuration.runbooks)} runbooks, "
    assert counts + f"{len(catalog.services)} services, {len(catalog.people)} people: sound, 0 warnings" in README


def test_what_check_says_of_the_broken_rule(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    fraud = tmp_path / "rules" / "fraud.yaml"
    fraud.write_text(re.sub("agg: quantile", "agg: quantil", fraud.read_text(encoding="utf-8")), encoding="utf-8")
    problems = load(tmp_path / "rules", ROOT / "runbooks", plugins()).problems
    first, second = problems
    told = str(first).replace(f"{tmp_path.as_posix()}/", "")
    assert told in README, told
    assert "2 errors, 0 warnings" in README
    assert second.severity == "error"
