"""A rule that is removed while it fires: its incident ends, and says why."""

from pathlib import Path

import pytest

from tests.e2e.outside import Outside, eventually, put
from tests.e2e.test_reload import ADDED, event, fires, in_force, length

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_an_incident_ends_whose_rule_was_removed(tmp_path: Path, repository: Path):
    with Outside(tmp_path, repository, settle="1s") as fireline:
        before, rules = length(fireline), tmp_path / "rules"
        put(rules / "added.yaml", ADDED.replace("window: 10s", "window: 10m"))
        eventually("the rule is in force", lambda: in_force(fireline, before), 15)
        event(fireline, "added_here")
        eventually("it fires", lambda: fires(fireline, "added"), 15)
        (rules / "added.yaml").unlink()
        eventually("the incident ends", lambda: all(i.resolved_at for i in fireline.incidents()), 30)
        cleared = [entry.text for entry in fireline.timeline() if entry.kind == "cleared"]
        assert cleared == ["Cleared: added{service=fraud-scoring}: rule added was removed"]
