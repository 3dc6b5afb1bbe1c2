"""Every runbook survives that its responder is killed, wherever that happens: the same end, each effect once.

The paths are the runbooks' own tests: ordinary ones, and those in which steps fail, people abort, and what was done is
undone. Real processes drive real databases and act on a target over HTTP; at each boundary in turn (just before and
after each commit of the journal or of a route, and each write to the target) one kills itself by SIGKILL, and another
takes over. `make faults` takes every boundary of an ordinary and of
a failing path of each runbook and a fourth of those of all others, and prints the table; `make test` some of some.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.engine.runs_world import REPOSITORY, shipped
from tests.faults.run_trials import Files, Row, Server, Way, campaign, table, telling, ways
from tests.servers.postgres import PostgresServer

LONG = os.environ.get("FIRELINE_FAULTS") == "long"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def check(rows: list[Row], least: int) -> None:
    print(table(rows))
    faults = [fault for row in rows for fault in row.faults]
    assert not faults, "\n\n".join(faults[:5])
    points = sum(row.points for row in rows)
    assert points >= least, "the campaign looks at nothing"
    assert sum(row.same for row in rows) == points
    assert sum(row.once for row in rows) == points


def test_every_runbook_has_paths_that_are_tried():
    """A runbook without tests would be passed over in silence."""
    files = {path.stem for path in (REPOSITORY / "runbooks").glob("*.yaml")}
    assert files == set(shipped().runbooks) == {way.book for way in ways()}


def anywhere(way: Way, count: int) -> Iterable[int]:
    """All boundaries of the paths that tell most, some of the others."""
    return range(1, count + 1) if way in telling(ways()) else range(way.test % 4 + 1, count + 1, 4)


def test_killed_anywhere_in_any_runbook(tmp_path: Path):
    if not LONG:
        some = telling(ways())[1::8]
        check(campaign([Files(tmp_path / "one")], some, lambda _, count: [count // 2, count - 4]), 2 * len(some))
        return
    first = telling(ways())
    whole = [*first, *(way for way in ways() if way not in first)]
    whole.sort(key=lambda way: way.book == "communicate")  # what waits for hours of updates comes last
    rows = campaign([Files(tmp_path / "one"), Files(tmp_path / "two")], whole, anywhere)
    check(rows, 500)
    assert sum(row.twice for row in rows) > 0, "no effect was ever in doubt: nobody was killed where it matters"


if LONG:

    @pytest.mark.postgres
    def test_killed_anywhere_on_postgresql(postgres_server: PostgresServer):
        servers = [Server(postgres_server), Server(postgres_server)]
        some = sorted(telling(ways()), key=lambda way: way.book == "communicate")
        check(campaign(servers, some, lambda _, count: range(2, count + 1, 4)), 100)
